"""A decision as a client sees it: the states of its rules, without those of shadow rules."""

from domain.limits.decision import Decision, RuleState
from schemas.limits import Rule


def test_headers() -> None:
    """IETF structured fields for every rule, X- headers for the decisive one, Retry-After rounded up."""
    first = RuleState(Rule(name="global", rate=600, burst=1200, scope="global"), 1199, 1, 0)
    second = RuleState(Rule(name="user_free", rate=100, burst=200, scope="user"), 0, 120, 1)
    assert Decision(allowed=False, states=(first, second)).headers() == {
        "RateLimit-Policy": '"global";q=1200;w=120, "user_free";q=200;w=120',
        "RateLimit": '"global";r=1199;t=1, "user_free";r=0;t=120',
        "X-RateLimit-Limit": "200",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "120",
        "Retry-After": "1",
    }
    assert "Retry-After" not in Decision(allowed=True, states=(first, second)).headers()


def test_the_decisive_rule() -> None:
    """With the least left when the request passes, with the longest wait when it does not; never a shadow rule."""
    wide = RuleState(Rule(name="wide", rate=60, burst=60, scope="user"), 40, 20, 3)
    narrow = RuleState(Rule(name="narrow", rate=6, burst=6, scope="user"), 2, 40, 1)
    shadow = RuleState(Rule(name="shadow", rate=1, burst=1, scope="user", shadow=True), 0, 60, 60, refuses=True)
    allowed, refused = Decision(allowed=True, states=(wide, narrow, shadow)), Decision(allowed=False, states=(wide, narrow, shadow))
    assert (allowed.rule, allowed.limit, allowed.remaining, allowed.reset_s, allowed.retry_after_s) == ("narrow", 6, 2, 40, 0)
    assert (refused.rule, refused.limit, refused.remaining, refused.retry_after_s) == ("wide", 60, 40, 3)
    assert (refused.shadow_refusals, [state.rule.name for state in refused.public_states]) == (["shadow"], ["wide", "narrow"])
