"""One connection: frames in, responses and events out, as long as the credential is valid and the client is connected.

Every frame has a task of its own; at most ``subscriptions_max`` of them run, streams included. They send one at a time, in order, and wait
while the client does not read: the others then wait, too, and their streams stay where they are on the log. So a slow client costs 64 KiB
in its connection, nothing is queued for it here, and it gets everything once it reads again. The task that reads frames never sends, so
that pongs and new credentials are always processed.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any, NamedTuple

from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from api.http.caps import free_held
from api.http.gate import address_of, enforce_limits
from api.http.identity import Caller
from api.http.problems import to_problem
from api.http.request import ApiRequest
from api.http.sse import EventStream
from api.socket import frames
from api.socket.credential import ConnectionCredential
from api.socket.pace import FrameLimiter
from api.socket.ports import SocketPorts
from api.socket.requests import answer_of, request_of
from domain.chats.relay import HEARTBEAT, ReplyFrame
from schemas.bodies.socket import Addressed, Authenticate, ClientFrame, Leave, Ping
from schemas.bodies.streams import (
    AuthenticatedData,
    ExpiringData,
    SocketAuthenticated,
    SocketClosed,
    SocketDone,
    SocketExpiring,
    SocketHeartbeat,
    SocketOpened,
    SocketPong,
)
from schemas.errors import ClawError, FieldError, Refused, Unavailable

BEAT_S = 5.0  # between two checks of the clock and the credential: a revoked key is refused within this and a second
AUTHENTICATE_S = 10.0  # for the first `authenticate`
HEARTBEAT_S = 10.0  # no connection is silent for longer
TASKS_SPARE = 32  # answers that may wait to be sent, beside the open frames; beyond that no frame is read
CLOSE_S_MAX = 2.0  # for the close frame to a client that may not be reading

UNAUTHENTICATED, DENIED, IDLE, RATE_LIMITED = 4401, 4403, 4408, 4429
INTERNAL_ERROR, TRY_AGAIN_LATER = 1011, 1013
CODES = {"access_denied": DENIED, "rate_limited": RATE_LIMITED, "too_many_sockets": RATE_LIMITED}


class CloseReason(NamedTuple):
    """Close code and reason of a connection."""

    code: int
    reason: str


class SocketSession:
    """``authorization``: the credential of the handshake, or ""."""

    def __init__(self, socket: WebSocket[Any, Any, Any], ports: SocketPorts, authorization: str) -> None:
        self._socket, self._ports, self._settings = socket, ports, ports.core.settings.socket
        self._offered = authorization
        self._credential = ConnectionCredential(ports)
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: dict[str, asyncio.Task[None]] = {}  # open frames by id
        self._freed = asyncio.Event()
        self._sending = asyncio.Lock()
        self._began_s = self._received_s = self._sent_s = self._now_s
        self._pace = FrameLimiter(self._settings.frames_per_second, self._now_s)
        self._frames = 0

    @property
    def _address(self) -> str:
        return address_of(self._socket.scope)

    @property
    def _now_s(self) -> float:
        return self._ports.core.clock.monotonic_s()

    async def run(self) -> None:
        """From the accepted handshake to the end of the connection."""
        close_reason = await self._admit() if self._offered else None
        lives = [asyncio.create_task(each, name="socket") for each in (self._read(), self._keep_alive())] if close_reason is None else []
        try:
            if lives:
                done, _ = await asyncio.wait(lives, return_when=asyncio.FIRST_COMPLETED)
                close_reason = self._close_reason(next(iter(done)))
        finally:
            await self._cancel_tasks([*lives, *self._tasks])
            self._credential.release()
        if close_reason is not None:
            await self._close(close_reason)

    def _close_reason(self, ended: asyncio.Task[CloseReason | None]) -> CloseReason | None:
        if (error := ended.exception()) is None:
            return ended.result()
        assert isinstance(error, Exception)
        return CloseReason(INTERNAL_ERROR, to_problem(self._socket.scope, error).code)  # which logs it

    async def _cancel_tasks(self, tasks: list[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _close(self, close_reason: CloseReason) -> None:
        with suppress(TimeoutError, OSError, WebSocketDisconnect):
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._socket.close(code=close_reason.code, reason=close_reason.reason)

    # frames in

    async def _read(self) -> CloseReason | None:
        while True:
            message: Any = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return None
            self._received_s = self._now_s
            while len(self._tasks) >= self._settings.subscriptions_max + TASKS_SPARE:
                self._freed.clear()
                await self._freed.wait()
            text = (message.get("text") or "").encode() or (message.get("bytes") or b"")
            addressed = frames.parse_address(text) if len(text) <= self._settings.frame_bytes_max else Addressed()
            try:
                await self._dispatch(text, addressed, is_text=message.get("text") is not None)
            except ClawError as error:
                self._send_soon(frames.encode_problem(addressed.id, to_problem(self._socket.scope, error)))
            if self._pace.is_flooding:
                return CloseReason(RATE_LIMITED, "too many frames")

    async def _dispatch(self, text: bytes, addressed: Addressed, *, is_text: bool) -> None:
        """Begin the work of a frame; raises its refusal."""
        self._frames += 1
        if len(text) > self._settings.frame_bytes_max:
            raise Refused("body_too_large", f"a frame has at most {self._settings.frame_bytes_max} bytes, this one {len(text)}")
        if not self._pace.allow(self._now_s):
            raise Refused("rate_limited", "too many frames", retry_after_s=int(self._pace.wait_s) + 1, rule="socket_frames")
        if not is_text:
            raise Refused("invalid_request", "send text frames")
        frame = frames.parse_frame(text, addressed.type)
        self._ports.core.metrics.socket_frames.labels(frame.type).inc()
        if isinstance(frame, Ping):
            self._send_soon(frames.encode(SocketPong(id=frame.id)))
        elif isinstance(frame, Authenticate):
            await self._authenticate(frame)
        elif isinstance(frame, Leave):
            self._leave(frame)
        else:
            self._begin(frame)

    def _begin(self, frame: ClientFrame) -> None:
        if self._credential.caller is None:
            raise Refused("unauthenticated", "send `authenticate` first")
        if frame.id in self._open:
            raise Refused("validation_failed", errors=(FieldError("id", "is the id of a frame that is still open", "a unique id"),))
        if len(self._open) >= self._settings.subscriptions_max:
            detail = f"a connection may have {self._settings.subscriptions_max} open frames; leave some"
            raise Refused("rate_limited", detail, retry_after_s=1, rule="socket_subscriptions")
        request = request_of(self._socket, frame, self._credential.authorization, self._frames)
        task = self._open[frame.id] = self._spawn(self._serve_frame(request, frame))
        task.add_done_callback(lambda _: self._open.pop(frame.id, None))

    def _leave(self, frame: Leave) -> None:
        task = self._open.get(frame.subscription)
        if task is None:
            raise Refused("not_found", f"there is no open frame {frame.subscription!r}")
        task.cancel()
        self._send_soon(frames.encode(SocketDone(id=frame.id)))

    # authentication

    async def _admit(self) -> CloseReason | None:
        """Authenticate the credential of the handshake."""
        try:
            caller = await self._credential.authenticate(self._offered, self._address)
        except ClawError as error:
            return await self._refuse(error)
        self._send_soon(_welcome("", caller))
        return None

    async def _authenticate(self, frame: Authenticate) -> None:
        scope: Any = {**self._socket.scope, "state": {"response_headers": []}}  # a frame has no response headers
        await enforce_limits(self._ports.http, scope, self._address, None)  # limits guessing
        caller = await self._credential.authenticate(f"Bearer {frame.token}", self._address)
        self._send_soon(_welcome(frame.id, caller))

    # time

    async def _keep_alive(self) -> CloseReason:
        """Returns when the connection has to end."""
        while True:
            if (close_reason := await self._check()) is not None:
                return close_reason
            if (expires_at := self._credential.announce_expiry()) is not None:
                self._send_soon(frames.encode(SocketExpiring(data=ExpiringData(expires_at))))
            if self._now_s - self._sent_s >= HEARTBEAT_S and not self._sending.locked():
                self._send_soon(frames.encode(SocketHeartbeat()))
            await asyncio.sleep(self._pause_s())

    async def _check(self) -> CloseReason | None:
        if self._credential.caller is None:
            return CloseReason(UNAUTHENTICATED, "no credential was sent") if self._now_s - self._began_s >= AUTHENTICATE_S else None
        if not self._open and self._now_s - self._received_s >= self._settings.idle_s:
            return CloseReason(IDLE, "the connection was idle")
        try:
            await self._credential.check(self._address)
        except Refused as error:
            return await self._refuse(error)
        return None

    async def _refuse(self, error: ClawError) -> CloseReason:
        """Send the refusal, as far as the client reads it, and end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._send(frames.encode_problem("", to_problem(self._socket.scope, error)))
        if isinstance(error, Unavailable):
            return CloseReason(TRY_AGAIN_LATER, error.code)
        return CloseReason(CODES.get(error.code, UNAUTHENTICATED), error.code)

    def _pause_s(self) -> float:
        """The time to the next check: a beat, or less when the credential or a time limit expires before."""
        if self._credential.caller is None:
            return min(BEAT_S, max(0.0, self._began_s + AUTHENTICATE_S - self._now_s))
        left_s = self._credential.remaining_s
        return BEAT_S if left_s is None else min(BEAT_S, left_s + 0.01)

    # responses and events out

    async def _serve_frame(self, request: ApiRequest, frame: ClientFrame) -> None:
        """One frame, to the end of its stream. An error is sent as a problem and ends nothing else."""
        work = asyncio.ensure_future(self._send_answer(request, frame))
        try:
            await asyncio.wait((work,))
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait((work,))
            free_held(request.scope)
        if not work.cancelled() and (error := work.exception()) is not None:
            assert isinstance(error, Exception)
            await self._send(frames.encode_problem(frame.id, to_problem(request.scope, error)))

    async def _send_answer(self, request: ApiRequest, frame: ClientFrame) -> None:
        answer = await self._run_shielded(answer_of(request, frame))
        if not isinstance(answer, EventStream):
            await self._send(frames.encode_done(frame.id, answer))
            return
        async with aclosing(answer.frames) as stream:
            await self._send(frames.encode(SocketOpened(id=frame.id)))
            async for each in stream:
                if isinstance(each, ReplyFrame) and each is not HEARTBEAT:
                    await self._send(frames.encode_event(frame.id, each))
        await self._send(frames.encode(SocketClosed(id=frame.id)))

    async def _run_shielded(self, answering: Coroutine[Any, Any, EventStream | bytes]) -> EventStream | bytes:
        """The response. A request that has begun is not cancelled with its frame: it would be half done."""
        task = asyncio.create_task(answering, name="socket-request")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._ports.core.background.run(_await_orphaned(task))
            raise

    def _send_soon(self, text: bytes) -> None:
        """Send without waiting for the client to read."""
        self._spawn(self._send(text))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="socket-frame")
        self._tasks.add(task)
        task.add_done_callback(self._discard_task)
        return task

    def _discard_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._freed.set()

    async def _send(self, text: bytes) -> None:
        async with self._sending:
            with suppress(OSError, WebSocketDisconnect):  # it has disconnected, which the reading task notices
                await self._socket.send({"type": "websocket.send", "text": text.decode(), "bytes": None})
        self._sent_s = self._now_s


def _welcome(frame_id: str, caller: Caller) -> bytes:
    return frames.encode(SocketAuthenticated(id=frame_id, data=AuthenticatedData(caller.account_id, caller.expires_at)))


async def _await_orphaned(task: asyncio.Task[Any]) -> None:
    """Wait for the end of a request whose frame was cancelled; its result is discarded."""
    await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()
