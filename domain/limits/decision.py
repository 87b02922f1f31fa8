"""The decision over one request: whether it may pass, and the state of every rule that applies to it."""

from collections.abc import Sequence

from msgspec import Struct

from schemas.limits import Rule


class RuleState(Struct, frozen=True):
    """A rule after the decision: tokens left, seconds until its bucket is full, seconds until the request would have passed. ``refuses``:
    there is not enough left; of a shadow rule nothing follows from that.
    """

    rule: Rule
    remaining: int
    reset_s: int
    retry_after_s: int
    refuses: bool = False


class Decision(Struct, frozen=True):
    """Whether the request may pass, and the state of every rule that applies."""

    allowed: bool
    states: tuple[RuleState, ...] = ()

    @property
    def public_states(self) -> list[RuleState]:
        """The states that the caller sees; shadow rules are for operators only."""
        return [state for state in self.states if not state.rule.shadow]

    @property
    def shadow_refusals(self) -> list[str]:
        """The shadow rules that would have refused."""
        return [state.rule.name for state in self.states if state.refuses and state.rule.shadow]

    @property
    def decisive(self) -> RuleState | None:
        """The rule that refuses (the one to wait for longest), or the one with the least left."""
        states = self.public_states
        if not states:
            return None
        if self.allowed:
            return min(states, key=lambda state: state.remaining)
        return max(states, key=lambda state: state.retry_after_s)

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
        states, decisive = self.public_states, self.decisive
        if decisive is None:
            return {}
        headers = {
            "RateLimit-Policy": ", ".join([s.rule.policy for s in states]),
            "RateLimit": ", ".join([f'"{s.rule.name}";r={s.remaining};t={s.reset_s}' for s in states]),
            "X-RateLimit-Limit": str(decisive.rule.burst),
            "X-RateLimit-Remaining": str(decisive.remaining),
            "X-RateLimit-Reset": str(decisive.reset_s),
        }
        return headers if self.allowed else headers | {"Retry-After": str(self.retry_after_s)}


def build_decision(allowed: bool, rules: Sequence[Rule], lacking: Sequence[int], cost: int) -> Decision:  # noqa: FBT001
    """The decision from a script's reply: per rule what its bucket lacks to be full, or -1 less that where there is not enough."""
    states = []
    for rule, marked in zip(rules, lacking, strict=True):
        refuses = marked < 0
        lack_us = -1 - marked if refuses else marked
        size_us = rule.burst * rule.interval_us
        wait_us = max(0, lack_us + min(cost, rule.burst) * rule.interval_us - size_us) if refuses else 0
        states.append(RuleState(rule, (size_us - lack_us) // rule.interval_us, _seconds(lack_us), _seconds(wait_us), refuses))
    return Decision(allowed, tuple(states))


def _seconds(us: int) -> int:
    """Whole seconds, rounded up."""
    return -(-us // 1_000_000)
