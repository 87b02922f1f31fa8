"""What the routes of rate limits and quotas use."""

from dataclasses import dataclass

from api.area import Opening
from api.core import Core
from api.http.ports import HttpPorts
from api.limits.budget_watch import BudgetWatch
from api.limits.quotas import Quotas
from api.limits.usage_notices import UsageNotices
from domain.configs.configs import ConfigWriter
from domain.configs.reports import ProcessReports
from domain.limits.decisions import DecisionCounters
from domain.limits.topics import LIMITS_DECIDED
from domain.usage.budget import Budget
from domain.usage.counters import usage_counter
from domain.usage.topics import USAGE_RECORDED
from schemas.settings import QuotaSettings
from streams.tables.counters import Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPorts:
    """``usage`` sums what was spent, ``quotas`` holds it against the limits of a tier, ``budget`` against those of
    the installation. ``reports``: which process applies which revision of the rules.
    """

    core: Core
    http: HttpPorts
    config_writer: ConfigWriter
    reports: ProcessReports
    decisions: DecisionCounters
    usage: Counter
    quotas: Quotas
    budget: Budget


def open_ports(opening: Opening) -> LimitPorts:
    """Built from the core and the plumbing."""
    core, http = opening.core, opening.ports(HttpPorts)
    kafka, prefix = core.settings.kafka, core.settings.redis.key_prefix
    usage = usage_counter(core.redis, prefix, USAGE_RECORDED.partitions(kafka))
    notices = UsageNotices(core)
    budget = Budget(core.settings.budget, usage, core.clock, notices.observe_budget)
    opening.run(BudgetWatch(budget))
    return LimitPorts(
        core=core,
        http=http,
        config_writer=ConfigWriter(core.live.configs, core.records, core.publisher, core.clock, core.random_bytes, "api"),
        reports=ProcessReports(core.redis, prefix),
        decisions=DecisionCounters(core.redis, prefix, LIMITS_DECIDED.partitions(kafka)),
        usage=usage,
        quotas=Quotas(core.live.of(QuotaSettings), usage, core.clock, core.metrics, budget, notices.observe_quota),
        budget=budget,
    )
