"""A client of the WebSocket that knows only the protocol."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.support.api_process import House, Person

ANSWER_S_MAX = 10.0


class Wire:
    """One connection; frames that were read while looking for others are kept."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.kept: list[dict[str, Any]] = []
        self._number = 0

    async def send(self, kind: str, frame_id: str = "", **fields: Any) -> str:
        """Send a frame; its id."""
        self._number += 1
        frame_id = frame_id or f"f{self._number}"
        await self.socket.send_str(json.dumps({"id": frame_id, "type": kind, **fields}))
        return frame_id

    async def next(self, frame_id: str | None = None) -> dict[str, Any]:
        """The next frame, or the next about that one; no heartbeats."""
        for index, frame in enumerate(self.kept):
            if frame_id is None or frame["id"] == frame_id:
                return self.kept.pop(index)
        while True:
            async with asyncio.timeout(ANSWER_S_MAX):
                message = await self.socket.receive()
            assert message.type is aiohttp.WSMsgType.TEXT, message
            frame = dict(json.loads(message.data))
            if frame["type"] == "heartbeat":
                continue
            if frame_id is None or frame["id"] == frame_id:
                return frame
            self.kept.append(frame)

    async def answer(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a frame and read the first answer to it."""
        return await self.next(await self.send(kind, **fields))

    async def problem(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The same for one that must be refused."""
        answer = await self.answer(kind, **fields)
        assert answer["type"] == "problem", answer
        return dict(answer["problem"])

    async def stream(self, frame_id: str) -> list[dict[str, Any]]:
        """The events of a stream that was opened, to its end."""
        events = []
        while (frame := await self.next(frame_id))["type"] != "closed":
            if frame["type"] == "event":
                events.append(frame)
            else:
                assert frame["type"] == "opened", frame
        return events

    async def closed(self) -> int:
        """The close code, whatever comes before."""
        while True:
            async with asyncio.timeout(ANSWER_S_MAX):
                message = await self.socket.receive()
            if message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}:
                assert self.socket.close_code is not None
                return self.socket.close_code
            self.kept.append(dict(json.loads(message.data)))


@asynccontextmanager
async def connected(house: House, person: Person | None = None, **options: Any) -> AsyncIterator[Wire]:
    """A connection, of ``person`` when one is given."""
    url = str(house.client.base_url.join("/api/v1/ws"))
    async with aiohttp.ClientSession() as session, session.ws_connect(url, **options) as socket:
        wire = Wire(socket)
        if person is not None:
            assert (await wire.answer("authenticate", token=person.token))["type"] == "authenticated"
        yield wire
