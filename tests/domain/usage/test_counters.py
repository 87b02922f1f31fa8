"""Usage: one event, every owner and every scale, told apart by model."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.redis.client import RedisClient
from domain.usage.counters import (
    SCALES,
    UsageTotals,
    api_key_key,
    split_by_model,
    sum_models,
    tenant_key,
    usage_changes,
    usage_counter,
    user_key,
)
from schemas.chats import Consumption, UsageRecorded
from streams.tables.windows import Months

pytestmark = pytest.mark.stack
NOW = datetime.now(UTC)


def recorded(number: int = 0, at: datetime = NOW, tenant: str = "t", **data: Any) -> UsageRecorded:
    spent = {"user_id": "u", "conversation_id": "c", "reply_id": "r", "model": "m", "prompt_tokens": 3, "completion_tokens": 4}
    consumption = Consumption(**{**spent, **data})
    return UsageRecorded(id=f"e{number}", source="/claw/test", subject="u", time=at, tenant=tenant, traceparent="", data=consumption)


async def test_owners_scales_and_models(redis: RedisClient, prefix: str) -> None:
    """The user, the key and the tenant count the same event; another tenant's user of the same id is another user."""
    counter = usage_counter(redis, prefix, partitions=2)
    events = [
        (0, recorded(0, api_key_id="k", cost_micros=7)),
        (1, recorded(1, user_id="v", model="gpt:large", prompt_tokens=10)),
        (0, recorded(2, purpose="condense", prompt_tokens=5, completion_tokens=0)),
        (0, recorded(3, cached=True, prompt_tokens=90, cost_micros=0)),
    ]
    offsets = [0, 0]
    for partition, event in events:
        await counter.apply(partition, offsets[partition], event.id, usage_changes(event))
        offsets[partition] += 1
    mine = UsageTotals(messages=2, cached=1, prompt_tokens=8, completion_tokens=4, cost_micros=7)
    for scale in SCALES:
        assert split_by_model(await counter.current(user_key("t", "u"), NOW, scale=scale.name)) == {"m": mine}
        assert split_by_model(await counter.current(user_key("t", "u"), NOW, scale=scale.name, partitions=(0,))) == {"m": mine}
    assert sum_models(split_by_model(await counter.current(api_key_key("t", "k"), NOW, scale="day"))).tokens == 7
    everybody = split_by_model(await counter.current(tenant_key("t"), NOW, scale="month"))
    assert everybody == {"m": mine, "gpt:large": UsageTotals(messages=1, prompt_tokens=10, completion_tokens=4)}
    assert sum_models(everybody).messages == 3
    assert await counter.current(user_key("other", "u"), NOW, scale="day") == {}


async def test_a_bucket_lives_no_longer_than_its_events(redis: RedisClient, prefix: str) -> None:
    """Ninety days from its beginning at the most: what is shown can be counted again."""
    counter = usage_counter(redis, prefix, partitions=1)
    await counter.apply(0, 0, "e", usage_changes(recorded()))
    for scale in SCALES:
        bucket = scale.bucket(NOW)
        left_s = await redis.ttl(counter.shard_key(0, counter.value_part(user_key("t", "u"), bucket, scale.name)))
        assert abs(scale.expiry(bucket) - time.time() - left_s) < 10
        assert scale.expiry(bucket) <= bucket + 90 * 86_400


def test_a_reply_that_ended_before_a_model_was_asked_is_no_answer() -> None:
    """It is recorded for the statistics; one with a reservation counts, as ever."""
    unpaid: dict[str, Any] = {"prompt_tokens": 0, "completion_tokens": 0, "ended": "cancelled"}
    assert not usage_changes(recorded(**unpaid))
    assert usage_changes(recorded(**unpaid, reserved=True))[0].fields == {"messages:m": 1}


def test_an_event_that_adds_nothing_changes_nothing() -> None:
    assert usage_changes(recorded(purpose="title", cached=True)) == ()


@pytest.mark.parametrize("first", [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC)])
def test_months_follow_the_calendar(first: datetime) -> None:
    """Every moment of a month is in its bucket, and its end is the next one's beginning, leap years and December included."""
    months, start = Months(), int(first.timestamp())
    following = datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)
    assert months.end(start) == int(following.timestamp())
    assert months.bucket(following - timedelta(microseconds=1)) == months.bucket(first) == start
    assert months.bucket(following) == months.end(start)
    assert [datetime.fromtimestamp(each, UTC) for each in SCALES[3].buckets_between(first, following + timedelta(days=1))] == [
        first,
        following,
    ]
