"""What a recorded client writes down of a server that answers, refuses, breaks off and resumes."""

import io
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from benchmarks.stub_server import serving
from ops.faults.clients import RecordedClient
from ops.faults.history import HistoryRecorder
from ops.faults.sockets import ask_by_socket

ACCEPTED = b'id: 2.5.0\nevent: accepted\ndata: {"reply_id": "r1", "message_id": "m1"}\n\n'
DELTAS = [b'id: 2.%d.1\nevent: delta\ndata: {"seq": %d, "text": "a"}\n\n' % (5 + n, n) for n in (1, 2)]
END = b'id: 2.8.1\nevent: completed\ndata: {"text": "aa"}\n\n'


class Server:
    """The first stream breaks off after a delta; documents are refused in three ways, in turn."""

    def __init__(self) -> None:
        self.resumed: list[str] = []
        self.statuses = iter((503, 404, 202))

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/api/v1/conversations/c/messages", self.ask)
        app.router.add_get("/api/v1/conversations/c/replies/r1/stream", self.resume)
        app.router.add_post("/api/v1/knowledge/kb/documents", self.submit)
        app.router.add_get("/api/v1/ws", self.socket)
        return app

    async def ask(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(ACCEPTED + DELTAS[0])
        request.transport.abort()  # type: ignore[union-attr]
        return response

    async def resume(self, request: web.Request) -> web.StreamResponse:
        self.resumed.append(request.headers.get("Last-Event-ID", ""))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(DELTAS[1] + END)
        return response

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """The first question is refused, the next one is answered up to a delta."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        frame = await socket.receive_json()
        if frame["body"]["content"] == "busy?":
            await socket.send_json(
                {"id": "1", "type": "problem", "problem": {"status": 409, "code": "conversation_busy", "reply_id": "r0"}}
            )
            return socket
        await socket.send_json({"id": "1", "type": "opened"})
        accepted = {"reply_id": "r1", "message_id": frame["idempotency_key"]}
        for name, place, data in (("accepted", "2.5.0", accepted), ("delta", "2.6.1", {"seq": 1, "text": "a"})):
            await socket.send_json({"id": "1", "type": "event", "event": name, "event_id": place, "data": data})
        return socket

    async def submit(self, request: web.Request) -> web.Response:
        status = next(self.statuses, 0)
        if not status:
            request.transport.abort()  # type: ignore[union-attr]
        return web.json_response({"version": 7} if status == 202 else {"code": "kafka_unavailable"}, status=status or 500)


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[RecordedClient]:
    async with serving(server) as root, aiohttp.ClientSession(root) as session:
        yield RecordedClient(session, {}, tenant="north", base="kb", recorder=HistoryRecorder(io.BytesIO()), name="c")


async def test_a_stream_that_breaks_off_is_resumed_by_the_same_reader(client: RecordedClient, server: Server) -> None:
    answer, reader = await client.ask("c", "q1", "key", question="?")
    assert answer.outcome == "ok"
    assert reader is not None
    assert (reader.last, reader.end) == ("2.6.1", "")
    await client.follow(reader)
    assert reader.end == "completed"
    assert server.resumed == ["2.6.1"]
    history = client.recorder.history
    assert [(each.kind, each.outcome, each.reply, each.after) for each in history.operations] == [
        ("ask", "ok", "r1", ""),
        ("resume", "ok", "r1", "2.6.1"),
    ]
    assert [frame.name for frame in history.frames] == ["accepted", "delta", "delta", "completed"]
    assert {frame.reader for frame in history.frames} == {reader.name} == {each.reader for each in history.operations}


async def test_an_answer_begun_over_the_socket_is_resumed_over_http(client: RecordedClient, server: Server) -> None:
    answer, reader = await ask_by_socket(client, "c", "q1", "key", question="?")
    assert answer.outcome == "ok"
    assert reader is not None
    await client.follow(reader)
    assert (reader.end, server.resumed) == ("completed", ["2.6.1"])
    assert [frame.id for frame in client.recorder.history.frames] == ["2.5.0", "2.6.1", "2.7.1", "2.8.1"]
    assert [(each.kind, each.reply, each.message) for each in client.recorder.history.operations] == [
        ("ask", "r1", "key"),
        ("resume", "r1", ""),
    ]


async def test_a_refusal_over_the_socket_is_that_of_http(client: RecordedClient) -> None:
    answer, reader = await ask_by_socket(client, "c", "q1", "key", question="busy?")
    assert (answer.status, reader) == (409, None)
    (operation,) = client.recorder.history.operations
    assert (operation.outcome, operation.code, operation.reply) == ("failed", "conversation_busy", "r0")


async def test_what_a_client_knows_after_an_answer(client: RecordedClient) -> None:
    """A 503 may have been accepted, a 404 was not, and a lost response says nothing."""
    for _ in range(4):
        await client.submit("d", "text", "code-north-1-1", "key")
    assert [(each.status, each.outcome, each.version, each.code) for each in client.recorder.history.operations] == [
        (503, "unknown", -1, "kafka_unavailable"),
        (404, "failed", -1, "kafka_unavailable"),
        (202, "ok", 7, ""),
        (0, "unknown", -1, ""),
    ]
    assert {each.token for each in client.recorder.history.operations} == {"code-north-1-1"}
