"""Frames as text: what a client's says, and how ours are written. ``data`` of an event is JSON already and is not encoded again."""

from typing import Any

import msgspec
from msgspec import Struct

from api.http.problems import body_of
from api.http.request import decode_json
from domain.chats.relay import ReplyFrame
from schemas.bodies.socket import FRAMES, Addressed, ClientFrame
from schemas.errors import FieldError, Problem, Refused

ID_CHARS_MAX = 64

_encode = msgspec.json.Encoder().encode
_address = msgspec.json.Decoder(Addressed)


def parse_address(text: bytes) -> Addressed:
    """Whom to answer; an empty one when the frame does not say."""
    try:
        found = _address.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Addressed()
    return found if len(found.id) <= ID_CHARS_MAX else Addressed("", found.type)


def parse_frame(text: bytes, kind: str) -> ClientFrame:
    """The frame; Refused names what is wrong with it."""
    if kind not in FRAMES:
        decode_json(text, dict[str, Any])  # what is no JSON object is told so
        raise Refused("validation_failed", errors=(FieldError("type", "is no frame", "one of " + ", ".join(FRAMES)),))
    frame: ClientFrame = decode_json(text, FRAMES[kind])
    return frame


def encode_body(body: Struct) -> bytes:
    """A body of ours as JSON."""
    return _encode(body)


def answer(frame_id: str, kind: str, data: bytes = b"") -> bytes:
    """``opened``, ``done``, ``closed``, ``pong``: one frame about the client's frame ``frame_id``."""
    body = b',"data":' + data if data else b""
    return b'{"id":%b,"type":"%b"%b}' % (_encode(frame_id), kind.encode(), body)


def refusal(frame_id: str, problem: Problem) -> bytes:
    """What is wrong, and with which frame."""
    return b'{"id":%b,"type":"problem","problem":%b}' % (_encode(frame_id), body_of(problem))


def event(frame_id: str, frame: ReplyFrame) -> bytes:
    """An event of the stream that the client's frame ``frame_id`` opened; the names and the data are those of the event stream."""
    name, place, data = frame.event.encode(), _encode(frame.id), frame.data
    return b'{"id":%b,"type":"event","event":"%b","event_id":%b,"data":%b}' % (_encode(frame_id), name, place, data)


def notice(kind: str, body: Struct | None = None) -> bytes:
    """Something nobody asked for: ``heartbeat``, ``expiring``."""
    data = b',"data":' + _encode(body) if body is not None else b""
    return b'{"id":"","type":"%b"%b}' % (kind.encode(), data)
