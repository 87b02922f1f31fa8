"""Rate limits as data: rules, entries of the allow and deny lists, and statistics of decisions."""

from datetime import datetime
from functools import cached_property
from typing import Literal

from msgspec import Struct

from schemas.events import Event
from schemas.records import Tier

SECOND_US = 1_000_000

Scope = Literal["global", "anonymous", "address", "user", "key", "route"]
Ipv6Prefix = Literal[64, 56, 48]
Counts = Literal["requests", "model_tokens", "embedding_tokens"]
WhenDown = Literal["local", "open", "closed"]
Access = Literal["allow", "deny"]
SubjectKind = Literal["cidr", "user", "key"]
Dimension = Literal["rule", "route", "tier", "address"]


class Rule(Struct, frozen=True, kw_only=True, dict=True):
    """A token bucket of ``burst`` tokens, refilled with ``rate`` every ``per_s`` seconds. One bucket per subject of the scope.

    Scope "global" counts all requests with a valid credential together, "anonymous" all others: who has none takes nothing from those who
    have one. ``ipv6_prefix`` (scope "address"): IPv6 addresses count by networks of this size; IPv4 addresses count one by one, under the
    rule for 64.
    ``route`` (scope "route"): path segments below /api/v1, ``*`` for any one, matched from the start; those of OpenAI's routes begin with
    ``/v1``. ``exclusive``: what this rule counts is not counted by the rules of its user and address as well, for routes whose clients make
    many small calls. ``tier``: only for users of it.
    ``counts`` is the unit of a token: a request, a token that a model reads or writes, or one of a text to embed (scope "user"). A
    ``shadow`` rule counts and reports what it would have refused, without refusing. ``when_down``: without Redis each process grants its
    share (``local``), everything (``open``) or nothing (``closed``).
    """

    name: str
    rate: int
    per_s: float = 60.0
    burst: int
    scope: Scope
    ipv6_prefix: Ipv6Prefix = 64
    route: str = ""
    exclusive: bool = False
    tier: Tier | Literal[""] = ""
    counts: Counts = "requests"
    shadow: bool = False
    when_down: WhenDown = "local"

    @cached_property
    def interval_us(self) -> int:
        """The time in which one token is refilled."""
        return max(1, round(self.per_s * SECOND_US / self.rate))

    @cached_property
    def parts(self) -> list[str]:
        """The route's segments."""
        return self.route.split("/")

    @cached_property
    def policy(self) -> str:
        """The rule's part of the RateLimit-Policy header."""
        return f'"{self.name}";q={self.burst};w={-(-self.burst * self.interval_us // SECOND_US)}'

    def share(self, replicas: int) -> "Rule":
        """The rule of one of ``replicas`` processes that decide without Redis."""
        return Rule(
            name=self.name,
            rate=max(1, self.rate // replicas),
            per_s=self.per_s,
            burst=max(1, self.burst // replicas),
            scope=self.scope,
            ipv6_prefix=self.ipv6_prefix,
            shadow=self.shadow,
            when_down=self.when_down,
        )


class AccessEntry(Struct, frozen=True, kw_only=True):
    """An address range, a user or an API key that is exempt from limits (``allow``) or refused (``deny``, which has precedence).

    ``value`` is a CIDR, ``tenant/account id``, or an API key's id; ``expires_at`` None is for ever.
    """

    access: Access
    kind: SubjectKind
    value: str
    reason: str = ""
    expires_at: datetime | None = None

    @property
    def name(self) -> str:
        """The entry's unique name."""
        return f"{self.access}/{self.kind}/{self.value}"


class Tally(Struct, frozen=True, kw_only=True):
    """Decisions under one value of a dimension. ``shadow``: allowed, though a shadow rule would have refused."""

    dimension: Dimension
    value: str
    allowed: int = 0
    refused: int = 0
    shadow: int = 0


class Decisions(Struct, frozen=True, kw_only=True):
    """The decisions of one process in about a second; every decision is counted once per dimension.

    Of addresses only those that were refused are named, of a crowd of them the most refused; the rest is under ``other``.
    """

    replica: str
    begun_at: datetime
    seconds: float
    tallies: tuple[Tally, ...]


class LimitsDecided(Event, tag="claw.limits.decided.v1", frozen=True, kw_only=True):
    """Subject and key: the deciding process. The event concerns the installation, so ``tenant`` is ``-``."""

    data: Decisions
