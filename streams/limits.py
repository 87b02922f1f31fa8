"""Rate limits: token buckets, all rules that apply decided in one atomic round trip that takes from all of them or from none.

A bucket is one number: the moment it will be full again. A token costs ``interval_us`` of that time, so every sum is exact in whole
microseconds, and a full bucket is a key that has expired. All keys share the tag ``{limit}``, one shard: about 10,000 decisions a second
per connected process is what the client library does; a Redis shard does several times that, and that is the ceiling of the installation.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal

import structlog
from msgspec import Struct

from adapters.redis import Argument, Client, Script
from schemas.errors import Unavailable
from schemas.records import Tier
from schemas.settings import Limits

MINUTE_US = 60_000_000
SUBJECT_CHARS_MAX = 128  # longer subjects are hashed: key sizes stay bounded
LOCAL_SUBJECTS_MAX = 20_000  # buckets kept while Redis is down, about 4 MB; the least recently used are forgotten, hence full
ROOT = "/api/v1"

Scope = Literal["global", "address", "user", "route"]

log = structlog.get_logger(__name__)

# KEYS buckets; ARGV now in us ("" = the server's), cost, then interval and capacity of each. Replies allowed, then what each bucket lacks
# to be full, in us.
_TAKE = Script("""
local now, cost, allowed, lacking = tonumber(ARGV[1]), tonumber(ARGV[2]), 1, {}
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
for i, key in ipairs(KEYS) do
  local interval, capacity = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  local full_at = tonumber(redis.call('GET', key) or '') or now
  lacking[i] = math.min(math.max(full_at - now, 0), interval * capacity)
  if lacking[i] + math.min(cost, capacity) * interval > capacity * interval then allowed = 0 end
end
if allowed == 1 then
  for i, key in ipairs(KEYS) do
    lacking[i] = lacking[i] + math.min(cost, tonumber(ARGV[2 * i + 2])) * tonumber(ARGV[2 * i + 1])
    if lacking[i] > 0 then
      redis.call('SET', key, string.format('%.0f', now + lacking[i]), 'PX', math.ceil(lacking[i] / 1000))
    end
  end
end
return {allowed, unpack(lacking)}
""")


class Rule(Struct, frozen=True, kw_only=True, dict=True):
    """A bucket of ``burst`` tokens that gets ``per_minute`` back. One bucket per subject of the scope.

    ``route`` (scope "route"): path segments below /api/v1, ``*`` for any one, matched from the start; those of OpenAI's routes begin with
    ``/v1``. ``tier`` (scope "user").
    """

    name: str
    per_minute: int
    burst: int
    scope: Scope
    route: str = ""
    tier: Tier | Literal[""] = ""

    @cached_property
    def interval_us(self) -> int:
        """The time in which one token comes back."""
        return max(1, round(MINUTE_US / self.per_minute))

    def share(self, replicas: int) -> "Rule":
        """What one of so many replicas may give out by itself."""
        return Rule(name=self.name, per_minute=max(1, self.per_minute // replicas), burst=max(1, self.burst // replicas), scope=self.scope)


class Standing(Struct, frozen=True):
    """A rule after the decision: tokens left, seconds until its bucket is full, seconds until the request would have passed."""

    rule: Rule
    remaining: int
    reset_s: int
    retry_after_s: int


class Decision(Struct, frozen=True):
    """May the request pass, and where every rule that applies stands."""

    allowed: bool
    standings: tuple[Standing, ...] = ()

    @property
    def decisive(self) -> Standing | None:
        """The rule that refuses (the one to wait for longest), or the one with the least left."""
        if not self.standings:
            return None
        if self.allowed:
            return min(self.standings, key=lambda standing: standing.remaining)
        return max(self.standings, key=lambda standing: standing.retry_after_s)

    @property
    def rule(self) -> str:
        """Name of the decisive rule."""
        return self.decisive.rule.name if self.decisive else ""

    @property
    def limit(self) -> int:
        """Its capacity."""
        return self.decisive.rule.burst if self.decisive else 0

    @property
    def remaining(self) -> int:
        """Its tokens left."""
        return self.decisive.remaining if self.decisive else 0

    @property
    def reset_s(self) -> int:
        """Seconds until it is full, rounded up."""
        return self.decisive.reset_s if self.decisive else 0

    @property
    def retry_after_s(self) -> int:
        """Seconds until a refused request would pass, rounded up; 0 for an allowed one."""
        return 0 if self.allowed or self.decisive is None else self.decisive.retry_after_s

    def headers(self) -> dict[str, str]:
        """RateLimit-Policy and RateLimit (IETF draft, structured fields), X-RateLimit-*, and Retry-After of a refusal."""
        if self.decisive is None:
            return {}
        policies = (f'"{s.rule.name}";q={s.rule.burst};w={_seconds(s.rule.burst * s.rule.interval_us)}' for s in self.standings)
        headers = {
            "RateLimit-Policy": ", ".join(policies),
            "RateLimit": ", ".join(f'"{s.rule.name}";r={s.remaining};t={s.reset_s}' for s in self.standings),
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_s),
        }
        return headers if self.allowed else headers | {"Retry-After": str(self.retry_after_s)}


Applying = Sequence[tuple[Rule, str]]


def default_rules(limits: Limits) -> tuple[Rule, ...]:
    """The rules of the installation; none when limits are switched off."""
    if not limits.enabled:
        return ()

    def rule(name: str, per_minute: int, scope: Scope, *, route: str = "", tier: Tier | Literal[""] = "") -> Rule:
        burst = max(1, round(per_minute * limits.burst_factor))
        return Rule(name=name, per_minute=per_minute, burst=burst, scope=scope, route=route, tier=tier)

    return (
        rule("global", limits.global_per_minute, "global"),
        rule("address", limits.address_per_minute, "address"),
        rule("user_free", limits.user_free_per_minute, "user", tier="free"),
        rule("user_pro", limits.user_pro_per_minute, "user", tier="pro"),
        rule("user_enterprise", limits.user_enterprise_per_minute, "user", tier="enterprise"),
        rule("conversations", limits.conversations_per_minute, "route", route="/conversations"),
        rule("messages", limits.messages_per_minute, "route", route="/conversations/*/messages"),
        rule("knowledge", limits.knowledge_per_minute, "route", route="/knowledge"),
        rule("completions", limits.messages_per_minute, "route", route="/v1/chat"),
        rule("embeddings", limits.knowledge_per_minute, "route", route="/v1/embeddings"),
    )


def applying(rules: Sequence[Rule], *, address: str, user: str = "", tier: Tier = "free", path: str = "") -> list[tuple[Rule, str]]:
    """The rules for one request with their subjects. Of the route rules the most specific one applies, per user; without a user none."""
    found: list[tuple[Rule, str]] = []
    routes: list[Rule] = []
    for rule in rules:
        if rule.scope == "global":
            found.append((rule, "all"))
        elif rule.scope == "address":
            found.append((rule, _network(address)))
        elif rule.scope == "user" and user and rule.tier in {"", tier}:
            found.append((rule, user))
        elif rule.scope == "route" and user and _matches(rule.route, path):
            routes.append(rule)
    if routes:
        found.append((max(routes, key=lambda rule: rule.route.count("/")), user))
    return found


class Limiter:
    """Decides in Redis; while it is down, in this process with its share of each limit. ``fell_back`` is called once per such decision."""

    def __init__(
        self,
        redis: Client,
        prefix: str,
        limits: Limits,
        *,
        fell_back: Callable[[], object] = lambda: None,
        monotonic_us: Callable[[], int] = lambda: time.monotonic_ns() // 1_000,
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._replicas = limits.replicas
        self._fell_back = fell_back
        self._monotonic_us = monotonic_us
        self._local = LocalBuckets()
        self._is_local = False

    async def decide(self, rules: Applying, cost: int = 1, *, now_us: int | None = None) -> Decision:
        """Take ``cost`` tokens (at most a bucket's capacity) from every bucket or from none. ``now_us`` replaces the server's clock."""
        if not rules:
            return Decision(allowed=True)
        keys = [f"{self._prefix}:{{limit}}:{rule.name}:{_subject(subject)}" for rule, subject in rules]
        arguments: list[Argument] = ["" if now_us is None else now_us, cost]
        for rule, _ in rules:
            arguments += [rule.interval_us, rule.burst]
        try:
            allowed, *lacking = await _TAKE(self._redis, keys, arguments)
        except Unavailable:
            return self._decide_here(rules, cost)
        self._is_local = False
        return _decision(bool(allowed), [rule for rule, _ in rules], lacking, cost)

    def _decide_here(self, rules: Applying, cost: int) -> Decision:
        if not self._is_local:
            log.warning("limits_local", replicas=self._replicas)
        self._is_local = True
        self._fell_back()
        shares = [(rule.share(self._replicas), subject) for rule, subject in rules]
        return self._local.decide(shares, cost, self._monotonic_us())


class LocalBuckets:
    """The same buckets in memory, for a bounded number of subjects."""

    def __init__(self, subjects_max: int = LOCAL_SUBJECTS_MAX) -> None:
        self._subjects_max = subjects_max
        self._full_at_us: OrderedDict[tuple[str, str], int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at_us)

    def decide(self, rules: Applying, cost: int, now_us: int) -> Decision:
        """Take from every bucket or from none."""
        lacking = []
        for rule, subject in rules:
            full_at_us = self._full_at_us.get((rule.name, subject), now_us)
            lacking.append(min(max(full_at_us - now_us, 0), rule.burst * rule.interval_us))
        prices = [min(cost, rule.burst) * rule.interval_us for rule, _ in rules]
        allowed = all(lack + price <= rule.burst * rule.interval_us for (rule, _), lack, price in zip(rules, lacking, prices, strict=True))
        if allowed:
            lacking = [lack + price for lack, price in zip(lacking, prices, strict=True)]
            for (rule, subject), lack in zip(rules, lacking, strict=True):
                self._full_at_us[rule.name, subject] = now_us + lack
                self._full_at_us.move_to_end((rule.name, subject))
            while len(self._full_at_us) > self._subjects_max:
                self._full_at_us.popitem(last=False)
        return _decision(allowed, [rule for rule, _ in rules], lacking, cost)


def _decision(allowed: bool, rules: Sequence[Rule], lacking: Sequence[int], cost: int) -> Decision:  # noqa: FBT001
    standings = []
    for rule, lack_us in zip(rules, lacking, strict=True):
        size_us = rule.burst * rule.interval_us
        wait_us = 0 if allowed else max(0, lack_us + min(cost, rule.burst) * rule.interval_us - size_us)
        standings.append(Standing(rule, (size_us - lack_us) // rule.interval_us, _seconds(lack_us), _seconds(wait_us)))
    return Decision(allowed, tuple(standings))


def _seconds(us: int) -> int:
    """Whole seconds, rounded up."""
    return -(-us // 1_000_000)


def _matches(route: str, path: str) -> bool:
    wanted, given = route.split("/"), path.removeprefix(ROOT).split("/")
    return len(given) >= len(wanted) and all(part in {"*", other} for part, other in zip(wanted, given, strict=False))


def _network(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 client chooses its addresses from."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else str(parsed)


def _subject(subject: str) -> str:
    return subject if len(subject) <= SUBJECT_CHARS_MAX else hashlib.sha256(subject.encode()).hexdigest()
