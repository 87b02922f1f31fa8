"""``POST /v1/chat/completions``.

Who hangs up has stopped the answer, as at OpenAI, and the provider is not paid for the rest. With an ``Idempotency-Key`` the answer goes
on: its sender means to come back, and the same request then gets the same answer.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from litestar import Response, post
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody

from api.chats.ask import check_question
from api.chats.replies import Reply, check_room
from api.chats.standalone import ask_alone, frames, raised
from api.http.request import ApiRequest
from api.http.responses import answered
from api.http.sse import EventStream, disconnected
from api.openai import requests
from api.openai.errors import ERRORS
from api.openai.responses import Chunks, Head, completion
from domain.chats.relay import Frame
from domain.chats.relay.frames import Whole
from schemas.bodies.openai import ChatCompletion, ChatCompletionCreate
from schemas.errors import ClawError, Problem, Refused, Unavailable

T = TypeVar("T")
Frames = AsyncGenerator[Frame, None]

IGNORED = "X-Ignored-Parameters"  # names of parameters of the request that had no effect

EITHER = ResponseSpec(
    data_container=ChatCompletion, description="The completion; with `stream: true` its chunks as an event stream.", generate_examples=False
)


@post(
    "/chat/completions",
    responses={200: EITHER, **ERRORS},
    status_code=HTTPStatus.OK,
    summary="Answer a conversation that the client keeps",
    operation_id="ChatCompletion",
)
async def create(request: ApiRequest, data: JSONBody[ChatCompletionCreate]) -> Response[Any]:
    """From the knowledge bases of ``metadata.knowledge_base_ids``; citations ride in ``annotations``. The last message is the question,
    earlier ones are its history, system and developer messages instructions.
    """
    ports = request.ports
    asked = requests.question(data, ports.settings)
    check_question(ports, f"messages[{len(data.messages) - 1}].content", asked.content)
    check_room(ports)
    reply, _ = await ask_alone(request, asked)
    ignored = requests.ignored(await request.body())
    headers = {IGNORED: ", ".join(ignored)} if ignored else {}
    head = Head(f"chatcmpl-{reply.id}", int(ports.clock.now().timestamp()), data.model)
    told = frames(ports, request.user, reply)
    if not data.stream:
        return answered(completion(head, await _whole(request, reply, told)), headers=headers)
    begun = await _attended(request, reply, told, _begun(told))
    _check(begun[-1])
    include_usage = data.stream_options is not None and bool(data.stream_options.include_usage)
    return EventStream(_chunks(request, reply, Chunks(head, include_usage=include_usage), begun, told), headers=headers)


async def _whole(request: ApiRequest, reply: Reply, told: Frames) -> Whole:
    """The answer at its end; raises what it failed with."""
    end = await _attended(request, reply, told, _end(told))
    _check(end)
    if end.event == "cancelled":
        raise Unavailable("answer_interrupted", "the answer was cancelled")
    return msgspec.json.decode(end.data, type=Whole)


async def _end(told: Frames) -> Frame:
    async for frame in told:
        if frame.terminal:
            return frame
    raise _stopping()


async def _begun(told: Frames) -> list[Frame]:
    """The frames up to the first that says something. Until then nothing was sent, and a failure still has its HTTP status; a heartbeat
    is something, too: no proxy waits for ever.
    """
    begun: list[Frame] = []
    async for frame in told:
        begun.append(frame)
        if frame.event != "retrieved":
            return begun
    raise _stopping()


def _check(frame: Frame) -> None:
    """Raises what the reply failed with."""
    if frame.event == "failed":
        raise raised(msgspec.json.decode(frame.data, type=Problem))


def _stopping() -> Unavailable:
    return Unavailable("answer_interrupted", "this process is stopping")


async def _chunks(request: ApiRequest, reply: Reply, chunks: Chunks, begun: list[Frame], told: Frames) -> AsyncGenerator[bytes, None]:
    """The stream to its end. When it ends before the reply does, for whatever reason, the reply is stopped."""
    over = False
    try:
        async with aclosing(told):
            yield chunks.begin()
            async for frame in _after(begun, told):
                over = over or frame.terminal
                if said := chunks.tell(frame):
                    yield said
                if chunks.ended:
                    return
            yield chunks.break_off("this process is stopping")
    except ClawError as error:  # the head of the response is out: the stream itself has to say it
        yield chunks.fail(error.problem())
    finally:
        if not over:
            await _stop(request, reply)


async def _after(begun: list[Frame], told: Frames) -> Frames:
    for frame in begun:
        yield frame
    async for frame in told:
        yield frame


async def _attended(request: ApiRequest, reply: Reply, told: Frames, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of ``work``, which reads ``told``, as long as the client is there to hear of it; without it the reply is stopped."""
    working, gone = asyncio.create_task(work), asyncio.create_task(disconnected(request.receive))
    heard = False
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Refused("invalid_request", "the connection closed before the answer was there")
        outcome = working.result()
        heard = True
        return outcome
    finally:
        gone.cancel()
        if not heard:
            working.cancel()
            await asyncio.wait((working,))
            await told.aclose()
            await _stop(request, reply)


async def _stop(request: ApiRequest, reply: Reply) -> None:
    if request.idempotency_key is None:
        with suppress(Unavailable):  # with Redis down nobody can be told: the answer goes to its end
            await request.ports.turns.request_cancel(request.user.tenant, reply.id)
