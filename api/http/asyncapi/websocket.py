"""The WebSocket's part of the document, from the structs that parse a client's frames and encode the server's."""

from collections.abc import Mapping
from typing import Any, get_args

from api.http.asyncapi.schemas import Schema, summary_of
from api.http.asyncapi.servers import WEBSOCKET
from schemas.bodies.conversations import MessageCreate, MessageEdit
from schemas.bodies.socket import FRAMES
from schemas.bodies.streams import SOCKET_EVENTS

CHANNEL = "/api/v1/ws"
PROTOCOL = "docs/socket.md"
TAG = "websocket"
_CHANNEL_REF = "#/channels/~1api~1v1~1ws"

_BODIES = {"Ask": MessageCreate, "Edit": MessageEdit}  # of frames that carry the body of an HTTP request, undecoded
KINDS: tuple[Any, ...] = (*FRAMES.values(), *_BODIES.values(), *SOCKET_EVENTS.values())


def name_bodies(schemas: dict[str, Schema]) -> None:
    """Say in the schemas of frames which schema their ``body`` has."""
    for frame, body in _BODIES.items():
        schemas[frame]["properties"]["body"] = {"$ref": f"#/components/schemas/{body.__name__}"}


def channels() -> dict[str, Any]:
    """The one channel."""
    return {
        CHANNEL: {
            "address": CHANNEL,
            "title": "WebSocket",
            "description": f"Frames of the WebSocket: of a client, and of the server. The protocol is described in {PROTOCOL}.",
            "messages": {f"socket.{name}": {"$ref": f"#/components/messages/socket.{name}"} for name in (*FRAMES, *SOCKET_EVENTS)},
            "servers": [{"$ref": f"#/servers/{WEBSOCKET}"}],
            "tags": [{"name": TAG}],
            "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        }
    }


def operations() -> dict[str, Any]:
    """A client's frames are received, the others are sent."""
    return {
        "socket": _operation("receive", FRAMES, "The server receives a client's frames"),
        "socket-events": _operation("send", SOCKET_EVENTS, "The server answers frames and sends the events of streams"),
    }


def messages(payloads: Mapping[Any, Schema], examples: Mapping[str, Any]) -> dict[str, Any]:
    """A message for each type of frame, and for each event of a stream."""
    kinds: Mapping[str, Any] = FRAMES | SOCKET_EVENTS
    return {
        f"socket.{name}": {
            "name": name,
            "title": name,
            "summary": summary_of(next(iter(get_args(kind)), kind)),  # of an event its data
            "contentType": "application/json",
            "payload": payloads[kind],
            "examples": list(examples.get(f"socket.{name}", ())),
        }
        for name, kind in kinds.items()
    }


def _operation(action: str, kinds: Mapping[str, Any], title: str) -> dict[str, Any]:
    """``action`` of the server with these messages of the channel."""
    return {
        "action": action,
        "channel": {"$ref": _CHANNEL_REF},
        "title": title,
        "tags": [{"name": TAG}],
        "messages": [{"$ref": f"{_CHANNEL_REF}/messages/socket.{name}"} for name in kinds],
    }
