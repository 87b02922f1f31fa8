"""Frames as JSON: those of a client are parsed, those of the server encoded. The data of an event is JSON already and is embedded."""

from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from api.http.problems import body_of
from api.http.request import decode_json
from domain.chats.relay import ReplyFrame
from schemas.bodies.socket import FRAMES, Addressed, ClientFrame
from schemas.bodies.streams import SocketDone, SocketEvent, SocketProblem
from schemas.errors import FieldError, Problem, Refused

ID_CHARS_MAX = 64

_encode = msgspec.json.Encoder().encode
_address = msgspec.json.Decoder(Addressed)


def parse_address(text: bytes) -> Addressed:
    """The id and the type of a frame; empty ones when it has none."""
    try:
        found = _address.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Addressed()
    return found if len(found.id) <= ID_CHARS_MAX else Addressed("", found.type)


def parse_frame(text: bytes, kind: str) -> ClientFrame:
    """The frame; Refused names what is wrong with it."""
    if kind not in FRAMES:
        decode_json(text, dict[str, Any])  # refuses what is no JSON object
        raise Refused("validation_failed", errors=(FieldError("type", "is no frame", "one of " + ", ".join(FRAMES)),))
    frame: ClientFrame = decode_json(text, FRAMES[kind])
    return frame


def encode(frame: Struct) -> bytes:
    """A frame of ``schemas.bodies.streams``."""
    return _encode(frame)


def encode_done(frame_id: str, body: bytes) -> bytes:
    """``done`` with the body of an HTTP answer."""
    return _encode(SocketDone(id=frame_id, data=Raw(body)) if body else SocketDone(id=frame_id))


def encode_problem(frame_id: str, problem: Problem) -> bytes:
    """The refusal of a frame, "" for one that cannot be read."""
    return _encode(SocketProblem(id=frame_id, problem=cast("Problem", Raw(body_of(problem)))))  # with the members every problem has


def encode_event(frame_id: str, frame: ReplyFrame) -> bytes:
    """An event of the stream that the client's frame ``frame_id`` opened."""
    return _encode(SocketEvent(id=frame_id, event=frame.event, event_id=frame.id, data=Raw(frame.data)))
