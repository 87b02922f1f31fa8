"""Cached searches on the whole stack: what changed or went is not found any more from its acknowledgement on, whoever asks."""

import asyncio
import re

from claw_client import Client

CLIENTS = 20
VERSIONS = 3


async def test_twenty_clients_never_find_what_was_replaced_or_deleted(client: Client):
    """A price that changes and then goes, asked for all the time."""
    acknowledged, gone, over, looks = 0, False, False, 0

    async def searching() -> None:
        nonlocal looks
        while not over:
            known, was_gone = acknowledged, gone
            path = f"/api/v1/knowledge/{client.knowledge_base}/search"
            async with client.session.post(path, json={"query": "What does the crossing cost?"}, headers=client.headers) as answer:
                assert answer.status == 200, await answer.text()
                passages = (await answer.json())["passages"]
            for passage in passages:
                said = re.search(r"number (\d+)", passage["text"])
                assert said is not None
                assert int(said[1]) >= known
                assert not was_gone
            looks += 1

    async def looked() -> None:
        until = looks + 2 * CLIENTS
        while looks < until:
            await asyncio.sleep(0.01)

    async def submit(version: int) -> None:
        accepted = await client.submit("price", f"The crossing costs number {version} euros.")
        await client.wait_indexed("price", version=accepted["version"])

    await submit(0)
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(searching())
        for version in range(1, VERSIONS + 1):
            await submit(version)
            acknowledged = version
            await looked()
        async with client.session.delete(f"{client.documents}/price", headers=client.headers) as answer:
            assert answer.status == 204
        gone = True
        await looked()
        over = True
