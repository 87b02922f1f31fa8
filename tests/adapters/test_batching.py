"""Batches: which calls share one."""

import asyncio

from adapters.batching import Batcher
from adapters.fairness import TENANT


async def test_a_batch_has_items_of_one_tenant():
    """The others keep their order; every item is served."""
    seen: list[list[str]] = []

    async def work(items: list[str]) -> list[str]:
        seen.append(items)
        await asyncio.sleep(0)
        return items

    batcher: Batcher[str, str] = Batcher(work, items_max=3, waiting_max=100, code="overloaded", one_tenant=True)

    async def ask(item: str) -> str:
        TENANT.set(item[0])
        return await batcher(item)

    items = ["a1", "b1", "a2", "b2", "a3", "c1", "a4", "b3"]
    assert await asyncio.gather(*(asyncio.create_task(ask(item)) for item in items)) == items
    assert seen == [["a1", "a2", "a3"], ["b1", "b2", "b3"], ["c1"], ["a4"]]
