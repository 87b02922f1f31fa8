"""The installation's budget: what all accounts may spend on models in a day and a month, against the usage counters.

The counters have what has ended, so a budget is exceeded by the answers in progress when it is spent, and by no more. Each process reads
them at most once a second. With Redis down a budget that was spent stays spent until its period ends; otherwise nothing is refused.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from domain.usage.counters import UsageTotals, installation_key, split_by_model, sum_models
from schemas.errors import Refused, Unavailable
from schemas.settings.budget import MICROS, BudgetSettings
from schemas.settings.quotas import Period
from streams.clock import Clock
from streams.tables.counters import Counter

FRESH_S = 1.0

log = structlog.get_logger(__name__)


class BudgetState(NamedTuple):
    """One budget: ``measure`` is ``tokens`` or ``cost_micros`` (millionths of the currency)."""

    measure: str
    period: Period
    limit: int
    used: int
    resets_at: datetime

    @property
    def name(self) -> str:
        """As in the settings, such as ``cost_per_month``."""
        return f"{self.measure.removesuffix('_micros')}_per_{self.period}"

    @property
    def percent(self) -> int:
        """What is used of it, at most 100."""
        return min(100, 100 * self.used // self.limit)


class Budget:
    """``observe`` is called with every state that is read, and whether it has reached the warning."""

    def __init__(
        self,
        settings: BudgetSettings,
        usage: Counter,
        clock: Clock,
        observe: Callable[[BudgetState, bool], None] = lambda _state, _warns: None,
    ) -> None:
        self._settings, self._usage, self._clock, self._observe = settings, usage, clock, observe
        self._limits = settings.limits()
        self._states: tuple[BudgetState, ...] = ()
        self._read_s: float | None = None
        self._warned: set[tuple[str, datetime]] = set()

    @property
    def is_set(self) -> bool:
        """Whether there is any budget."""
        return bool(self._limits)

    async def check(self) -> None:
        """Refused("budget_spent") with the seconds until the last spent budget resets."""
        try:
            states = await self.states()
        except Unavailable:
            states = self._states
        now = self._clock.now()
        spent = [state for state in states if state.used >= state.limit and state.resets_at > now]
        if not spent:
            return
        last = max(spent, key=lambda state: state.resets_at)
        wait_s = max(1, int((last.resets_at - now).total_seconds()) + 1)
        detail = f"the budget {last.name} of this installation is spent ({_amount(last)}); it resets at {last.resets_at:%Y-%m-%dT%H:%MZ}"
        raise Refused("budget_spent", detail, retry_after_s=wait_s, rule=f"budget_{last.name}")

    async def states(self) -> tuple[BudgetState, ...]:
        """Every budget that is set, at most a second old. Raises Unavailable."""
        now_s = self._clock.monotonic_s()
        if self._limits and (self._read_s is None or now_s - self._read_s >= FRESH_S):
            now = self._clock.now()
            spent = {period: await self._read(period, now) for period in {period for _, period in self._limits}}
            self._states = tuple(
                BudgetState(measure, period, limit, getattr(spent[period], measure), self._reset(period, now))
                for (measure, period), limit in self._limits.items()
            )
            self._read_s = now_s
            self._report()
        return self._states

    async def _read(self, period: Period, now: datetime) -> UsageTotals:
        return sum_models(split_by_model(await self._usage.current(installation_key(), now, scale=period)))

    def _reset(self, period: Period, now: datetime) -> datetime:
        window = self._usage.scales[period].window
        assert window is not None
        return datetime.fromtimestamp(window.end(window.bucket(now)), UTC)

    def _report(self) -> None:
        for state in self._states:
            warns = 100 * state.used >= self._settings.warning_percent * state.limit
            self._observe(state, warns)
            if warns and (state.name, state.resets_at) not in self._warned:
                self._warned = {each for each in self._warned if each[1] > self._clock.now()} | {(state.name, state.resets_at)}
                log.warning(
                    "budget_nearly_spent", budget=state.name, used=state.used, limit=state.limit, resets_at=state.resets_at.isoformat()
                )


def _amount(state: BudgetState) -> str:
    unit = MICROS if state.measure == "cost_micros" else 1
    return f"{state.used / unit:g} of {state.limit / unit:g}" if unit > 1 else f"{state.used} of {state.limit} tokens"
