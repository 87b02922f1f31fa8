from datetime import UTC, datetime, timedelta

import pytest

from adapters.secrets import tokens as module
from adapters.secrets.tokens import AccessTokens
from schemas.errors import Refused
from schemas.records import Account
from schemas.settings import AuthSettings
from schemas.settings.section import Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = Account(id="a", tenant="t", email="a@example.org", created_at=NOW)


def test_a_token_that_was_read_before_still_expires():
    """A signature stays right, a time does not."""
    tokens = AccessTokens(AuthSettings(secret=Secret("s" * 32), access_token_ttl_s=60))
    token, ttl_s = tokens.issue(ACCOUNT, NOW)
    assert tokens.read(token, NOW).sub == "a"
    assert tokens.read(token, NOW + timedelta(seconds=ttl_s - 1)).sub == "a"
    for _ in range(2):
        with pytest.raises(Refused, match="expired"):
            tokens.read(token, NOW + timedelta(seconds=ttl_s))


def test_what_is_remembered_is_bounded_and_forged_tokens_never_are(monkeypatch):
    monkeypatch.setattr(module, "VERIFIED_CACHED_MAX", 3)
    tokens, others = AccessTokens(AuthSettings(secret=Secret("s" * 32))), AccessTokens(AuthSettings(secret=Secret("o" * 32)))
    for n in range(10):
        token, _ = tokens.issue(ACCOUNT, NOW + timedelta(seconds=n))
        tokens.read(token, NOW)
        with pytest.raises(Refused):
            tokens.read(others.issue(ACCOUNT, NOW)[0], NOW)
    assert len(tokens._verified) == 3


def test_token_reading_uses_the_clock_it_is_given():
    tokens = AccessTokens(AuthSettings(secret=Secret("s" * 32)))
    token, life_s = tokens.issue(ACCOUNT, NOW)
    assert tokens.read(token, NOW).sub == ACCOUNT.id
    with pytest.raises(Refused):
        tokens.read(token, NOW + timedelta(seconds=life_s + 1))


def rotated() -> AuthSettings:
    until = (NOW + timedelta(hours=1)).isoformat()
    return AuthSettings(secret=Secret("n" * 32), previous_secret=Secret("o" * 32), previous_until=until)


def test_what_the_previous_secret_signed_is_valid_until_its_end_and_no_longer():
    """Also a token that was read before, and one whose own life is longer; derived API keys likewise. New ones are of the new secret."""
    old, new = AccessTokens(AuthSettings(secret=Secret("o" * 32), access_token_ttl_s=86_400)), AccessTokens(rotated())
    token, _ = old.issue(ACCOUNT, NOW)
    key = old.key_secret("id", NOW)
    for later in (timedelta(), timedelta(minutes=59)):
        assert new.read(token, NOW + later).sub == "a"
        assert new.is_key_secret(key, "id", NOW, NOW + later)
    for tokens in (new, AccessTokens(rotated())):
        with pytest.raises(Refused):
            tokens.read(token, NOW + timedelta(hours=1))
        assert not tokens.is_key_secret(key, "id", NOW, NOW + timedelta(hours=1))
    with pytest.raises(Refused):
        old.read(new.issue(ACCOUNT, NOW)[0], NOW)
    assert new.read(new.issue(ACCOUNT, NOW)[0], NOW + timedelta(minutes=59)).sub == "a"


def test_another_creation_of_an_api_key_has_another_secret():
    """Of the very same id: what is forgotten about the first one does not matter."""
    tokens = AccessTokens(AuthSettings(secret=Secret("s" * 32)))
    first, second = tokens.key_secret("id", NOW), tokens.key_secret("id", NOW + timedelta(microseconds=1))
    assert first != second
    assert tokens.is_key_secret(first, "id", NOW, NOW)
    assert not tokens.is_key_secret(first, "id", NOW + timedelta(microseconds=1), NOW)
