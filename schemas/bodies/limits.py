"""Rate limits over HTTP."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.bodies.pages import RequestBody
from schemas.limits import AccessEntry, Counts, Dimension, Ipv6Prefix, Rule, Scope, SubjectKind, WhenDown
from schemas.records import Tier

RULES_MAX = 200  # every request scans them
RATE_MAX = 1_000_000_000
PER_S_MIN, PER_S_MAX = 0.1, 31 * 86_400

ViewScope = Literal["account", "tenant", "address", "installation"]
RuleName = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,63}$", description="Named in `rule` of a refusal and in `RateLimit`.")]
Reason = Annotated[str, Meta(max_length=500, description="The reason, for the audit.")]


class RuleBody(RequestBody, frozen=True, kw_only=True):
    """A rule. ``burst`` defaults to twice the rate."""

    name: RuleName
    rate: Annotated[int, Meta(ge=1, le=RATE_MAX, description="Tokens that come back every `per_s` seconds.")]
    per_s: Annotated[float, Meta(ge=PER_S_MIN, le=PER_S_MAX)] = 60.0
    burst: Annotated[int, Meta(ge=1, le=RATE_MAX)] | None = None
    scope: Scope
    ipv6_prefix: Annotated[Ipv6Prefix, Meta(description="Size of the IPv6 networks that count as one, for scope address.")] = 64
    route: Annotated[str, Meta(max_length=200, pattern="^(/[A-Za-z0-9_.*-]+)*$")] = ""
    exclusive: Annotated[
        bool, Meta(description="What this rule counts is not counted by the rules of user and address as well; for scope route.")
    ] = False
    tier: Tier | Literal[""] = ""
    counts: Counts = "requests"
    shadow: bool = False
    when_down: WhenDown = "local"

    def rule(self) -> Rule:
        """The rule with its defaults."""
        return Rule(
            name=self.name,
            rate=self.rate,
            per_s=self.per_s,
            burst=self.burst or min(2 * self.rate, RATE_MAX),
            scope=self.scope,
            ipv6_prefix=self.ipv6_prefix,
            route=self.route,
            exclusive=self.exclusive,
            tier=self.tier,
            counts=self.counts,
            shadow=self.shadow,
            when_down=self.when_down,
        )


class RulesPut(RequestBody, frozen=True, kw_only=True):
    """The complete set of rules; null restores those of the settings."""

    rules: Annotated[tuple[RuleBody, ...], Meta(max_length=RULES_MAX)] | None
    reason: Reason = ""


class RulesView(Struct, frozen=True, kw_only=True):
    """The rules in force. ``revision`` is also the ETag; 0 stands for those of the settings."""

    rules: tuple[Rule, ...]
    revision: int
    changed_at: datetime | None = None
    changed_by: str = ""
    reason: str = ""


class StandingView(Struct, frozen=True, kw_only=True):
    """The caller's state under one rule. ``reset_s``: seconds until its bucket is full."""

    rule: str
    limit: int
    remaining: int
    reset_s: int
    counts: Counts
    shadow: bool = False


class MyLimits(Struct, frozen=True, kw_only=True):
    """The caller's rate limits; reading them takes no tokens."""

    tier: Tier
    exempt: bool
    standings: tuple[StandingView, ...]


class LimitView(Struct, frozen=True, kw_only=True):
    """One limit. ``scope``: whose use it counts. ``name``: of a cap (``streams``, ``stored_bytes``), of a quota or budget
    (``tokens_per_day``), or of a rate rule (``user_free``). ``reset_s``: seconds until all of it is free again; null for what is free only
    when its owner closes or deletes something. ``unit``: what is counted, such as ``bytes``, ``requests``, ``cost_micros`` or ``percent``.
    """

    name: str
    kind: Literal["cap", "quota", "budget", "rate"]
    scope: ViewScope
    unit: str
    used: int
    limit: int
    remaining: int
    reset_s: int | None


class LimitsView(Struct, frozen=True, kw_only=True):
    """Every limit that is set and concerns the caller. ``exempt``: rate rules do not apply to them."""

    tier: Tier
    exempt: bool
    items: tuple[LimitView, ...]


class AccessPut(RequestBody, frozen=True, kw_only=True):
    """An entry of the allow or deny list. ``value``: a CIDR, ``tenant/account id``, or the id of an API key."""

    kind: SubjectKind
    value: Annotated[str, Meta(min_length=1, max_length=200)]
    reason: Reason = ""
    expires_at: datetime | None = None


class AccessView(Struct, frozen=True, kw_only=True):
    """An entry, and the account that added it."""

    entry: AccessEntry
    changed_at: datetime
    changed_by: str
    revision: int


class AccessRemove(RequestBody, frozen=True, kw_only=True):
    """The entry to remove."""

    kind: SubjectKind
    value: Annotated[str, Meta(min_length=1, max_length=200)]
    reason: Reason = ""


class ResetBody(RequestBody, frozen=True, kw_only=True):
    """The subject whose buckets are reset: of one rule, or of all."""

    kind: Literal["address", "user", "key"]
    value: Annotated[str, Meta(min_length=1, max_length=200)]
    rule: Annotated[str, Meta(max_length=64)] = ""
    reason: Reason = ""


class ResetView(Struct, frozen=True, kw_only=True):
    """The number of buckets that were not full."""

    reset: int


class CountView(Struct, frozen=True, kw_only=True):
    """The decisions with one value of a dimension."""

    value: str
    allowed: int
    refused: int
    shadow: int


class MonitorView(Struct, frozen=True, kw_only=True):
    """The decisions in the window by dimension, the most refused first."""

    window: Literal["minute", "hour", "day"]
    since: datetime
    until: datetime
    counts: dict[Dimension, tuple[CountView, ...]]
