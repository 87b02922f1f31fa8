"""What a table's update costs: a record and a count, against an empty script with as many keys and arguments through the same client."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from os import environ
from pathlib import Path

from adapters.redis import Client, Script, connect
from benchmarks.figures import Figure, median
from ops.stack import redis as embedded
from ops.stack.child import Child
from ops.stack.ports import claim
from schemas.chats import Consumption, UsageRecorded
from schemas.records import KnowledgeBase
from schemas.settings import Redis as RedisSettings
from streams.tables import Put, RecordTable, order_of
from streams.usage import usage_changes, usage_counter

CALLERS, UPDATES, ROUNDS = 64, 8_000, 5
SCOPES = 200
NOTHING = Script("return 1")
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)

Call = Callable[[int], Awaitable[object]]


async def run() -> list[Figure]:
    """A Redis of its own; rounds of all four in turn."""
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        node = embedded.RedisNode(Path(home) / "redis", Path(home) / "redis.log", claim("redis", 0, set()))
        child = Child(embedded.prepare(node, environ))
        try:
            await child.ready()
            redis = connect(RedisSettings(url=node.url))
            rounds = [await _round(redis, number) for number in range(ROUNDS)]
            await redis.aclose()
        finally:
            await child.stop()
    record, record_empty, count, count_empty = (median([one[column] for one in rounds]) for column in range(4))
    return [
        Figure("record_updates_per_second", round(record), "updates/s", round(record / record_empty, 2), "an empty script", ">= 0.7x"),
        Figure("counter_updates_per_second", round(count), "updates/s", round(count / count_empty, 2), "an empty script", ">= 0.7x"),
    ]


async def _round(redis: Client, number: int) -> tuple[float, float, float, float]:
    table = RecordTable(redis, "claw", f"records{number}", KnowledgeBase)
    counter = usage_counter(redis, f"claw{number}", 4)
    base = KnowledgeBase(id="kb", tenant="t", user_id="u", name="n" * 40, created_at=NOW, updated_at=NOW)

    async def record(n: int) -> object:
        return await table.put_many([Put(f"t{n % SCOPES}", f"kb{n}", base, order_of(n), float(n))])

    async def count(n: int) -> object:
        return await counter.apply(n % 4, n // 4, f"event-{n}", usage_changes(_spent(n)))

    async def empty_record(n: int) -> object:
        return await NOTHING(redis, [f"claw:{{records:t{n % SCOPES}}}:{part}" for part in "abcd"], ["x" * 40] * 8)

    changes = usage_changes(_spent(0))
    keys, arguments = 2 + len(changes), 5 + sum(2 + 2 * len(change.fields) for change in changes)

    async def empty_count(n: int) -> object:
        return await NOTHING(redis, [f"claw:{{usage:{n % 4}}}:{part}" for part in range(keys)], ["x" * 12] * arguments)

    return await _rate(record), await _rate(empty_record), await _rate(count), await _rate(empty_count)


def _spent(n: int) -> UsageRecorded:
    data = Consumption(
        user_id=f"u{n % SCOPES}",
        conversation_id="c",
        reply_id=f"r{n}",
        model="m",
        prompt_tokens=100,
        completion_tokens=20,
        provider="openai",
        cost_micros=7,
    )
    return UsageRecorded(id=f"event-{n}", source="/claw/generate", subject=data.user_id, time=NOW, tenant="t", traceparent="", data=data)


async def _rate(call: Call) -> float:
    """Calls a second from 64 callers; in order per partition, as a lane makes them, is what the counter asks for."""
    numbers = iter(range(UPDATES))

    async def caller() -> None:
        for n in numbers:
            await call(n)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())
    return UPDATES / (time.perf_counter() - began)
