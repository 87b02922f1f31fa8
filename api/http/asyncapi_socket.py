"""The WebSocket's part of the AsyncAPI document, from the structs that parse a client's frames and encode the server's."""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from schemas.bodies.socket import FRAMES
from schemas.bodies.streams import SOCKET_EVENTS

CHANNEL = "/api/v1/ws"
PROTOCOL = "docs/socket.md"
_CHANNEL_REF = "#/channels/~1api~1v1~1ws"


def describe() -> dict[str, Any]:
    """``channels``, ``operations``, ``messages`` and ``schemas`` to add to a document."""
    kinds: Mapping[str, Any] = FRAMES | SOCKET_EVENTS
    references, schemas = msgspec.json.schema_components(kinds.values(), ref_template="#/components/schemas/{name}")
    messages = {
        f"socket.{name}": _message(name, kind, reference) for (name, kind), reference in zip(kinds.items(), references, strict=True)
    }
    channel = {
        "address": CHANNEL,
        "description": f"Frames of the WebSocket: of a client, and of the server. The protocol is described in {PROTOCOL}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }
    return {
        "channels": {CHANNEL: channel},
        "operations": {"socket": _operation("receive", FRAMES), "socket-events": _operation("send", SOCKET_EVENTS)},
        "messages": messages,
        "schemas": schemas,
    }


def _operation(action: str, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """``action`` of the server with these messages of the channel."""
    messages = [{"$ref": f"{_CHANNEL_REF}/messages/socket.{name}"} for name in kinds]
    return {"action": action, "channel": {"$ref": _CHANNEL_REF}, "messages": messages}


def _message(name: str, kind: Any, reference: dict[str, Any]) -> dict[str, Any]:
    described = next(iter(get_args(kind)), kind)  # of an event its data
    summary = (described.__doc__ or "").strip().split("\n", maxsplit=1)[0]
    return {"name": name, "summary": summary, "contentType": "application/json", "payload": reference}
