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
from api.chats.ports import ChatPorts
from api.chats.replies import Reply
from api.chats.standalone import ask_standalone, error_of, frames
from api.http.openapi import STREAMED, StreamOperation
from api.http.request import ApiRequest
from api.http.responses import json_response
from api.http.sse import EventStream, wait_for_disconnect
from api.openai import requests
from api.openai.errors import ERRORS
from api.openai.responses import CompletionEncoder, CompletionHead, completion
from domain.chats.relay import ReplyFrame
from schemas.bodies.openai import ChatCompletion, ChatCompletionCreate
from schemas.bodies.streams import ChatCompletionChunk, CompletedData
from schemas.errors import ClawError, Problem, Refused, Unavailable

T = TypeVar("T")
Frames = AsyncGenerator[ReplyFrame, None]

COMPLETION_SPEC = ResponseSpec(
    data_container=ChatCompletion, description="The completion; with `stream: true` its chunks as an event stream.", generate_examples=False
)

CHUNKS_SPEC = ResponseSpec(
    data_container=ChatCompletionChunk, description="The chunks.", generate_examples=False, media_type="text/event-stream"
)


@post(
    "/chat/completions",
    responses={200: COMPLETION_SPEC, STREAMED: CHUNKS_SPEC, **ERRORS},
    status_code=HTTPStatus.OK,
    summary="Answer a conversation that the client keeps",
    operation_id="ChatCompletion",
    operation_class=StreamOperation,
)
async def create(request: ApiRequest, data: JSONBody[ChatCompletionCreate]) -> Response[Any]:
    """From the knowledge bases of ``metadata.knowledge_base_ids``; citations ride in ``annotations``. The last message is the question,
    earlier ones are its history, system and developer messages instructions.
    """
    ports = request.ports(ChatPorts)
    asked = requests.parse_question(data, ports.core.settings)
    check_question(ports, f"messages[{len(data.messages) - 1}].content", asked.content)
    ports.http.streams.check_capacity()
    reply, _ = await ask_standalone(request, asked)
    ignored = requests.ignored(await request.body())
    headers = {requests.IGNORED: ", ".join(ignored)} if ignored else {}
    head = CompletionHead(f"chatcmpl-{reply.id}", int(ports.core.clock.now().timestamp()), data.model)
    told = frames(ports, request.user, reply)
    if not data.stream:
        return json_response(completion(head, await _whole(request, reply, told)), headers=headers)
    begun = await _run_while_connected(request, reply, told, _first_frames(told))
    _check(begun[-1])
    include_usage = data.stream_options is not None and bool(data.stream_options.include_usage)
    return EventStream(_chunks(request, reply, CompletionEncoder(head, include_usage=include_usage), begun, told), headers=headers)


async def _whole(request: ApiRequest, reply: Reply, told: Frames) -> CompletedData:
    """The answer at its end; raises what it failed with."""
    end = await _run_while_connected(request, reply, told, _last_frame(told))
    _check(end)
    if end.event == "cancelled":
        raise Unavailable("answer_interrupted", "the answer was cancelled")
    return msgspec.json.decode(end.data, type=CompletedData)


async def _last_frame(told: Frames) -> ReplyFrame:
    async for frame in told:
        if frame.terminal:
            return frame
    raise _stopping()


async def _first_frames(told: Frames) -> list[ReplyFrame]:
    """The frames up to the first that says something. Until then nothing was sent, and a failure still has its HTTP status; a heartbeat
    is something, too: no proxy waits for ever.
    """
    begun: list[ReplyFrame] = []
    async for frame in told:
        begun.append(frame)
        if frame.event != "retrieved":
            return begun
    raise _stopping()


def _check(frame: ReplyFrame) -> None:
    """Raises what the reply failed with."""
    if frame.event == "failed":
        raise error_of(msgspec.json.decode(frame.data, type=Problem))


def _stopping() -> Unavailable:
    return Unavailable("answer_interrupted", "this process is stopping")


async def _chunks(
    request: ApiRequest, reply: Reply, chunks: CompletionEncoder, begun: list[ReplyFrame], told: Frames
) -> AsyncGenerator[bytes, None]:
    """The stream to its end. When it ends before the reply does, for whatever reason, the reply is stopped."""
    over = False
    try:
        async with aclosing(told):
            yield chunks.begin()
            async for frame in _prepend(begun, told):
                over = over or frame.terminal
                if said := chunks.encode(frame):
                    yield said
                if chunks.ended:
                    return
            yield chunks.interrupt("this process is stopping")
    except ClawError as error:  # the head of the response is out: the stream itself has to say it
        yield chunks.fail(error.problem())
    finally:
        if not over:
            await _cancel_reply(request, reply)


async def _prepend(begun: list[ReplyFrame], told: Frames) -> Frames:
    for frame in begun:
        yield frame
    async for frame in told:
        yield frame


async def _run_while_connected(request: ApiRequest, reply: Reply, told: Frames, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of ``work``, which reads ``told``, as long as the client is there to hear of it; without it the reply is stopped."""
    working, gone = asyncio.create_task(work), asyncio.create_task(wait_for_disconnect(request.receive))
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
            await _cancel_reply(request, reply)


async def _cancel_reply(request: ApiRequest, reply: Reply) -> None:
    if request.idempotency_key is None:
        with suppress(Unavailable):  # with Redis down nobody can be told: the answer goes to its end
            await request.ports(ChatPorts).reply_locks.request_cancel(request.user.tenant, reply.id)
