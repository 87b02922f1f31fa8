"""Tenants take turns on the real stack: what one has queued delays another by what is in work, not by all of it."""

import asyncio
import time
import uuid

import aiohttp

from claw_client import Client

FILES = 12
ROWS = 1_500  # of the table in each file: some tenths of a second of the one parser of a queue


async def test_a_tenants_backlog_of_files_delays_another_tenants_file_by_what_is_in_work(client: Client, session: aiohttp.ClientSession):
    """All of them share a queue, its partitions and its one parser."""
    light = await Client.register(session, f"{uuid.uuid4().hex}@example.org", "a long test passphrase")
    page = "<table>" + "".join(f"<tr><td>{n}</td><td>row {n} of a long table</td></tr>" for n in range(ROWS)) + "</table>"
    await asyncio.gather(*(client.submit(f"heavy-{n}", page, media_type="text/html") for n in range(FILES)))
    await client.wait_indexed("heavy-0", timeout_s=60)
    before = await _indexed(client)
    await light.submit("light", "<p>The lamp was lit in 1875.</p>", media_type="text/html")
    began = time.monotonic()
    await light.wait_indexed("light", timeout_s=60)
    took_s = time.monotonic() - began
    meanwhile = await _indexed(client) - before
    for n in range(FILES):
        await client.wait_indexed(f"heavy-{n}", timeout_s=120)
    assert meanwhile <= FILES // 4, f"{meanwhile} of {FILES} files went before one document ({took_s:.1f} s)"


async def _indexed(client: Client) -> int:
    states = await asyncio.gather(*(client.document(f"heavy-{n}") for n in range(FILES)))
    return sum(state.get("state") == "indexed" for state in states)
