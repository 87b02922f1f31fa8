"""Questions to knowledge bases without a conversation: an answer with citations, as JSON or as events."""

import asyncio
from contextlib import aclosing
from http import HTTPStatus
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody

from api.chats.ask import check_question
from api.chats.estimates import QueueEstimate
from api.chats.ports import ChatPorts
from api.chats.replies import Reply, WithThinking, cancel_reply, first_frame, relay_reply, stream_reply
from api.chats.standalone import StandaloneQuestion, ask_standalone, error_of, find_reply, find_streamable, frames
from api.http.gate import CHAT
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import EVENTS, NO_MORE, PROBLEMS, STREAMED, StreamOperation
from api.http.request import ApiRequest
from api.http.responses import json_response
from api.http.sse import EventStream, wants_events
from domain.chats.relay import ReplyFrame
from schemas.bodies.queries import QueryCancelAccepted, QueryManyRequest, QueryRequest, QueryView
from schemas.bodies.streams import CancelledData, CompletedData
from schemas.chats import Sampling
from schemas.errors import Problem
from schemas.thinking import is_thinking_shown

ACCEPTED_SPEC = ResponseSpec(
    data_container=QueryView, description="The answer takes longer; it will be at `Location`.", generate_examples=False
)
ANSWER_SPEC = ResponseSpec(
    data_container=QueryView, description="The answer; with `Accept: text/event-stream` its events instead.", generate_examples=False
)


@post(
    "/knowledge/{knowledge_base_id:str}/query",
    opt=CHAT | RUNS_AGAIN,
    responses={**PROBLEMS, 200: ANSWER_SPEC, STREAMED: EVENTS, 202: ACCEPTED_SPEC},
    status_code=HTTPStatus.OK,
    summary="Ask a knowledge base",
    operation_class=StreamOperation,
)
async def one(request: ApiRequest, knowledge_base_id: FromPath[UUID], data: JSONBody[QueryRequest]) -> Response[QueryView]:
    """``200`` with the answer, or ``202`` when it takes longer than ``CLAW_LIMIT_QUERY_WAIT_S``."""
    base = await request.http.access.find_knowledge_base(request.user, str(knowledge_base_id))
    return await _query(request, data, (base.id,))


@post(
    "/knowledge/query",
    opt=CHAT | RUNS_AGAIN,
    responses={**PROBLEMS, 200: ANSWER_SPEC, STREAMED: EVENTS, 202: ACCEPTED_SPEC},
    status_code=HTTPStatus.OK,
    summary="Ask several knowledge bases",
    operation_class=StreamOperation,
)
async def several(request: ApiRequest, data: JSONBody[QueryManyRequest]) -> Response[QueryView]:
    """``200`` with the answer, or ``202`` when it takes longer than ``CLAW_LIMIT_QUERY_WAIT_S``."""
    return await _query(request, data, tuple(map(str, data.knowledge_base_ids)) or None)


@get("/knowledge/queries/{reply_id:str}", opt=CHAT, responses=PROBLEMS, summary="Get the answer to a query")
async def read(request: ApiRequest, reply_id: FromPath[UUID]) -> QueryView:
    """Available for a day."""
    reply, message = await find_reply(request, str(reply_id))
    stream_path = f"{_path(reply)}/stream"
    return QueryView.of(message, stream_path) if message is not None else QueryView(reply_id=reply.id, state="open", stream=stream_path)


@get(
    "/knowledge/queries/{reply_id:str}/stream",
    opt=CHAT,
    responses={**PROBLEMS, 200: EVENTS, 204: NO_MORE},
    summary="Stream the answer to a query",
)
async def stream(request: ApiRequest, reply_id: FromPath[UUID], thinking: WithThinking = None) -> Response[None]:
    """From the beginning, or exactly after ``Last-Event-ID``; on any replica, also once it has ended."""
    await request.take_stream()
    reply = await find_streamable(request, str(reply_id))
    return stream_reply(request, reply, thinking=thinking)


@post(
    "/knowledge/queries/{reply_id:str}/cancel",
    opt=CHAT | RUNS_AGAIN,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Cancel the answer to a query",
)
async def cancel(request: ApiRequest, reply_id: FromPath[UUID]) -> QueryCancelAccepted:
    """It ends as cancelled, unless it ends by itself first. ``409`` when it has already ended."""
    reply, message = await find_reply(request, str(reply_id))
    await cancel_reply(request, reply, message)
    return QueryCancelAccepted(reply_id=reply.id, stream=f"{_path(reply)}/stream")


async def _query(request: ApiRequest, data: QueryRequest, bases: tuple[str, ...] | None) -> Response[QueryView]:
    ports = request.ports(ChatPorts)
    check_question(ports, "question", data.question)
    await request.take_stream()
    asked = StandaloneQuestion(
        door="query",
        content=data.question,
        knowledge_base_ids=bases,
        system_prompt=data.system_prompt,
        sampling=Sampling(
            max_tokens=data.max_tokens or 0,
            temperature=data.temperature,
            thinking=data.thinking,
            reasoning_effort=data.reasoning_effort,
        ),
        with_thinking=is_thinking_shown(request.core.settings.model.show_thinking, data.show_thinking),
        mode=data.mode,
        model=data.model,
    )
    reply, queue = await ask_standalone(request, asked)
    if wants_events(request):
        return _events(request, reply, queue)
    end = await _last_frame(request, reply)
    path = _path(reply)
    if end is None:
        open_still = QueryView(reply_id=reply.id, state="open", stream=f"{path}/stream")
        return json_response(open_still, HTTPStatus.ACCEPTED, {"Location": path})
    return json_response(_view(reply, end, f"{path}/stream"))


def _events(request: ApiRequest, reply: Reply, queue: QueueEstimate | None) -> EventStream:
    first = first_frame(reply, *(queue or (None, None)))
    return EventStream(relay_reply(request.ports(ChatPorts), request.user, reply, first=first))


async def _last_frame(request: ApiRequest, reply: Reply) -> ReplyFrame | None:
    """The reply's last frame; None when it does not arrive in time. A client that disconnects does not stop the reply."""
    try:
        async with (
            asyncio.timeout(request.core.settings.limits.query_wait_s),
            aclosing(frames(request.ports(ChatPorts), request.user, reply)) as answer_frames,
        ):
            async for frame in answer_frames:
                if frame.terminal:
                    return frame
    except TimeoutError:
        return None
    return None  # the process is stopping: the reply goes on elsewhere


def _view(reply: Reply, end: ReplyFrame, stream_path: str) -> QueryView:
    """The answer from its last frame; raises the error of a failed one."""
    if end.event == "failed":
        raise error_of(msgspec.json.decode(end.data, type=Problem))
    if end.event == "cancelled":
        stopped = msgspec.json.decode(end.data, type=CancelledData)
        return QueryView(reply_id=reply.id, state="cancelled", stream=stream_path, answer=stopped.text, finish_reason="cancelled")
    whole = msgspec.json.decode(end.data, type=CompletedData)
    return QueryView(
        reply_id=reply.id,
        state="complete",
        stream=stream_path,
        answer=whole.text,
        citations=whole.citations,
        unsupported_numbers=whole.unsupported_numbers,
        usage=whole.usage,
        model=whole.model,
        finish_reason=whole.finish_reason,
        cached=whole.cached,
        outcome=whole.outcome,
    )


def _path(reply: Reply) -> str:
    return f"/api/v1/knowledge/queries/{reply.id}"


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[one, several, read, stream, cancel], tags=["retrieval"])
