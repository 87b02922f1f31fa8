"""How the rate limits meet a request: which rules apply to it, and how a refusal is told."""

from collections.abc import Sequence

from api.identity import Caller
from api.metrics import Metrics
from schemas.errors import Refused
from schemas.settings import Limits
from streams.addresses import UNKNOWN, client_address, trusted_networks
from streams.limits import Decision, Limiter, Rule, applying, default_rules


class Limiting:
    """The rules of this process. They are read with every request, so that they may change while it runs."""

    def __init__(self, limiter: Limiter, limits: Limits, metrics: Metrics) -> None:
        self._limiter = limiter
        self._metrics = metrics
        self._trusted = trusted_networks(limits.trusted_proxies)
        self.enabled = limits.enabled
        self.rules: tuple[Rule, ...] = default_rules(limits)

    def address_of(self, client: tuple[str, int] | None, forwarded_for: Sequence[str]) -> str:
        """The client's address: the peer's, or behind trusted proxies the one they saw."""
        return client_address(client[0] if client else UNKNOWN, forwarded_for, self._trusted)

    async def decide(self, address: str, caller: Caller | None, path: str) -> Decision:
        """One decision over every rule that applies to the request."""
        user, tier = (f"{caller.tenant}/{caller.account_id}", caller.tier) if caller else ("", "free")
        return await self._limiter.decide(applying(self.rules, address=address, user=user, tier=tier, path=path))

    async def spend(self, rules: Sequence[tuple[Rule, str]]) -> None:
        """Take from buckets of the handler's own; Refused("rate_limited") when one is empty."""
        if self.enabled and not (decision := await self._limiter.decide(rules)).allowed:
            raise self.refusal(decision)

    def refusal(self, decision: Decision) -> Refused:
        """The 429 that says which rule and how long."""
        self._metrics.refusals.labels(decision.rule).inc()
        detail = f"the limit {decision.rule} allows {decision.limit} at once; wait {decision.retry_after_s} s"
        return Refused("rate_limited", detail, retry_after_s=decision.retry_after_s, rule=decision.rule)
