"""The WebSocket's part of the AsyncAPI document: what a client may send, from the structs that read it."""

from typing import Any

import msgspec

from schemas.bodies.socket import FRAMES

CHANNEL = "/api/v1/ws"
PROTOCOL = "docs/socket.md"


def describe() -> dict[str, Any]:
    """``channels``, ``operations``, ``messages`` and ``schemas`` to add to a document."""
    references, schemas = msgspec.json.schema_components(FRAMES.values(), ref_template="#/components/schemas/{name}")
    messages = {f"socket.{kind}": _message(kind, reference) for (kind, _), reference in zip(FRAMES.items(), references, strict=True)}
    channel = {
        "address": CHANNEL,
        "description": f"Frames of a client over the WebSocket. Answers and events: {PROTOCOL}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }
    return {
        "channels": {CHANNEL: channel},
        "operations": {"socket": {"action": "receive", "channel": {"$ref": "#/channels/~1api~1v1~1ws"}}},
        "messages": messages,
        "schemas": schemas,
    }


def _message(kind: str, reference: dict[str, Any]) -> dict[str, Any]:
    summary = (FRAMES[kind].__doc__ or "").strip().split("\n", maxsplit=1)[0]
    return {"name": kind, "summary": summary, "contentType": "application/json", "payload": reference}
