"""Server-sent events."""

import json
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event. ``id``, sent back as Last-Event-ID, resumes a stream after it."""

    id: str
    name: str
    data: dict[str, Any]


async def events(lines: AsyncIterable[bytes]) -> AsyncIterator[ServerEvent]:
    """Every event of a stream, from its lines; comments are skipped."""
    ident, name, data = "", "message", b""
    async for raw in lines:
        line = raw.rstrip(b"\r\n")
        if line.startswith(b"id:"):
            ident = line[3:].strip().decode()
        elif line.startswith(b"event:"):
            name = line[6:].strip().decode()
        elif line.startswith(b"data:"):
            data += line[5:].strip()
        elif not line and data:
            yield ServerEvent(ident, name, json.loads(data))
            name, data = "message", b""
