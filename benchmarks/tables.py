"""Cost of a table's update: a record and a count, against an empty script with as many keys and arguments through the same client."""

from datetime import UTC, datetime

from adapters.redis.client import RedisClient, Script, connect
from benchmarks.figures import Figure, median
from benchmarks.rates import own_redis, rate
from domain.usage.counters import usage_changes, usage_counter
from schemas.chats import Consumption, UsageRecorded
from schemas.records import KnowledgeBase
from streams.tables.record_table import Put, RecordTable, order_of

UPDATES, ROUNDS = 8_000, 5
SCOPES = 200
NOTHING = Script("return 1")
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


async def run() -> list[Figure]:
    """A Redis of its own; rounds of all four in turn."""
    async with own_redis() as settings:
        redis = connect(settings)
        rounds = [await _round(redis, number) for number in range(ROUNDS)]
        await redis.aclose()
    record, record_empty, count, count_empty = (median([one[column] for one in rounds]) for column in range(4))
    return [
        Figure("record_updates_per_second", round(record), "updates/s", round(record / record_empty, 2), "an empty script", ">= 0.7x"),
        Figure("counter_updates_per_second", round(count), "updates/s", round(count / count_empty, 2), "an empty script", ">= 0.7x"),
    ]


async def _round(redis: RedisClient, number: int) -> tuple[float, float, float, float]:
    table = RecordTable(redis, "claw", f"records{number}", KnowledgeBase)
    counter = usage_counter(redis, f"claw{number}", 4)
    base = KnowledgeBase(id="kb", tenant="t", user_id="u", name="n" * 40, created_at=NOW, updated_at=NOW)

    async def record(n: int) -> object:
        return await table.put_many([Put(f"t{n % SCOPES}", f"kb{n}", base, order_of(n), float(n))])

    async def count(n: int) -> object:
        return await counter.apply(n % 4, n // 4, f"event-{n}", usage_changes(_usage_event(n)))

    async def empty_record(n: int) -> object:
        return await NOTHING(redis, [f"claw:{{records:t{n % SCOPES}}}:{part}" for part in "abcd"], ["x" * 40] * 8)

    changes = usage_changes(_usage_event(0))
    keys, arguments = 2 + len(changes), 5 + sum(2 + 2 * len(change.fields) for change in changes)

    async def empty_count(n: int) -> object:
        return await NOTHING(redis, [f"claw:{{usage:{n % 4}}}:{part}" for part in range(keys)], ["x" * 12] * arguments)

    return await rate(record, UPDATES), await rate(empty_record, UPDATES), await rate(count, UPDATES), await rate(empty_count, UPDATES)


def _usage_event(n: int) -> UsageRecorded:
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
