"""The budget of the installation: of all tenants and all purposes together, told before it is spent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.redis.client import RedisClient, connect
from domain.usage.budget import Budget, BudgetState
from domain.usage.counters import usage_changes, usage_counter
from schemas.chats import Consumption, UsageRecorded
from schemas.errors import Refused
from schemas.settings import BudgetSettings, RedisSettings, Settings
from streams.tables.counters import Counter

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


class SetClock:
    def __init__(self, at: datetime) -> None:
        self._at, self._passed_s = at, 0.0

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self._passed_s)

    def monotonic_s(self) -> float:
        return self._passed_s

    def advance(self, seconds: float) -> None:
        self._passed_s += seconds


def spend(counter: Counter, number: int, tenant: str, **data: Any) -> Any:
    spent = {"user_id": "u", "conversation_id": "c", "reply_id": "r", "model": "m", "prompt_tokens": 30, "completion_tokens": 10}
    event = UsageRecorded(
        id=f"e{number}", source="/", subject="u", time=NOON, tenant=tenant, traceparent="", data=Consumption(**{**spent, **data})
    )
    return counter.apply(number % 2, number // 2, event.id, usage_changes(event))


@pytest.mark.stack
async def test_all_tenants_and_helper_calls_count_until_the_period_ends(redis: RedisClient, prefix: str) -> None:
    counter, clock, seen = usage_counter(redis, prefix, partitions=2), SetClock(NOON), list[tuple[str, int, bool]]()

    def observe(state: BudgetState, warns: bool) -> None:
        seen.append((state.name, state.percent, warns))

    budget = Budget(BudgetSettings(tokens_per_day=100, cost_per_month=0.01), counter, clock, observe)
    await spend(counter, 0, "a", cost_micros=8_500)
    await budget.check()
    assert set(seen) == {("tokens_per_day", 40, False), ("cost_per_month", 85, True)}
    for number, (tenant, purpose) in enumerate((("b", "title"), ("b", "condense")), 1):
        await spend(counter, number, tenant, purpose=purpose, prompt_tokens=20)
    await budget.check()  # as it was read within the second
    clock.advance(1)
    with pytest.raises(Refused, match="tokens_per_day of this installation is spent \\(100 of 100 tokens\\)") as refused:
        await budget.check()
    problem = refused.value.problem()
    assert (problem.code, problem.status, problem.rule) == ("budget_spent", 503, "budget_tokens_per_day")
    assert 12 * 3_600 - 2 <= problem.retry_after_s <= 12 * 3_600
    await spend(counter, 3, "c", cost_micros=1_500, prompt_tokens=0, completion_tokens=0, purpose="digest")
    clock.advance(12 * 3_600)
    with pytest.raises(Refused, match=r"cost_per_month .*0\.01 of 0\.01"):
        await Budget(BudgetSettings(cost_per_month=0.01), counter, SetClock(NOON)).check()
    await Budget(BudgetSettings(tokens_per_day=100), counter, clock).check()


async def test_without_redis_only_what_was_spent_stays_spent() -> None:
    client = connect(RedisSettings(url="redis://127.0.0.1:1", timeout_s=0.2))
    try:
        budget = Budget(BudgetSettings(tokens_per_day=10), usage_counter(client, "x", partitions=1), SetClock(NOON))
        await budget.check()
        budget._states = (BudgetState("tokens", "day", 10, 10, NOON + timedelta(hours=12)),)
        with pytest.raises(Refused):
            await budget.check()
        assert not Budget(BudgetSettings(), usage_counter(client, "x", partitions=1), SetClock(NOON)).is_set
    finally:
        await client.aclose()


def test_money_is_in_the_currency_of_the_prices() -> None:
    settings = Settings.from_env({"CLAW_BUDGET_COST_PER_DAY": "2.5", "CLAW_BUDGET_TOKENS_PER_MONTH": "7"}).budget
    assert settings.limits() == {("tokens", "month"): 7, ("cost_micros", "day"): 2_500_000}
