"""Which rules there are and which of them apply: pure functions over ``schemas.limits.Rule``."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from schemas.errors import FieldError
from schemas.limits import Counts, Rule, Scope
from schemas.records import Tier
from schemas.settings import LimitSettings

ROOT, OPENAI_ROOT = "/api/v1", "/v1"  # of routes in rules: those of OpenAI's clients keep their root
DAY_S = 86_400.0
ADDRESSES_CACHED = 16_384  # with their networks
HOST_PREFIX = 64  # of the network in which one IPv6 client chooses its addresses; sites are given a /56 or a /48
SITE_FACTOR = 4  # times the rate of one client for a /56, and again for a /48
BURST_S_MAX = 31 * DAY_S  # an empty bucket is full again within a month, and its key is gone

ApplicableRules = Sequence[tuple[Rule, str]]


def default_rules(limits: LimitSettings) -> tuple[Rule, ...]:
    """The rules of the settings; none when limits are switched off."""
    if not limits.enabled:
        return ()

    def rule(name: str, rate: int, scope: Scope, **fields: Any) -> Rule:
        return Rule(name=name, rate=rate, burst=max(1, round(rate * limits.burst_factor)), scope=scope, **fields)

    def tokens(tier: Tier, per_minute: int, per_day: int) -> list[Rule]:
        sizes = ((f"tokens_{tier}_minute", per_minute, 60.0), (f"tokens_{tier}_day", per_day, DAY_S))
        return [
            Rule(name=name, rate=rate, per_s=per_s, burst=rate, scope="user", tier=tier, counts="model_tokens")
            for name, rate, per_s in sizes
            if rate
        ]

    return (
        rule("global", limits.global_per_minute, "global"),
        rule("anonymous", limits.anonymous_per_minute, "anonymous"),
        rule("address", limits.address_per_minute, "address"),
        rule("address_56", limits.address_per_minute * SITE_FACTOR, "address", ipv6_prefix=56),
        rule("address_48", limits.address_per_minute * SITE_FACTOR**2, "address", ipv6_prefix=48),
        rule("user_free", limits.user_free_per_minute, "user", tier="free"),
        rule("user_pro", limits.user_pro_per_minute, "user", tier="pro"),
        rule("user_enterprise", limits.user_enterprise_per_minute, "user", tier="enterprise"),
        rule("conversations", limits.conversations_per_minute, "route", route="/conversations"),
        rule("messages", limits.messages_per_minute, "route", route="/conversations/*/messages"),
        rule("knowledge", limits.knowledge_per_minute, "route", route="/knowledge"),
        rule("sources", limits.sources_per_minute, "route", route="/knowledge/*/documents/*/versions"),
        rule("completions", limits.messages_per_minute, "route", route="/v1/chat"),
        rule("embeddings", limits.embedding_calls_per_minute, "route", route="/v1/embeddings", exclusive=True),
        rule("embedding_tokens", limits.embedding_tokens_per_minute, "user", counts="embedding_tokens"),
        *tokens("free", limits.tokens_free_per_minute, limits.tokens_free_per_day),
        *tokens("pro", limits.tokens_pro_per_minute, limits.tokens_pro_per_day),
        *tokens("enterprise", limits.tokens_enterprise_per_minute, limits.tokens_enterprise_per_day),
    )


def applicable_rules(
    rules: Sequence[Rule],
    *,
    address: str = "",
    user: str = "",
    tier: Tier = "free",
    path: str = "",
    key: str = "",
    counts: Counts = "requests",
) -> list[tuple[Rule, str]]:
    """The rules for one request with their subjects. Of the route rules the most specific one applies (of those and their shadows one
    each), per user; without a user none. An exclusive one stands for those of the user and the address.
    """
    found: list[tuple[Rule, str]] = []
    routes: dict[bool, Rule] = {}
    given = path.removeprefix(ROOT).split("/")
    for rule in rules:
        if rule.counts != counts or rule.tier not in {"", tier}:
            continue
        if (rule.scope == "global" and user) or (rule.scope == "anonymous" and not user):
            found.append((rule, "all"))
        elif rule.scope == "address" and address:
            if rule.ipv6_prefix == HOST_PREFIX or ":" in network_of(address):
                found.append((rule, network_of(address, rule.ipv6_prefix)))
        elif rule.scope == "user" and user:
            found.append((rule, user))
        elif rule.scope == "key" and key:
            found.append((rule, key))
        elif rule.scope == "route" and user and _matches(rule.parts, given):
            best = routes.get(rule.shadow)
            if best is None or rule.route.count("/") > best.route.count("/"):
                routes[rule.shadow] = rule
    return _with_routes(found, routes, user)


def _with_routes(found: list[tuple[Rule, str]], routes: dict[bool, Rule], user: str) -> list[tuple[Rule, str]]:
    """The rules with those of the route, by shadow; an exclusive one stands for those of user and address."""
    if not routes:
        return found
    if False in routes and routes[False].exclusive:
        found = [each for each in found if each[0].scope not in {"user", "address"}]
    return [*found, *((rule, user) for rule in routes.values())]


@lru_cache(maxsize=ADDRESSES_CACHED)
def network_of(address: str, ipv6_prefix: int = HOST_PREFIX) -> str:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 client chooses its addresses from; or a larger network."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else str(ip_network((parsed, ipv6_prefix), strict=False))
    return str(parsed)


def problems_of(rules: Sequence[Rule], routes: Sequence[str]) -> tuple[FieldError, ...]:
    """Everything that keeps these rules from being in force, by field. ``routes``: path templates below /api/v1 that are served."""
    errors: list[FieldError] = []
    names: dict[str, int] = {}
    targets: dict[tuple[object, ...], int] = {}
    for number, rule in enumerate(rules):
        field = f"rules[{number}]"
        if rule.name in names:
            errors.append(FieldError(f"{field}.name", f"is the name of rules[{names[rule.name]}], too", "one rule per name"))
        target = (rule.scope, rule.ipv6_prefix, rule.route, rule.tier, rule.counts, rule.per_s, rule.shadow)
        if target in targets:
            same = f"holds the same requests over the same time as rules[{targets[target]}]"
            errors.append(FieldError(field, same, "one rule per scope, ipv6_prefix, route, tier, counts, per_s and shadow"))
        names.setdefault(rule.name, number)
        targets.setdefault(target, number)
        errors += _rule_problems(field, rule, routes)
    return tuple(errors)


def _rule_problems(field: str, rule: Rule, routes: Sequence[str]) -> list[FieldError]:
    errors = []
    if rule.scope == "route" and not rule.route:
        errors.append(FieldError(f"{field}.route", "is missing", "a route below /api/v1 for scope route"))
    if rule.scope != "route" and rule.route:
        errors.append(FieldError(f"{field}.route", f"is not for scope {rule.scope}", "leave it out"))
    if rule.route and not any(_serves(template, rule.route) for template in routes):
        errors.append(FieldError(f"{field}.route", f"{rule.route} is no route of this API", "see /schema"))
    if rule.counts != "requests" and rule.scope != "user":
        errors.append(FieldError(f"{field}.scope", f"{rule.counts} are counted by user", "user"))
    if rule.exclusive and rule.scope != "route":
        errors.append(FieldError(f"{field}.exclusive", f"is not for scope {rule.scope}", "leave it out"))
    if rule.ipv6_prefix != HOST_PREFIX and rule.scope != "address":
        errors.append(FieldError(f"{field}.ipv6_prefix", f"is not for scope {rule.scope}", "leave it out"))
    if rule.tier and rule.scope in {"global", "anonymous", "address", "key"}:
        errors.append(FieldError(f"{field}.tier", f"is not for scope {rule.scope}", "leave it out"))
    if rule.burst * rule.interval_us > BURST_S_MAX * 1_000_000:
        errors.append(FieldError(f"{field}.burst", "takes more than 31 days to come back", f"at most {_burst_max(rule)} at this rate"))
    return errors


def _burst_max(rule: Rule) -> int:
    return int(BURST_S_MAX * 1_000_000 // rule.interval_us)


def _matches(wanted: Sequence[str], given: Sequence[str]) -> bool:
    if len(given) < len(wanted):
        return False
    return all(part == other or part == "*" for part, other in zip(wanted, given, strict=False))  # noqa: PLR1714 - a set per segment is slow


def _serves(template: str, route: str) -> bool:
    """Whether ``route`` is the beginning of the path template: a parameter is ``*`` or any word."""
    parts, wanted = template.split("/"), route.split("/")
    return len(parts) >= len(wanted) and all(
        other in {part, "*"} or part.startswith("{") for part, other in zip(parts, wanted, strict=False)
    )
