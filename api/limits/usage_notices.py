"""Notices of quotas and budgets that are nearly used: to the account, or to the operators. Each once a period, whatever process sees it."""

from collections import OrderedDict
from collections.abc import Coroutine, Hashable, Mapping, Sequence
from contextlib import suppress

from api.core import Core
from api.http.identity import Caller
from domain.accounts.records import OPERATORS, OPERATORS_SCOPE
from domain.notices.notices import new_notice, notice_event
from domain.usage.budget import BudgetState
from schemas.bodies.usage import QuotaView
from schemas.errors import Unavailable
from schemas.notices import NoticeKind
from schemas.traces import new_traceparent

WARNING_PERCENT = 80  # of a quota; of a budget it is a setting
REMEMBERED_MAX = 20_000  # warnings that this process has given; one that it forgot is given again, and recognised by its id
OPERATORS_MAX = 50
SOURCE = "api"


class UsageNotices:
    """Called with what is read anyway; publishes beside the request."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._given: OrderedDict[Hashable, None] = OrderedDict()

    def observe_quota(self, caller: Caller, quota: QuotaView) -> None:
        """What an account has used of one of its quotas."""
        if 100 * quota.used >= WARNING_PERCENT * quota.limit:
            key = (caller.account_id, quota.measure, quota.period, quota.resets_at)
            self._once(key, self._warn_account(caller, quota))

    def observe_budget(self, state: BudgetState, warns: bool) -> None:  # noqa: FBT001 - the budget's observer
        """What was spent of a budget."""
        self._core.metrics.observe_budget(state, warns)
        if warns:
            self._once((state.name, state.resets_at), self._warn_operators(state))

    def _once(self, key: Hashable, work: Coroutine[None, None, None]) -> None:
        if key in self._given:
            work.close()
            return
        self._given[key] = None
        while len(self._given) > REMEMBERED_MAX:
            self._given.popitem(last=False)
        self._core.background.run(self._publish(key, work))

    async def _publish(self, key: Hashable, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Unavailable:
            with suppress(KeyError):
                del self._given[key]  # the next look tries again

    async def _warn_account(self, caller: Caller, quota: QuotaView) -> None:
        fields = {
            "measure": quota.measure,
            "period": quota.period,
            "used": str(quota.used),
            "limit": str(quota.limit),
            "percent": str(min(100, 100 * quota.used // quota.limit)),
            "resets_at": f"{quota.resets_at:%Y-%m-%d %H:%M} UTC",
        }
        cause = (quota.measure, quota.period, quota.resets_at.isoformat())
        await self._tell(caller.tenant, caller.account_id, "quota.nearly_used", fields, cause)

    async def _warn_operators(self, state: BudgetState) -> None:
        fields = {"budget": state.name, "percent": str(state.percent), "resets_at": f"{state.resets_at:%Y-%m-%d %H:%M} UTC"}
        cause = (state.name, state.resets_at.isoformat())
        for operator in (await self._core.read_models.of(OPERATORS).list(OPERATORS_SCOPE, limit=OPERATORS_MAX)).items:
            await self._tell(operator.tenant, operator.id, "budget.nearly_spent", fields, cause)

    async def _tell(self, tenant: str, account_id: str, kind: NoticeKind, fields: Mapping[str, str], cause: Sequence[str]) -> None:
        core, now = self._core, self._core.clock.now()
        notice = await new_notice(core.read_models, tenant, account_id, kind, fields, now, *cause)
        if notice is not None:
            await core.publisher.publish(notice_event(notice, SOURCE, new_traceparent(core.random_bytes), now))
