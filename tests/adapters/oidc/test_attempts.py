from datetime import UTC, datetime, timedelta

from adapters.oidc.attempts import LIFE_S, LoginAttempts
from schemas.settings import AuthSettings
from schemas.settings.section import Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def attempts(secret: str = "s") -> LoginAttempts:
    counted = iter(range(256))
    return LoginAttempts(AuthSettings(secret=Secret(secret * 32)), lambda count: bytes([next(counted)]) * count)


def test_an_attempt_is_of_the_browser_that_has_its_cookie_for_ten_minutes():
    begun = attempts().begin("/home", NOW)
    cookie = attempts().seal(begun)
    assert attempts().read(cookie, begun.state, NOW + timedelta(seconds=LIFE_S - 1)) == begun
    assert len({begun.state, begun.nonce, begun.verifier, begun.challenge}) == 4
    for value, state, at in (
        (cookie, begun.state, NOW + timedelta(seconds=LIFE_S)),
        (cookie, begun.nonce, NOW),
        (cookie, "é", NOW),
        (f"{cookie}x", begun.state, NOW),
        (f"x{cookie}", begun.state, NOW),
        (attempts("o").seal(begun), begun.state, NOW),
        ("", begun.state, NOW),
        ("." * 5_000, begun.state, NOW),
    ):
        assert attempts().read(value, state, at) is None


def test_the_challenge_is_that_of_the_specification():
    """RFC 7636, appendix B."""
    begun = attempts().begin("/", NOW)
    known = type(begun)("s", "n", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "/", 0)
    assert known.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
