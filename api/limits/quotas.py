"""Quotas: a question past one is refused before anything is written.

They are held against the usage counters, which know of answers that have ended: a person can pass a quota by what is being answered at that
moment, and by no more. With Redis down nobody can tell, and questions pass.
"""

import asyncio
import math
from datetime import UTC, datetime

from api.http.identity import Caller
from api.ports import Ports
from domain.usage.counters import UsageTotals, split_by_model, sum_models, user_key
from schemas.bodies.usage import QuotaView
from schemas.errors import Refused, Unavailable
from schemas.settings.quotas import Measure, Period
from streams.log.partitions import partition_of
from streams.tables.counters import Counter


async def check_quota(ports: Ports, caller: Caller) -> None:
    """Refused("quota_exceeded") with the wait until the quota starts anew; costs no round trip where no quota is set."""
    try:
        quotas = await quotas_of(ports, caller)
    except Unavailable:
        ports.metrics.fallbacks.labels("quotas").inc()
        return
    reached = [quota for quota in quotas if quota.left == 0]
    if reached:
        last = max(reached, key=lambda quota: quota.resets_at)
        rule = f"{last.measure}_per_{last.period}"
        ports.metrics.refusals.labels(rule).inc()
        detail = (
            f"{last.used} of {last.limit} {last.measure} of this {last.period} are used; it starts anew at {last.resets_at:%Y-%m-%dT%H:%MZ}"
        )
        wait_s = math.ceil((last.resets_at - ports.clock.now()).total_seconds())
        raise Refused("quota_exceeded", detail, retry_after_s=max(1, wait_s), rule=rule)


async def quotas_of(ports: Ports, caller: Caller) -> tuple[QuotaView, ...]:
    """How the caller stands with each quota of their tier; Unavailable when the counters are out of reach."""
    limits = ports.settings.quotas.of(caller.tier)
    now, periods = ports.clock.now(), sorted({period for _, period in limits})
    found = await asyncio.gather(*(_read_usage(ports.usage, caller, period, now) for period in periods))
    spent = dict(zip(periods, found, strict=True))
    return tuple(_view(ports.usage, what, period, limit, spent[period], now) for (what, period), limit in limits.items())


def own_partition(counter: Counter, account_id: str) -> tuple[int]:
    """Where all that an account and its keys spend is counted."""
    return (partition_of(account_id, counter.partitions),)


async def _read_usage(counter: Counter, caller: Caller, period: Period, now: datetime) -> UsageTotals:
    key = user_key(caller.tenant, caller.account_id)
    return sum_models(split_by_model(await counter.current(key, now, scale=period, partitions=own_partition(counter, caller.account_id))))


def _view(counter: Counter, what: Measure, period: Period, limit: int, spent: UsageTotals, now: datetime) -> QuotaView:
    used = spent.messages if what == "messages" else spent.tokens
    window = counter.scales[period].window
    assert window is not None
    resets_at = datetime.fromtimestamp(window.end(window.bucket(now)), UTC)
    return QuotaView(measure=what, period=period, limit=limit, used=used, left=max(0, limit - used), resets_at=resets_at)
