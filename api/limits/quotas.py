"""Quotas: a question beyond one is refused before anything is written.

They are compared with the usage counters, which count answers once they have ended: an account can exceed a quota by the answers in
progress, and by no more. While Redis is down quotas are not enforced.
"""

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime

from api.http.identity import Caller
from api.http.metrics import Metrics
from domain.usage.budget import Budget
from domain.usage.counters import UsageTotals, split_by_model, sum_models, user_key
from domain.widgets.limits import WidgetLimits, share_refusal
from schemas.bodies.usage import QuotaView
from schemas.errors import Refused, Unavailable
from schemas.settings.quotas import Measure, Period, QuotaSettings
from streams.clock import Clock
from streams.live import Live
from streams.log.partitions import partition_of
from streams.tables.counters import Counter


class Quotas:
    """The quotas of every tier, and what accounts have used of them; and the budget of all."""

    def __init__(
        self,
        settings: Live[QuotaSettings],
        usage: Counter,
        clock: Clock,
        metrics: Metrics,
        budget: Budget,
        observe: Callable[[Caller, QuotaView], None] = lambda _caller, _quota: None,
    ) -> None:
        """``observe`` is called with what is read before a question."""
        self._settings, self._usage, self._clock, self._metrics, self._budget = settings, usage, clock, metrics, budget
        self._observe = observe

    async def check(self, caller: Caller, visitors: WidgetLimits | None = None) -> None:
        """Refused("quota_exceeded" or "budget_spent") with the seconds until the reset; costs no round trip where neither is set. Of
        ``visitors`` of a widget Refused("widget_share_used") once the account has used their share of a quota, by whatever.
        """
        await self.check_budget()
        try:
            quotas = await self.views(caller)
        except Unavailable:
            self._metrics.fallbacks.labels("quotas").inc()
            return
        for quota in quotas:
            self._observe(caller, quota)
        share = 1.0 if visitors is None else visitors.account_share
        exceeded = [quota for quota in quotas if quota.used >= quota.limit * share]
        if exceeded:
            last = max(exceeded, key=lambda quota: quota.resets_at)
            rule = f"{last.measure}_per_{last.period}"
            self._metrics.refusals.labels(rule).inc()
            detail = (
                f"{last.used} of {last.limit} {last.measure} of this {last.period} are used; it resets at {last.resets_at:%Y-%m-%dT%H:%MZ}"
            )
            wait_s = max(1, math.ceil((last.resets_at - self._clock.now()).total_seconds()))
            if visitors is not None:
                raise share_refusal(visitors, rule, wait_s)
            raise Refused("quota_exceeded", detail, retry_after_s=wait_s, rule=rule)

    async def check_budget(self) -> None:
        """Refused("budget_spent") when what all accounts may spend is spent."""
        try:
            await self._budget.check()
        except Refused as refusal:
            self._metrics.refusals.labels(refusal.rule).inc()
            raise

    async def views(self, caller: Caller) -> tuple[QuotaView, ...]:
        """What the caller has used of each quota of their tier. Raises Unavailable."""
        limits = self._settings.of_tenant(caller.tenant).of(caller.tier)
        now, periods = self._clock.now(), sorted({period for _, period in limits})
        sums = await asyncio.gather(*(self._read_usage(caller, period, now) for period in periods))
        spent = dict(zip(periods, sums, strict=True))
        return tuple(self._view(what, period, limit, spent[period], now) for (what, period), limit in limits.items())

    async def _read_usage(self, caller: Caller, period: Period, now: datetime) -> UsageTotals:
        key, partitions = user_key(caller.tenant, caller.account_id), own_partition(self._usage, caller.account_id)
        return sum_models(split_by_model(await self._usage.current(key, now, scale=period, partitions=partitions)))

    def _view(self, what: Measure, period: Period, limit: int, spent: UsageTotals, now: datetime) -> QuotaView:
        used = spent.messages if what == "messages" else spent.tokens
        window = self._usage.scales[period].window
        assert window is not None
        resets_at = datetime.fromtimestamp(window.end(window.bucket(now)), UTC)
        return QuotaView(measure=what, period=period, limit=limit, used=used, left=max(0, limit - used), resets_at=resets_at)


def own_partition(counter: Counter, account_id: str) -> tuple[int]:
    """The partition that counts everything an account and its keys spend."""
    return (partition_of(account_id, counter.partitions),)
