"""Answers that are kept, on two API processes and two chat workers: once a change is acknowledged nobody is told what was before."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from claw_client import Client, events
from tests.system.conftest import OwnStack

CLIENTS, VERSIONS = 20, 8
QUESTION = "What does the crossing cost?"


@pytest.fixture
async def doubled(tmp_path: Path, own_stack: OwnStack) -> AsyncIterator[list[str]]:
    """A stack that keeps every answer, with another API process and another chat worker; the URLs of both APIs."""
    settings = {"CLAW_CACHE_ANSWERS": "all"}
    async with own_stack(tmp_path / "home", settings) as (up, _), up.worker("chat"), up.replica() as other:
        yield [up.url, other]


@dataclass
class Asking:
    """What all clients know of the one document, and what they were told."""

    acknowledged: int = 0
    gone: bool = False
    over: bool = False
    asked: int = 0
    kept: int = 0

    async def in_a_conversation(self, client: Client) -> None:
        while not self.over:
            known, was_gone = self.acknowledged, self.gone
            async with client.ask(await client.create_conversation(), QUESTION) as answer:
                last = [sent async for sent in events(answer.content)][-1]
            assert last.name == "completed", last
            self.judge(last.data["text"], known, was_gone=was_gone, cached=last.data["cached"])

    async def without(self, client: Client) -> None:
        path = f"/api/v1/knowledge/{client.knowledge_base}/query"
        while not self.over:
            known, was_gone = self.acknowledged, self.gone
            async with client.session.post(path, json={"question": QUESTION}, headers=client.headers) as answer:
                assert answer.status == 200, await answer.text()
                told = await answer.json()
            self.judge(told["answer"], known, was_gone=was_gone, cached=told["cached"])

    def judge(self, text: str, known: int, *, was_gone: bool, cached: bool) -> None:
        said = [int(number) for number in re.findall(r"number (\d+)", text)]
        assert all(number >= known for number in said), f"asked after version {known} was acknowledged: {text}"
        assert not (was_gone and said), f"asked after it was deleted: {text}"
        self.asked += 1
        self.kept += cached

    async def everybody_asked(self) -> None:
        until = self.asked + 2 * CLIENTS
        while self.asked < until:
            await asyncio.sleep(0.02)


@pytest.mark.timeout(240)
async def test_twenty_clients_are_never_told_what_was_replaced_or_deleted(doubled: list[str]):
    """Half of them in conversations, half without, on both replicas. All ask the same, so that most answers are kept ones."""
    asking = Asking()
    async with aiohttp.ClientSession(base_url=doubled[0]) as first, aiohttp.ClientSession(base_url=doubled[1]) as second:
        here = await Client.register(first, f"{uuid.uuid4().hex}@example.org", "a long test passphrase")
        clients = (here, Client(second, here.headers, here.knowledge_base))

        async def submit(version: int) -> None:
            accepted = await here.submit("price", f"The crossing costs number {version} euros.")
            await here.wait_indexed("price", version=accepted["version"])

        await submit(0)
        async with asyncio.TaskGroup() as group:
            for n in range(CLIENTS):
                group.create_task((asking.in_a_conversation if n % 4 < 2 else asking.without)(clients[n % 2]))
            for version in range(1, VERSIONS + 1):
                await submit(version)
                asking.acknowledged = version
                await asking.everybody_asked()
            async with first.delete(f"{here.documents}/price", headers=here.headers) as answer:
                assert answer.status == 204
            asking.gone = True
            await asking.everybody_asked()
            asking.over = True
    assert asking.kept > asking.asked // 2, f"only {asking.kept} of {asking.asked} answers were kept ones"
