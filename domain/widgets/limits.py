"""The limits of a widget's key: those of its own, else those of the installation, and as rules of the limiter. Pure."""

from functools import lru_cache
from typing import NamedTuple

from domain.widgets.errors import WIDGET_SHARE_USED
from domain.widgets.settings import WidgetSettings
from schemas.errors import Refused
from schemas.limits import Rule
from schemas.widgets import WidgetAccess


class WidgetLimits(NamedTuple):
    """The limits in force; the fields are those of ``WidgetAccess``."""

    visitor_requests_per_minute: int
    visitor_questions_per_minute: int
    requests_per_minute: int
    questions_per_minute: int
    questions_per_day: int
    streams_max: int
    account_share: float


class WidgetRules(NamedTuple):
    """The rule whose buckets belong to the visitors of an address, and the one whose bucket belongs to the key."""

    visitor: Rule
    key: Rule


def limits_of(access: WidgetAccess, settings: WidgetSettings) -> WidgetLimits:
    """What the key names, else what the installation does."""
    own = (getattr(access, name) for name in WidgetLimits._fields)
    return WidgetLimits(
        *(getattr(settings, name) if given is None else given for name, given in zip(WidgetLimits._fields, own, strict=True))
    )


@lru_cache(maxsize=1_024)
def request_rules(limits: WidgetLimits) -> WidgetRules:
    """What bounds the requests of a key."""
    return WidgetRules(
        _rule("widget_visitor_requests", limits.visitor_requests_per_minute), _rule("widget_requests", limits.requests_per_minute)
    )


@lru_cache(maxsize=1_024)
def question_rules(limits: WidgetLimits) -> WidgetRules:
    """What bounds its questions, each of which is a request as well."""
    return WidgetRules(
        _rule("widget_visitor_questions", limits.visitor_questions_per_minute), _rule("widget_questions", limits.questions_per_minute)
    )


def share_refusal(limits: WidgetLimits, rule: str, retry_after_s: int) -> Refused:
    """The 429 of visitors who used up their share of what the account may; ``rule`` is the quota or limit."""
    detail = f"visitors may use {limits.account_share:.0%} of {rule} of the key's account (account_share of the key)"
    return Refused(WIDGET_SHARE_USED, detail, retry_after_s=retry_after_s, rule=rule)


def _rule(name: str, per_minute: int) -> Rule:
    return Rule(name=name, rate=per_minute, burst=per_minute, scope="key")
