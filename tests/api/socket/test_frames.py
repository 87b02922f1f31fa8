"""The server's frames, byte by byte: clients of every release read them."""

from datetime import UTC, datetime

import msgspec
import pytest

from api.http.problems import body_of
from api.socket import frames
from domain.chats.relay import ReplyFrame
from schemas.bodies import streams
from schemas.errors import Refused

AT = datetime(2026, 1, 2, tzinfo=UTC)
PROBLEM = Refused("not_found", "there is no reply").problem()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (frames.encode(streams.SocketPong(id='a"b')), b'{"id":"a\\"b","type":"pong"}'),
        (frames.encode(streams.SocketOpened(id="1")), b'{"id":"1","type":"opened"}'),
        (frames.encode(streams.SocketClosed(id="1")), b'{"id":"1","type":"closed"}'),
        (frames.encode(streams.SocketHeartbeat()), b'{"id":"","type":"heartbeat"}'),
        (
            frames.encode(streams.SocketExpiring(data=streams.ExpiringData(AT))),
            b'{"id":"","type":"expiring","data":{"expires_at":"2026-01-02T00:00:00Z"}}',
        ),
        (
            frames.encode(streams.SocketAuthenticated(id="1", data=streams.AuthenticatedData("ada", None))),
            b'{"id":"1","type":"authenticated","data":{"user_id":"ada","expires_at":null}}',
        ),
        (frames.encode_done("1", b""), b'{"id":"1","type":"done"}'),
        (frames.encode_done("1", b'{"x": 1}'), b'{"id":"1","type":"done","data":{"x": 1}}'),
        (
            frames.encode_event("2", ReplyFrame("0.18.1", "delta", b'{"seq":1,"text":"25"}')),
            b'{"id":"2","type":"event","event":"delta","event_id":"0.18.1","data":{"seq":1,"text":"25"}}',
        ),
        (frames.encode_problem("", PROBLEM), b'{"id":"","type":"problem","problem":' + body_of(PROBLEM) + b"}"),
    ],
)
def test_bytes_on_the_wire(sent: bytes, expected: bytes):
    assert sent == expected


def test_every_frame_is_one_that_is_documented():
    event = frames.encode_event("2", ReplyFrame("0.18.1", "delta", b'{"seq":1,"text":"25"}'))
    assert msgspec.json.decode(event, type=streams.SOCKET_EVENTS["reply.delta"]).data == streams.DeltaData(1, "25")
    problem = frames.encode_problem("", PROBLEM)
    assert msgspec.json.decode(problem, type=streams.SOCKET_EVENTS["problem"]).problem.code == "not_found"
