"""``POST /v1/chat/completions``.

A client that disconnects cancels the answer, as with OpenAI, and the provider is not paid for the rest. With an ``Idempotency-Key`` the
answer goes on: a repeat of the request gets the same answer.
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
from api.chats.standalone import ask_standalone, error_of
from api.chats.standalone import frames as reply_frames
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import STREAMED, StreamOperation
from api.http.request import ApiRequest
from api.http.responses import json_response
from api.http.sse import EventStream, wait_for_disconnect
from api.openai import requests
from api.openai.errors import ERRORS
from api.openai.responses import CompletionEncoder, CompletionHead, completion
from domain.chats.relay import ReplyFrame
from schemas.bodies.openai import ChatCompletion, ChatCompletionCreate
from schemas.bodies.streams import ChatCompletionChunk, CompletedData, ThinkingData
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
    opt=RUNS_AGAIN,
    responses={200: COMPLETION_SPEC, STREAMED: CHUNKS_SPEC, **ERRORS},
    status_code=HTTPStatus.OK,
    summary="Create a chat completion",
    operation_id="ChatCompletion",
    operation_class=StreamOperation,
)
async def create(request: ApiRequest, data: JSONBody[ChatCompletionCreate]) -> Response[Any]:
    """From the knowledge bases of ``metadata.knowledge_base_ids``; citations are in ``annotations``. The last message is the question,
    earlier ones are its history, system and developer messages are instructions.
    """
    ports = request.ports(ChatPorts)
    asked = requests.parse_question(data, ports.core.settings)
    check_question(ports, f"messages[{len(data.messages) - 1}].content", asked.content)
    await request.take_stream()
    reply, _ = await ask_standalone(request, asked)
    ignored = requests.find_ignored(await request.body())
    headers = {requests.IGNORED: ", ".join(ignored)} if ignored else {}
    head = CompletionHead(f"chatcmpl-{reply.id}", int(ports.core.clock.now().timestamp()), data.model, request.public_url)
    frames = reply_frames(ports, request.user, reply)
    if not data.stream:
        whole, thinking = await _whole(request, reply, frames)
        return json_response(completion(head, whole, thinking), headers=headers)
    begun = await _run_while_connected(request, reply, frames, _first_frames(frames))
    _check(begun[-1])
    include_usage = data.stream_options is not None and bool(data.stream_options.include_usage)
    return EventStream(_chunks(request, reply, CompletionEncoder(head, include_usage=include_usage), begun, frames), headers=headers)


async def _whole(request: ApiRequest, reply: Reply, frames: Frames) -> tuple[CompletedData, str]:
    """The complete answer, and the thinking before it; raises its error."""
    end, thinking = await _run_while_connected(request, reply, frames, _last_frame(frames))
    _check(end)
    if end.event == "cancelled":
        raise Unavailable("answer_interrupted", "the answer was cancelled")
    return msgspec.json.decode(end.data, type=CompletedData), thinking


async def _last_frame(frames: Frames) -> tuple[ReplyFrame, str]:
    """The end, and the thinking of the attempt that ended so."""
    thinking: list[str] = []
    async for frame in frames:
        if frame.event == "thinking":
            thinking.append(msgspec.json.decode(frame.data, type=ThinkingData).text)
        elif frame.event == "restart":
            thinking.clear()
        if frame.terminal:
            return frame, "".join(thinking)
    raise _stopping()


async def _first_frames(frames: Frames) -> list[ReplyFrame]:
    """The frames up to the first after ``retrieved``. Until then nothing is sent, so that a failure still gets its HTTP status; a heartbeat
    ends the wait, too: proxies have timeouts.
    """
    begun: list[ReplyFrame] = []
    async for frame in frames:
        begun.append(frame)
        if frame.event != "retrieved":
            return begun
    raise _stopping()


def _check(frame: ReplyFrame) -> None:
    """Raises the error of a failed reply."""
    if frame.event == "failed":
        raise error_of(msgspec.json.decode(frame.data, type=Problem))


def _stopping() -> Unavailable:
    return Unavailable("answer_interrupted", "this process is stopping")


async def _chunks(
    request: ApiRequest, reply: Reply, chunks: CompletionEncoder, begun: list[ReplyFrame], frames: Frames
) -> AsyncGenerator[bytes, None]:
    """The stream to its end. When it ends before the reply, for whatever reason, the reply is cancelled."""
    ended = False
    try:
        async with aclosing(frames):
            yield chunks.begin()
            async for frame in _prepend(begun, frames):
                ended = ended or frame.terminal
                if data := chunks.encode(frame):
                    yield data
                if chunks.ended:
                    return
            yield chunks.interrupt("this process is stopping")
    except ClawError as error:  # the head of the response has been sent: the stream itself has to report it
        yield chunks.fail(error.problem())
    finally:
        if not ended:
            await _cancel_reply(request, reply)


async def _prepend(begun: list[ReplyFrame], frames: Frames) -> Frames:
    for frame in begun:
        yield frame
    async for frame in frames:
        yield frame


async def _run_while_connected(request: ApiRequest, reply: Reply, frames: Frames, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, which reads ``frames``; when the client disconnects first, the reply is cancelled."""
    working, disconnected = asyncio.create_task(work), asyncio.create_task(wait_for_disconnect(request.receive))
    delivered = False
    try:
        await asyncio.wait((working, disconnected), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Refused("invalid_request", "the connection closed before the answer was complete")
        outcome = working.result()
        delivered = True
        return outcome
    finally:
        disconnected.cancel()
        if not delivered:
            working.cancel()
            await asyncio.wait((working,))
            await frames.aclose()
            await _cancel_reply(request, reply)


async def _cancel_reply(request: ApiRequest, reply: Reply) -> None:
    if request.idempotency_key is None:
        with suppress(Unavailable):  # while Redis is down the answer cannot be cancelled
            await request.ports(ChatPorts).reply_locks.request_cancel(request.user.tenant, reply.id)
