"""The same client at the WebSocket: a question whose answer may be resumed over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from claw_client import ServerEvent
from ops.faults.clients import ERRORS, SILENCE_S_MAX, ClientResponse, Leaves, RecordedClient, ReplyReader

OPEN_S_MAX = 5.0
PATH = "/api/v1/ws"


async def ask_by_socket(
    client: RecordedClient, conversation: str, trace: str, key: str, *, question: str, leaves: Leaves | None = None
) -> tuple[ClientResponse, ReplyReader | None]:
    """Ask over a connection of its own and read until the answer ends or ``leaves``; no reader unless it was accepted."""
    known = {"conversation": conversation, "token": trace, "key": key}
    begin, reader, answer = client.recorder.now(), None, ClientResponse(0)
    frame = {"id": "1", "type": "ask", "conversation_id": conversation, "body": {"content": question}, "idempotency_key": key}
    try:
        async with asyncio.timeout(OPEN_S_MAX):
            socket = await client.session.ws_connect(PATH, headers=client.headers)
        async with socket:
            await socket.send_json(frame)
            async for sent in _events(socket):
                if isinstance(sent, ClientResponse):
                    answer = sent
                    break
                if reader is None:
                    reader = client.reader(conversation, sent.data["reply_id"])
                    fields = known | {"reply": reader.reply, "message": sent.data["message_id"], "reader": reader.name}
                    client.record("ask", begin, ClientResponse(200), **fields)
                client.take(reader, sent)
                if reader.end or (leaves is not None and leaves(sent)):
                    break
    except (*ERRORS, KeyError, TypeError):  # TypeError: a frame that is no text, as of a connection that was closed
        pass
    if reader is None:
        client.record("ask", begin, answer, **known)
        return answer, None
    return ClientResponse(200), reader


async def _events(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[ServerEvent | ClientResponse]:
    """The events of the answer, up to its end; a refusal as the response that HTTP would have given. Raises as ``receive_json``."""
    while True:
        frame: dict[str, Any] = await socket.receive_json(timeout=SILENCE_S_MAX)
        if frame["type"] == "event":
            yield ServerEvent(frame["event_id"], frame["event"], frame["data"])
        elif frame["type"] == "problem":
            yield ClientResponse(int(frame["problem"]["status"]), frame["problem"])
        elif frame["type"] == "closed":
            return
