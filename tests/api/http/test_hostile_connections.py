"""Every hostile pattern for a few seconds against a whole process, while somebody uses it; ``make chaos-http`` is the long form."""

import asyncio
import socket

import aiohttp
import msgspec
import pytest

from benchmarks.hostile_connections import PATTERNS, SOCKET, attack
from ops.processes import websockets
from schemas.settings import Settings
from tests.support.api_process import House, Person, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")
ATTACK_S = 3.0
PLACES_MAX = 12


async def test_a_user_is_served_while_every_pattern_runs(api_settings: Settings):
    """Against bounds that the silent connections alone fill; afterwards nothing of them is left."""
    small = msgspec.structs.replace(
        api_settings,
        http=msgspec.structs.replace(api_settings.http, connections_max=90),
        limits=msgspec.structs.replace(api_settings.limits, streams_max=40),
        socket=msgspec.structs.replace(api_settings.socket, sockets_max=20),
    )
    async with opened(small) as house:
        ada = await house.person()
        port = house.client.base_url.port
        assert port is not None
        attacking = asyncio.create_task(attack(port, ATTACK_S, places_max=PLACES_MAX))
        statuses = [await _ask(house, ada) async for _ in _until(attacking)]
        attempts = await attacking
        assert set(statuses) == {201}, statuses
        assert not {each.name for each in PATTERNS} - set(attempts)
        async with asyncio.timeout(10):
            while len(house.server.server_state.connections) > 1:  # the client's own
                await asyncio.sleep(0.05)


async def _until(task: "asyncio.Task[object]"):
    while not task.done():
        yield
        await asyncio.sleep(0.1)


async def _ask(house: House, ada: Person) -> int:
    """The status of a request on a connection of its own."""
    connector = aiohttp.TCPConnector(local_addr=("127.0.1.1", 0), force_close=True)
    async with (
        aiohttp.ClientSession(str(house.client.base_url), connector=connector) as session,
        session.post("/api/v1/conversations", json={}, headers=ada.headers) as answer,
    ):
        return answer.status


async def test_pongs_that_nobody_reads_are_bounded(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(websockets, "UNREAD_BYTES_MAX", 65_536)
    raw = socket.socket()
    raw.setblocking(False)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", house.client.base_url.port))
    pings = (b"\x89\xfd" + bytes(4) + b"p" * 125) * 1_000
    with raw:
        await loop.sock_sendall(raw, SOCKET)
        with pytest.raises(ConnectionError):
            await _flood(raw, pings)


async def _flood(raw: socket.socket, data: bytes) -> None:
    async with asyncio.timeout(10):
        while True:
            await asyncio.get_running_loop().sock_sendall(raw, data)
