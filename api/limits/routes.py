"""Rate limits over HTTP: the caller's own; for admins the rules, the allow and deny lists, decisions, and the reset of buckets."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from litestar import Litestar, Response, Router, delete, get, post, put
from litestar.params import JSONBody, QueryParameter

from api.configs.views import propagation_view
from api.http.audit import record_audit
from api.http.gate import ANYBODY, OPERATOR, address_of
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.rate_limiting import subject_of
from api.http.request import ApiRequest
from api.http.responses import etag, if_match_revision, invalid_field, json_response
from api.limits.overview import limits
from api.limits.ports import LimitPorts
from domain.limits.access_lists import ENTRIES_MAX, AccessLists, canonical_value, problem_of
from domain.limits.rules import OPENAI_ROOT, ROOT, network_of, problems_of
from schemas import ids
from schemas.bodies.configs import PropagationView
from schemas.bodies.limits import (
    AccessPut,
    AccessRemove,
    AccessView,
    CountView,
    MonitorView,
    MyLimits,
    ResetBody,
    ResetView,
    RulesPut,
    RulesView,
    StandingView,
)
from schemas.bodies.pages import Page
from schemas.configs import RATE_LIMIT_ACCESS, RATE_LIMIT_RULES, Config
from schemas.errors import Refused, Unavailable
from schemas.limits import Access, AccessEntry, Dimension, SubjectKind

TOP_DEFAULT = 20
EXPIRY_DAYS_MAX = 3_660

Top = Annotated[int, QueryParameter(ge=1, le=100, description="Names per dimension.")]
WindowName = Annotated[Literal["minute", "hour", "day"], QueryParameter(description="The length of the window, up to now.")]


@get("/rate-limits/me", opt=ANYBODY, responses=PROBLEMS, summary="Get your rate limits")
async def mine(request: ApiRequest) -> MyLimits:
    """Every rule that applies to you, and what is left of it. Reading takes no more than any request."""
    limiting, caller = request.http.limiting, request.user
    address = address_of(request.scope)
    verdict = limiting.verdict(address, caller)
    decision = await limiting.peek(address, caller)
    standings = tuple(
        StandingView(rule=s.rule.name, limit=s.rule.burst, remaining=s.remaining, reset_s=s.reset_s, counts=s.rule.counts)
        for s in decision.public_states
    )
    return MyLimits(tier=caller.tier, exempt=verdict is not None and verdict.access == "allow", standings=standings)


@get("/rate-limits/rules", opt=OPERATOR, responses=PROBLEMS, summary="Get the rate-limit rules in force")
async def rules(request: ApiRequest) -> Response[RulesView]:
    """With their ETag; revision 0 stands for the rules of the settings."""
    return _response(request, request.http.configs.get(RATE_LIMIT_RULES))


@put("/rate-limits/rules", opt=OPERATOR, responses=PROBLEMS, summary="Replace the rate-limit rules")
async def put_rules(request: ApiRequest, data: JSONBody[RulesPut]) -> Response[RulesView]:
    """All or nothing: while any rule is invalid the old rules stay, and `errors` names it. In force in every process within a second.
    With ``If-Match`` a concurrent change is refused with ``412``.
    """
    if not request.http.limiting.enabled:
        raise Refused("validation_failed", "rate limits are switched off by CLAW_LIMIT_ENABLED")
    value: Any = None
    if data.rules is not None:
        wanted = tuple(body.rule() for body in data.rules)
        if errors := problems_of(wanted, route_templates(request.app)):
            raise Refused("validation_failed", errors=errors)
        value = {"rules": msgspec.to_builtins(wanted)}
    config = await request.ports(LimitPorts).config_writer.change(
        RATE_LIMIT_RULES, value, by=subject_of(request.user), reason=data.reason, expected=if_match_revision(request)
    )
    await _record(request, "rate_limit_rules.change", RATE_LIMIT_RULES, reason=data.reason, revision=str(config.revision))
    return _response(request, config)


@get("/rate-limits/rules/propagation", opt=OPERATOR, responses=PROBLEMS, summary="See which processes apply the rate-limit rules")
async def rules_propagation(request: ApiRequest) -> PropagationView:
    """Every API process that reported within the last 10 seconds, with the revision of the rules that it applies and since when. One that
    switches rate limits off is ``pinned``.
    """
    reports = await request.ports(LimitPorts).reports.list()
    applying = [report for report in reports if report.component == "api"]  # workers decide nothing by rules
    return propagation_view(RATE_LIMIT_RULES, request.http.configs.get(RATE_LIMIT_RULES), applying)


@get("/rate-limits/monitor", opt=OPERATOR, responses=PROBLEMS, summary="Get rate-limit decisions")
async def monitor(request: ApiRequest, window: WindowName = "hour", top: Top = TOP_DEFAULT) -> MonitorView:
    """Allowed and refused requests, and those that only a shadow rule would refuse, by rule, route, tier and refused address."""
    now = request.core.clock.now()
    since, sums = await request.ports(LimitPorts).decisions.read(window, now)
    counts: dict[Dimension, tuple[CountView, ...]] = {}
    for dimension, values in sums.items():
        views = [
            CountView(value=value, allowed=got.get("allowed", 0), refused=got.get("refused", 0), shadow=got.get("shadow", 0))
            for value, got in values.items()
        ]
        views.sort(key=lambda view: (-view.refused, -view.shadow, -view.allowed, view.value))
        counts[dimension] = tuple(views[:top])
    return MonitorView(window=window, since=since, until=now, counts=counts)


@post("/rate-limits/reset", opt=OPERATOR | RUNS_AGAIN, responses=PROBLEMS, status_code=HTTPStatus.OK, summary="Reset rate-limit buckets")
async def reset(request: ApiRequest, data: JSONBody[ResetBody]) -> ResetView:
    """Of one rule, or of all that apply to this address, user or key."""
    limiting = request.http.limiting
    known = {rule.name for rule in limiting.rules}
    if data.rule and data.rule not in known:
        raise invalid_field("rule", f"there is no rule {data.rule}", "one of " + ", ".join(sorted(known)))
    scopes = {"address": {"address"}, "user": {"user", "route"}, "key": {"key"}}[data.kind]
    value = network_of(data.value) if data.kind == "address" else data.value
    buckets = [(rule, value) for rule in limiting.rules if rule.scope in scopes and data.rule in {"", rule.name}]
    done = await limiting.reset(buckets)
    await _record(request, "rate_limit.reset", f"{data.kind}/{data.value}", rule=data.rule, reason=data.reason)
    return ResetView(reset=done)


@get("/rate-limits/allowlist", opt=OPERATOR, responses=PROBLEMS, summary="List the allow list")
async def allowlist(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[AccessView]:
    """Ordered by name."""
    return _list_entries(request, "allow", limit, cursor)


@put("/rate-limits/allowlist", opt=OPERATOR, responses=PROBLEMS, summary="Add an entry to the allow list")
async def allow(request: ApiRequest, data: JSONBody[AccessPut]) -> AccessView:
    """A range of addresses, a user or a key to which no rate rule applies."""
    return await _put(request, "allow", data)


@delete("/rate-limits/allowlist", opt=OPERATOR, responses=PROBLEMS, summary="Remove an entry from the allow list")
async def disallow(request: ApiRequest, data: JSONBody[AccessRemove]) -> None:
    """``404`` when there is no such entry."""
    await _remove(request, "allow", data)


@get("/rate-limits/denylist", opt=OPERATOR, responses=PROBLEMS, summary="List the deny list")
async def denylist(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[AccessView]:
    """Ordered by name."""
    return _list_entries(request, "deny", limit, cursor)


@put("/rate-limits/denylist", opt=OPERATOR, responses=PROBLEMS, summary="Add an entry to the deny list")
async def deny(request: ApiRequest, data: JSONBody[AccessPut]) -> AccessView:
    """All their requests are ``403`` within a second; the deny list wins over the allow list."""
    return await _put(request, "deny", data)


@delete("/rate-limits/denylist", opt=OPERATOR, responses=PROBLEMS, summary="Remove an entry from the deny list")
async def undeny(request: ApiRequest, data: JSONBody[AccessRemove]) -> None:
    """``404`` when there is no such entry."""
    await _remove(request, "deny", data)


def route_templates(app: Litestar) -> tuple[str, ...]:
    """The path templates below /api/v1, and those of the OpenAI-compatible routes."""
    served = (ROOT, OPENAI_ROOT)
    return tuple(sorted({route.path_format.removeprefix(ROOT) for route in app.routes if route.path_format.startswith(served)}))


def _response(request: ApiRequest, config: Config | None) -> Response[RulesView]:
    in_force = request.http.limiting.rules
    if config is None:
        return json_response(RulesView(rules=in_force, revision=0), HTTPStatus.OK, {"ETag": etag(0)})
    view = RulesView(
        rules=in_force, revision=config.revision, changed_at=config.changed_at, changed_by=config.changed_by, reason=config.reason
    )
    return json_response(view, HTTPStatus.OK, {"ETag": etag(config.revision)})


async def _put(request: ApiRequest, access: Access, data: AccessPut) -> AccessView:
    if (wrong := problem_of(data.kind, data.value)) is not None:
        raise Refused("validation_failed", errors=(wrong,))
    now = request.core.clock.now()
    if data.expires_at is not None and not _is_valid_expiry(data.expires_at, now):
        raise invalid_field(
            "expires_at", "is not a valid expiry time", f"with a time zone, in the future, at most {EXPIRY_DAYS_MAX} days ahead"
        )
    if len(request.http.limiting.lists) >= ENTRIES_MAX:
        raise Unavailable("overloaded", f"the lists have {ENTRIES_MAX} entries, the bound of what every process holds in memory")
    if access == "deny" and _matches_caller(request, data.kind, canonical_value(data.kind, data.value)):
        raise invalid_field("value", "would deny access to yourself", "another subject")
    entry = AccessEntry(
        access=access, kind=data.kind, value=canonical_value(data.kind, data.value), reason=data.reason, expires_at=data.expires_at
    )
    config = await request.ports(LimitPorts).config_writer.change(
        RATE_LIMIT_ACCESS + entry.name, msgspec.to_builtins(entry), by=subject_of(request.user), reason=data.reason
    )
    await _record(request, "rate_limit_access.add", entry.name, reason=data.reason)
    return AccessView(entry=entry, changed_at=config.changed_at, changed_by=config.changed_by, revision=config.revision)


def _is_valid_expiry(at: datetime, now: datetime) -> bool:
    return at.tzinfo is not None and now < at <= now + timedelta(days=EXPIRY_DAYS_MAX)


async def _remove(request: ApiRequest, access: Access, data: AccessRemove) -> None:
    if (wrong := problem_of(data.kind, data.value)) is not None:
        raise Refused("validation_failed", errors=(wrong,))
    name = f"{access}/{data.kind}/{canonical_value(data.kind, data.value)}"
    config = request.http.configs.get(RATE_LIMIT_ACCESS + name)
    if config is None or config.value is None:
        raise Refused("not_found", f"there is no entry {name}")
    await request.ports(LimitPorts).config_writer.change(RATE_LIMIT_ACCESS + name, None, by=subject_of(request.user), reason=data.reason)
    await _record(request, "rate_limit_access.remove", name, reason=data.reason)


async def _record(request: ApiRequest, action: str, target: str, **detail: str) -> None:
    """On the installation's audit log: limits concern every tenant."""
    await record_audit(
        request, action, tenant=ids.INSTALLATION, target=target, detail={name: text for name, text in detail.items() if text}
    )


def _list_entries(request: ApiRequest, access: Access, limit: int, cursor: str) -> Page[AccessView]:
    now = request.core.clock.now()
    views = []
    for config in request.http.configs.find_by_prefix(f"{RATE_LIMIT_ACCESS}{access}/"):
        if config.value is None or config.key <= cursor:
            continue
        entry = msgspec.convert(config.value, AccessEntry)
        if entry.expires_at is None or entry.expires_at > now:
            views.append(
                (config.key, AccessView(entry=entry, changed_at=config.changed_at, changed_by=config.changed_by, revision=config.revision))
            )
    page = views[:limit]
    return Page(items=tuple(view for _, view in page), next_cursor=page[-1][0] if len(views) > limit else None)


def _matches_caller(request: ApiRequest, kind: SubjectKind, value: str) -> bool:
    caller = request.user
    if kind == "cidr":
        lists = AccessLists([AccessEntry(access="deny", kind=kind, value=value)])
        return lists.verdict(address=address_of(request.scope), user="", key="", now=request.core.clock.now()) is not None
    return value == (subject_of(caller) if kind == "user" else caller.key_id)


def router() -> Router:
    """The routes of this module."""
    handlers = [mine, limits, rules, put_rules, rules_propagation, monitor, reset, allowlist, allow, disallow, denylist, deny, undeny]
    return Router("", route_handlers=handlers, tags=["rate limits"])
