"""A reader that does not read: little is held for it, nobody else waits for it, and it gets everything once it reads."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from api.chats import ports as chat_ports
from api.chats.ports import ChatPorts
from domain.chats.relay import Relay
from domain.chats.relay.cursor import BYTES_MAX
from tests.support.api_process import House, Person, Sent, collected, events, opened, with_limits
from tests.support.reply_speaker import Speaker
from tests.support.sockets import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")
DELTAS, DELTA_BYTES = 192, 65_536  # 12 MiB: more than kernels hold of a connection
WINDOW_BYTES = 262_144
BUFFER_BYTES_MAX = 65_536 + 2 * DELTA_BYTES  # what uvicorn lets lie in a connection, and the frame that went over it


@pytest_asyncio.fixture(loop_scope="session")
async def narrow(api_settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A process that remembers little of the log."""
    monkeypatch.setattr(chat_ports, "Relay", partial(Relay, window_bytes_max=WINDOW_BYTES))
    async with opened(with_limits(api_settings, enabled=False)) as house:
        yield house


def _small(address: Any) -> socket.socket:
    """A connection whose kernel takes little in advance."""
    made = socket.socket(address[0], address[1], address[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    return made


@asynccontextmanager
async def connection(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(str(house.client.base_url), connector=aiohttp.TCPConnector(socket_factory=_small)) as session:
        yield session


async def spoken(house: House, person: Person, conversation: str, reply: str) -> None:
    """The long answer, while nobody need be reading."""
    speaker = Speaker(house, person, conversation, reply)
    await speaker.started()
    for seq in range(1, DELTAS + 1):
        await speaker.extended(seq, f"{seq:06d}" + "x" * (DELTA_BYTES - 6))
    await speaker.completed("25")


async def read_whole(house: House, person: Person, path: str) -> list[Sent]:
    async with house.client.stream("GET", path, headers=person.headers) as answer:
        return await collected(answer)


def held(house: House) -> tuple[int, int]:
    """Most bytes that lie in one connection, and that one cursor holds."""
    transports = [connection.transport for connection in house.server.server_state.connections]
    return (
        max(transport.get_write_buffer_size() for transport in transports),
        max((cursor._bytes for cursor in house.ports(ChatPorts).relay._cursors), default=0),
    )


def check_stalled(house: House) -> None:
    in_connection, in_cursor = held(house)
    assert 0 < in_connection <= BUFFER_BYTES_MAX
    assert in_cursor <= BYTES_MAX + DELTA_BYTES
    (cursor,) = house.ports(ChatPorts).relay._cursors
    window = house.ports(ChatPorts).relay.window(cursor.partition)
    assert window is not None
    assert cursor.next < window.start  # it has fallen out of memory: the log is its buffer
    assert window._bytes <= WINDOW_BYTES + 2 * DELTA_BYTES


async def test_an_event_stream_nobody_reads(narrow: House):
    ada = await narrow.person()
    conversation = await ada.conversation()
    reply = (await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "Days?"})).json()["reply_id"]
    path = f"/api/v1/conversations/{conversation}/replies/{reply}/stream"
    async with connection(narrow) as session, session.get(path, headers=ada.headers) as slow:
        fast = asyncio.create_task(read_whole(narrow, ada, path))
        await spoken(narrow, ada, conversation, reply)
        whole = await fast
        assert [each.event for each in whole] == ["retrieved", *["delta"] * DELTAS, "completed"]
        check_stalled(narrow)
        late = [sent async for sent in events(_Lines(slow))]  # type: ignore[arg-type]  # it has lines, as httpx's answers do
        assert late == whole


async def test_a_websocket_nobody_reads(narrow: House):
    """All its streams wait; other people's do not."""
    ada = await narrow.person()
    conversation = await ada.conversation()
    async with connection(narrow) as session, session.ws_connect("/api/v1/ws", headers=ada.headers, max_msg_size=0) as connected:
        wire = Wire(connected)
        frame = await wire.send("ask", conversation_id=conversation, body={"content": "Days?"})
        assert (await wire.next(frame))["type"] == "opened"
        reply = (await wire.next(frame))["data"]["reply_id"]
        path = f"/api/v1/conversations/{conversation}/replies/{reply}/stream"
        fast = asyncio.create_task(read_whole(narrow, ada, path))
        await spoken(narrow, ada, conversation, reply)
        whole = await fast
        check_stalled(narrow)
        bob = await narrow.person()
        other = await bob.conversation()
        asked = (await bob.call("POST", f"/conversations/{other}/messages", json={"content": "Days?"})).json()
        await Speaker(narrow, bob, other, asked["reply_id"]).answer("30")
        assert [each.event for each in await read_whole(narrow, bob, asked["stream"])] == ["retrieved", "delta", "completed"]
        late = await wire.stream(frame)
        assert [(each["event_id"], each["event"], each["data"]) for each in late] == [(e.id, e.event, e.data) for e in whole]


class _Lines:
    """aiohttp's answer, read line by line as httpx's are; its own lines have a bound."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def aiter_lines(self) -> AsyncIterator[str]:
        rest = b""
        async for part in self._answer.content.iter_any():
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                yield line.decode()
