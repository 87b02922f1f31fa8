"""What the plumbing below every route uses: authentication, limits, idempotency, access to records, the count of streams."""

from dataclasses import dataclass

from adapters.secrets.session_tokens import SessionTokens
from adapters.secrets.tokens import AccessTokens
from api.area import Opening
from api.http.access import Access
from api.http.audit_queue import AuditQueue
from api.http.caps import Caps
from api.http.hosts import AllowedHosts
from api.http.idempotency import Idempotency
from api.http.identity import Identities
from api.http.open_count import OpenCount
from api.http.pages import PageSessions
from api.http.rate_limiting import RateLimiting
from domain.accounts.key_uses import KeyUses
from domain.configs.configs import Configs
from domain.limits.decisions import DecisionReporter
from domain.limits.limiter import Limiter
from domain.limits.live_rules import live_rules
from domain.limits.places import Places
from domain.limits.reservations import build_reservations
from schemas.records import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPorts:
    """``configs`` follows the configuration topic; ``limiting`` takes its rules and lists from it."""

    hosts: AllowedHosts
    audit: AuditQueue
    tokens: AccessTokens
    pages: PageSessions
    identities: Identities
    key_uses: KeyUses
    access: Access
    configs: Configs
    limiting: RateLimiting
    caps: Caps
    idempotency: Idempotency
    streams: OpenCount


def open_ports(opening: Opening) -> HttpPorts:
    """Built first: every area uses them."""
    core = opening.core
    settings, prefix = core.settings, core.settings.redis.key_prefix
    configs, reporter = core.live.configs, DecisionReporter(core.publisher, core.clock)
    limiter = Limiter(core.redis, prefix, settings.limits, fell_back=core.metrics.fallbacks.labels("limits").inc)
    opening.stop_with(limiter.stop)
    opening.run(reporter)
    places = Places(core.redis, prefix, replicas=settings.limits.replicas, fell_back=core.metrics.fallbacks.labels("places").inc)
    opening.run(places)
    audit = AuditQueue(core.publisher, core.metrics.audit_dropped.inc)
    opening.run(audit)
    tokens, uses = AccessTokens(settings.auth), KeyUses(core.redis, prefix)

    def record_use(credential: Credential) -> None:
        now = core.clock.now()
        if uses.is_due(credential, now):
            core.background.run(uses.write(credential, now))

    return HttpPorts(
        hosts=AllowedHosts(settings),
        audit=audit,
        tokens=tokens,
        pages=PageSessions(settings, SessionTokens(settings.auth), core.clock),
        identities=Identities(tokens, core.read_models, core.clock, record_use),
        key_uses=uses,
        access=Access(core.read_models),
        configs=configs,
        limiting=RateLimiting(
            limiter,
            settings,
            core.metrics,
            live=core.live.whole,
            rules=live_rules(core.live),
            configs=configs,
            reporter=reporter,
            reservations=build_reservations(core.redis, settings),
            clock=core.clock,
        ),
        caps=Caps(core, places),
        idempotency=Idempotency(core.redis, prefix),
        streams=OpenCount(core.metrics.streams_open, settings.limits.streams_max, "event streams"),
    )
