"""Everything that bounds the caller, in one list: caps, quotas, the budget of the installation, and rate rules."""

import math
from datetime import datetime

from litestar import get

from api.http.gate import ANYBODY, address_of
from api.http.identity import Caller
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.limits.ports import LimitPorts
from domain.limits.decision import RuleState
from domain.usage.budget import BudgetState
from schemas.bodies.limits import LimitsView, LimitView, ViewScope
from schemas.bodies.usage import QuotaView
from schemas.limits import Scope

SCOPES: dict[Scope, ViewScope] = {"global": "installation", "anonymous": "installation", "address": "address"}


@get("/users/me/limits", opt=ANYBODY, responses=PROBLEMS, summary="Get your limits")
async def limits(request: ApiRequest) -> LimitsView:
    """What you, your tenant and your address use of every limit that is set, what remains, and when it is free again. Of the budget of the
    whole installation only administrators see amounts, everybody else percent.
    """
    ports, caller, now = request.ports(LimitPorts), request.user, request.core.clock.now()
    address = address_of(request.scope)
    verdict = request.http.limiting.verdict(address, caller)
    decision = await request.http.limiting.peek(address, caller)
    found = await request.http.caps.views(caller)
    found += [_quota_view(quota, now) for quota in await ports.quotas.views(caller)]
    found += [_budget_view(state, caller, now) for state in await ports.budget.states()]
    found += [_rate_view(state) for state in decision.public_states]
    return LimitsView(tier=caller.tier, exempt=verdict is not None and verdict.access == "allow", items=tuple(found))


def _quota_view(quota: QuotaView, now: datetime) -> LimitView:
    return LimitView(
        name=f"{quota.measure}_per_{quota.period}",
        kind="quota",
        scope="account",
        unit=quota.measure,
        used=quota.used,
        limit=quota.limit,
        remaining=quota.left,
        reset_s=_seconds(now, quota.resets_at),
    )


def _budget_view(state: BudgetState, caller: Caller, now: datetime) -> LimitView:
    shown = (state.measure, state.used, state.limit) if caller.has_role("operator") else ("percent", state.percent, 100)
    unit, used, limit = shown
    return LimitView(
        name=state.name,
        kind="budget",
        scope="installation",
        unit=unit,
        used=used,
        limit=limit,
        remaining=max(0, limit - used),
        reset_s=_seconds(now, state.resets_at),
    )


def _rate_view(state: RuleState) -> LimitView:
    rule = state.rule
    return LimitView(
        name=rule.name,
        kind="rate",
        scope=SCOPES.get(rule.scope, "account"),
        unit=rule.counts,
        used=rule.burst - state.remaining,
        limit=rule.burst,
        remaining=state.remaining,
        reset_s=state.reset_s,
    )


def _seconds(now: datetime, until: datetime) -> int:
    return max(0, math.ceil((until - now).total_seconds()))
