"""Rate limits of requests: deny and allow lists, the rules that apply, refusals, and the reservations of answers."""

from collections.abc import Sequence
from contextlib import suppress

import msgspec
import structlog

from adapters.text.language import estimate_tokens
from api.http.identity import Caller
from api.http.metrics import Metrics
from domain.configs.configs import Configs
from domain.limits.access_lists import AccessLists
from domain.limits.client_address import UNKNOWN, client_address, parse_networks
from domain.limits.decision import Decision
from domain.limits.decisions import DecisionReporter
from domain.limits.limiter import Limiter
from domain.limits.reservations import ReservationResult, Reservations, refusal_of
from domain.limits.rules import ApplicableRules, applicable_rules, network_of
from domain.widgets.limits import WidgetLimits, WidgetRules, limits_of, question_rules, request_rules, share_refusal
from domain.widgets.settings import WidgetSettings
from schemas.configs import RATE_LIMIT_ACCESS, Config
from schemas.errors import Refused, Unavailable
from schemas.limits import AccessEntry, Rule
from schemas.model_names import provider_of
from schemas.settings import LimitSettings, Settings
from schemas.widgets import WidgetAccess
from streams.clock import Clock
from streams.live import Live

log = structlog.get_logger(__name__)
OF_ACCOUNTS = frozenset({"user", "route"})  # scopes whose buckets belong to an account
ALLOWED = Decision(allowed=True)


class RateLimiting:
    """The limits of this process. Rules and lists follow the configuration within a second."""

    def __init__(
        self,
        limiter: Limiter,
        settings: Settings,
        metrics: Metrics,
        *,
        live: Live[Settings],
        rules: Live[tuple[Rule, ...]],
        configs: Configs,
        reporter: DecisionReporter,
        reservations: Reservations,
        clock: Clock,
    ) -> None:
        limits: LimitSettings = settings.limits
        self._limiter, self._metrics, self._reporter, self._clock = limiter, metrics, reporter, clock
        self._reservations, self._settings = reservations, live
        self._trusted = parse_networks(limits.trusted_proxies)
        self._rules = rules
        self.enabled = limits.enabled
        self.lists = AccessLists()
        metrics.limits_local.set_function(lambda: float(self._limiter.is_local))
        configs.watch(RATE_LIMIT_ACCESS, self._access_changed)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Those that are in force."""
        return self._rules.value

    def address_of(self, client: tuple[str, int] | None, forwarded_for: Sequence[str]) -> str:
        """The client's address: the peer's, or the one that trusted proxies forward."""
        return client_address(client[0] if client else UNKNOWN, forwarded_for, self._trusted)

    def verdict(self, address: str, caller: Caller | None) -> AccessEntry | None:
        """The list entry that applies to this caller, if any."""
        return self.lists.verdict(address=address, user=subject_of(caller), key=key_of(caller), now=self._clock.now())

    def check_access(self, address: str, caller: Caller | None) -> bool:
        """Whether the caller is exempt from every rule; Refused("access_denied") for one on the deny list."""
        verdict = self.verdict(address, caller)
        if verdict is not None and verdict.access == "deny":
            self._metrics.denials.labels(verdict.kind).inc()
            raise Refused("access_denied")
        return verdict is not None and (caller is None or caller.widget is None)  # what exempts an account exempts no stranger

    async def decide(self, address: str, caller: Caller | None, path: str, route: str) -> Decision:
        """One decision over every rule that applies to the request; counted in the decision statistics."""
        if not self.enabled:
            return ALLOWED
        rules = self.request_rules(address, caller, path)
        decision = await self._limiter.decide(rules)
        tier = caller.tier if caller else "none"
        self._reporter.record(
            refusing="" if decision.allowed else decision.rule,
            shadowing=decision.shadow_refusals,
            rules=[rule.name for rule, _ in rules],
            route=route,
            tier=tier,
            address=address,
        )
        for name in decision.shadow_refusals:
            self._metrics.shadow_refusals.labels(name).inc()
        return decision

    def request_rules(self, address: str, caller: Caller | None, path: str) -> ApplicableRules:
        """The request rules that apply to this caller on this path."""
        user, tier = (subject_of(caller), caller.tier) if caller else ("", "free")
        if caller is not None and caller.widget is not None:  # strangers, who take nothing from the account's own requests
            shared = [rule for rule in self.rules if rule.scope not in OF_ACCOUNTS]
            rules = request_rules(self.widget_limits(caller.widget))
            return [*applicable_rules(shared, address=address, user=user, key=caller.key_id), *_widget_buckets(rules, caller, address)]
        return applicable_rules(self.rules, address=address, user=user, tier=tier, path=path, key=key_of(caller))

    def widget_limits(self, access: WidgetAccess) -> WidgetLimits:
        """The limits in force of a widget's key."""
        return limits_of(access, self._settings.value.of(WidgetSettings))

    async def spend_widget_question(self, access: WidgetAccess, caller: Caller, address: str) -> None:
        """Count a question of a visitor with this ``address``; Refused("rate_limited")."""
        await self.spend(_widget_buckets(question_rules(self.widget_limits(access)), caller, address))

    def token_rules(self, caller: Caller) -> ApplicableRules:
        """The rules over model tokens that apply to this caller."""
        return applicable_rules(self.rules, user=subject_of(caller), tier=caller.tier, counts="model_tokens")

    async def spend_embedding_tokens(self, caller: Caller, tokens: int) -> None:
        """Take the tokens of a text to embed from the caller's buckets; Refused("rate_limited"). Exempt callers take none."""
        if (verdict := self.verdict("", caller)) is None or verdict.access != "allow":
            await self.spend(self.embedding_rules(caller), max(1, tokens))

    def embedding_rules(self, caller: Caller) -> ApplicableRules:
        """The rules over tokens of embeddings that apply to this caller."""
        return applicable_rules(self.rules, user=subject_of(caller), tier=caller.tier, counts="embedding_tokens")

    async def peek(self, address: str, caller: Caller) -> Decision:
        """What is left of every rule that may apply to the caller; takes no tokens."""
        user, tier, key = subject_of(caller), caller.tier, key_of(caller)
        rules = [
            *applicable_rules([rule for rule in self.rules if rule.scope != "route"], address=address, user=user, tier=tier, key=key),
            *((rule, user) for rule in self.rules if rule.scope == "route" and rule.counts == "requests"),
            *self.token_rules(caller),
            *self.embedding_rules(caller),
        ]
        return await self._limiter.decide(rules, 0)

    async def reset(self, rules: ApplicableRules) -> int:
        """Fill buckets; returns how many were not full. Raises Unavailable."""
        return await self._limiter.reset(rules)

    async def spend(self, rules: Sequence[tuple[Rule, str]], cost: int = 1) -> None:
        """Take ``cost`` tokens from each of the handler's own buckets; Refused("rate_limited") when one has not enough."""
        if self.enabled and not (decision := await self._limiter.decide(rules, cost)).allowed:
            raise self.refusal(decision)

    def refusal(self, decision: Decision) -> Refused:
        """The 429 with the rule and the wait."""
        self._metrics.refusals.labels(decision.rule).inc()
        detail = f"the limit {decision.rule} allows {decision.limit} at once; wait {decision.retry_after_s} s"
        return Refused("rate_limited", detail, retry_after_s=decision.retry_after_s, rule=decision.rule)

    async def reserve(self, caller: Caller, reply_id: str, texts: Sequence[str], answer_tokens: int = 0, model: str = "") -> bool:
        """Reserve a place and the largest number of model tokens an answer may use; True when there is a reservation to settle.

        Raises Refused("rate_limited"), and "widget_share_used" for visitors of a widget, who leave a part to the account. ``texts``: the
        caller's part of the prompt. ``model``: the chosen one; the keyless one takes no tokens. Exempt callers reserve nothing.
        """
        settings = self._settings.value
        if not self.enabled or ((verdict := self.verdict("", caller)) is not None and verdict.access == "allow"):
            return False
        rules = self.token_rules(caller) if provider_of(settings, model) != "local" else ()
        tokens = sum(map(estimate_tokens, texts)) + settings.retrieval.context_tokens
        tokens += answer_tokens or settings.model.max_tokens
        visitors = None if caller.widget is None else self.widget_limits(caller.widget)
        share = 1.0 if visitors is None else visitors.account_share
        reserved: ReservationResult = await self._reservations.reserve(rules, subject_of(caller), reply_id, tokens, share=share)
        refusal = refusal_of(reserved, settings.limits.replies_open_max)
        if refusal is not None and visitors is not None:
            refusal = share_refusal(visitors, refusal.rule, refusal.retry_after_s)
        if refusal is not None:
            self._metrics.refusals.labels(refusal.rule).inc()
            raise refusal
        return reserved.held

    async def release(self, caller: Caller, reply_id: str) -> None:
        """Give back the reservation of a question that did not reach the log. While Redis is down it expires."""
        with suppress(Unavailable):
            await self._reservations.settle(subject_of(caller), reply_id, 0)

    def _access_changed(self, key: str, config: Config | None) -> None:
        name = key.removeprefix(RATE_LIMIT_ACCESS)
        if config is None or config.value is None:
            self.lists.remove(name)
            return
        try:
            self.lists.put(msgspec.convert(config.value, AccessEntry))
        except (msgspec.ValidationError, ValueError) as error:
            log.warning("access_entry_unusable", key=key, error=str(error))


def _widget_buckets(rules: WidgetRules, caller: Caller, address: str) -> list[tuple[Rule, str]]:
    return [(rules.visitor, f"{caller.key_id}/{network_of(address)}"), (rules.key, caller.key_id)]


def subject_of(caller: Caller | None) -> str:
    """The subject of the caller's user buckets; "" without a caller."""
    return f"{caller.tenant}/{caller.account_id}" if caller else ""


def key_of(caller: Caller | None) -> str:
    """The id of the caller's API key; "" without one."""
    return (caller.key_id if caller else None) or ""
