"""Questions of a day: never more than allowed, whoever asks at once, and again after midnight UTC."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from adapters.redis.client import RedisClient
from domain.widgets.budget import QuestionBudget, seconds_to_reset

LATE = datetime(2026, 11, 30, 23, 59, 59, 500_000, tzinfo=UTC)


@pytest.mark.stack
async def test_never_more_than_the_limit_and_again_the_next_day(redis: RedisClient, prefix: str) -> None:
    budget = QuestionBudget(redis, prefix)
    found = await asyncio.gather(*(budget.take("k", 5, LATE) for _ in range(12)))
    assert found.count(True) == 5
    assert await budget.take("other", 5, LATE)
    await budget.give_back("k", LATE)
    assert [await budget.take("k", 5, LATE) for _ in range(2)] == [True, False]
    assert await budget.take("k", 5, LATE + timedelta(seconds=1))
    await budget.give_back("fresh", LATE)
    assert [await budget.take("fresh", 1, LATE) for _ in range(2)] == [True, False], "what was never taken is not given back"
    for key in await redis.execute_command("KEYS", f"{prefix}:widget-questions:*"):
        assert 0 < await redis.execute_command("TTL", key) <= 2 * 86_400


def test_the_wait_ends_at_midnight_utc() -> None:
    east = datetime(2026, 12, 1, 7, 0, tzinfo=UTC).astimezone()
    assert (seconds_to_reset(LATE), seconds_to_reset(east)) == (1, 17 * 3_600)
