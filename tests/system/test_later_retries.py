"""A web page that stays away: its document waits, says why and until when, and is searchable after all, whatever the worker
remembered."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from aiohttp import web

from claw_client import Client
from streams.topics import DEAD_LETTERS
from tests.system.conftest import OwnStack, records

SETTINGS = {"CLAW_LANE_RETRY_S": "1", "CLAW_DOCUMENT_RETRY_DELAY_S": "4", "CLAW_DOCUMENT_FETCH_NETWORKS": "127.0.0.0/8"}


@pytest.mark.timeout(180)
async def test_a_page_that_was_away_is_searchable_after_all(tmp_path: Path, own_stack: OwnStack) -> None:
    there = asyncio.Event()

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="The ferry to Nebel costs 4 euros.", status=200 if there.is_set() else 503)

    site = web.Application()
    site.router.add_get("/ferry.txt", page)
    runner = web.AppRunner(site)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/ferry.txt"
    try:
        async with own_stack(tmp_path / "home", SETTINGS) as (up, session):
            client = await Client.with_token(session, up.key)
            body = {"document_id": "ferry", "title": "Ferry", "url": url}
            async with session.post(f"{client.documents}/url", json=body, headers=client.headers) as answer:
                assert answer.status == 202, await answer.text()
                task = (await answer.json())["task_id"]
            async with asyncio.timeout(60):
                while (waits := await client.document("ferry")).get("retry_at") is None:
                    await asyncio.sleep(0.1)
            assert (waits["state"], waits["problem"]["code"]) == ("queued", "url_unreachable")
            async with session.get(f"/api/v1/tasks/{task}", headers=client.headers) as answer:
                shown = await answer.json()
            assert (shown["state"], shown["retry_at"]) == ("RETRY", waits["retry_at"])
            os.kill(up.process("documents").pid, signal.SIGKILL)
            there.set()
            await client.wait_indexed("ferry")
            assert await records(up, up.settings.get("CLAW_KAFKA_TOPIC_PREFIX", "") + DEAD_LETTERS.name) == []
    finally:
        await runner.cleanup()
