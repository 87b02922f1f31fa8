"""A frame as the HTTP request it stands for, and the response of that route's handler."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar, cast

import msgspec
from litestar import Response, WebSocket
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from api.area import ports_of
from api.chats import routes as chat
from api.core import Core
from api.documents import progress
from api.http.envelope import request_id_of
from api.http.gate import admit
from api.http.request import ApiRequest, decode_json
from api.http.sse import EventStream
from api.notices import routes as notices
from schemas.bodies.conversations import MessageCreate, MessageEdit
from schemas.bodies.socket import Ask, Cancel, Edit, Read, Regenerate, Watch, WatchNotices
from schemas.traces import new_traceparent

ROOT = "/api/v1"

Headers = list[tuple[bytes, bytes]]
F = TypeVar("F", bound=Struct)
Run = Callable[[ApiRequest, Any], Awaitable[Any]]

FROM_HANDSHAKE = frozenset({b"host", b"x-forwarded-for"})  # headers that the request of a frame has from its connection


class FrameRoute(Struct, frozen=True):
    """The HTTP route of a frame: the handler (with its access in ``opt``), the request line, headers and body, and the call."""

    handler: HTTPRouteHandler
    method: str
    path: Callable[[Any], str]
    run: Run
    headers: Callable[[Any], dict[str, str]] = lambda _: {}
    body: Callable[[Any], bytes] = lambda _: b""


def _reply_path(frame: Read | Cancel | Regenerate) -> str:
    return f"{ROOT}/conversations/{frame.conversation_id}/replies/{frame.reply_id}"


def _key_headers(frame: Ask | Edit | Regenerate) -> dict[str, str]:
    return {"idempotency-key": frame.idempotency_key} if frame.idempotency_key else {}


def _wish_body(frame: Regenerate) -> bytes:
    return b"" if frame.body is None else msgspec.json.encode(frame.body)


async def _ask(request: ApiRequest, frame: Ask) -> Any:
    return await chat.create.fn(request, frame.conversation_id, decode_json(bytes(frame.body), MessageCreate))


async def _edit(request: ApiRequest, frame: Edit) -> Any:
    return await chat.edit.fn(request, frame.conversation_id, frame.message_id, decode_json(bytes(frame.body), MessageEdit))


async def _regenerate(request: ApiRequest, frame: Regenerate) -> Any:
    return await chat.regenerate.fn(request, frame.conversation_id, frame.reply_id, frame.body)


async def _read(request: ApiRequest, frame: Read) -> Any:
    return await chat.stream.fn(request, frame.conversation_id, frame.reply_id, frame.thinking)


async def _cancel(request: ApiRequest, frame: Cancel) -> Any:
    return await chat.cancel.fn(request, frame.conversation_id, frame.reply_id)


async def _watch(request: ApiRequest, frame: Watch) -> Any:
    return await progress.events.fn(request, frame.knowledge_base_id)


async def _watch_notices(request: ApiRequest, _frame: WatchNotices) -> Any:
    return await notices.stream.fn(request)


ROUTES: dict[type[Struct], FrameRoute] = {
    Ask: FrameRoute(
        chat.create,
        "POST",
        lambda frame: f"{ROOT}/conversations/{frame.conversation_id}/messages",
        _ask,
        headers=_key_headers,
        body=lambda frame: bytes(frame.body),
    ),
    Edit: FrameRoute(
        chat.edit,
        "POST",
        lambda frame: f"{ROOT}/conversations/{frame.conversation_id}/messages/{frame.message_id}/edit",
        _edit,
        headers=_key_headers,
        body=lambda frame: bytes(frame.body),
    ),
    Regenerate: FrameRoute(
        chat.regenerate,
        "POST",
        lambda frame: f"{_reply_path(frame)}/regenerate",
        _regenerate,
        _key_headers,
        _wish_body,
    ),
    Read: FrameRoute(
        chat.stream,
        "GET",
        lambda frame: f"{_reply_path(frame)}/stream",
        _read,
        headers=lambda frame: {"last-event-id": frame.last_event_id} if frame.last_event_id else {},
    ),
    Cancel: FrameRoute(chat.cancel, "POST", lambda frame: f"{_reply_path(frame)}/cancel", _cancel),
    Watch: FrameRoute(progress.events, "GET", lambda frame: f"{ROOT}/knowledge/{frame.knowledge_base_id}/events", _watch),
    WatchNotices: FrameRoute(notices.stream, "GET", lambda _frame: f"{ROOT}/notices/stream", _watch_notices),
}


def request_of(socket: WebSocket[Any, Any, Any], frame: Struct, authorization: str, number: int) -> ApiRequest:
    """The frame's ``number`` within its connection is part of its request id; every frame starts a trace."""
    route = ROUTES[type(frame)]
    own = {"authorization": authorization, "accept": "text/event-stream", "content-type": "application/json", **route.headers(frame)}
    headers: Headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in own.items()]
    headers += [(name, value) for name, value in socket.scope["headers"] if name in FROM_HANDSHAKE]
    path = route.path(frame)
    scope = {
        "type": "http",
        "method": route.method,
        "path": path,
        "raw_path": path.encode(),
        "path_template": ROOT + min(route.handler.paths),
        "path_params": {},
        "query_string": b"",
        "headers": headers,
        "client": socket.scope.get("client"),
        "route_handler": route.handler,
        "litestar_app": socket.app,
        "app": socket.app,
        "state": {
            "request_id": f"{request_id_of(socket.scope)}.{number}",
            "traceparent": new_traceparent(ports_of(socket.app)(Core).random_bytes),
            "response_headers": [],
        },
    }
    request = ApiRequest(cast("Any", scope))
    request.replace_body(route.body(frame))
    return request


async def answer_of(request: ApiRequest, frame: Struct) -> EventStream | bytes:
    """The response of the route: a stream, or its body as JSON. Raises the refusal of the request."""
    await admit(request.scope)
    answer = await ROUTES[type(frame)].run(request, frame)
    if isinstance(answer, EventStream):
        return answer
    if isinstance(answer, Response):
        assert answer.status_code is None or answer.status_code < HTTPStatus.BAD_REQUEST  # refusals are raised
        return bytes(answer.content)
    return msgspec.json.encode(answer)
