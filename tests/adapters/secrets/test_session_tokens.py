import uuid
from datetime import UTC, datetime, timedelta

import pytest

from adapters.secrets.session_tokens import SessionTokens, parse_refresh
from adapters.secrets.tokens import AccessTokens
from schemas.errors import Refused
from schemas.records import Account
from schemas.settings import AuthSettings
from schemas.settings.section import Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AUTH = AuthSettings(secret=Secret("s" * 32))
OTHER = AuthSettings(secret=Secret("o" * 32))
SESSION = str(uuid.UUID(int=7))


def test_a_refresh_token_is_of_one_session_one_generation_and_one_beginning():
    tokens = SessionTokens(AUTH)
    text = tokens.refresh(SESSION, 3, NOW)
    presented = parse_refresh(text)
    assert presented is not None
    assert presented[:2] == (SESSION, 3)
    assert text == tokens.refresh(SESSION, 3, NOW)
    assert tokens.is_genuine(presented, NOW, NOW)
    assert not tokens.is_genuine(presented._replace(generation=4), NOW, NOW)
    assert not tokens.is_genuine(presented._replace(session_id=str(uuid.UUID(int=8))), NOW, NOW)
    assert not tokens.is_genuine(presented, NOW + timedelta(microseconds=1), NOW)
    assert not SessionTokens(OTHER).is_genuine(presented, NOW, NOW)


def test_no_token_passes_for_one_of_another_kind():
    account = Account(id="a", tenant="t", email="a@example.org", created_at=NOW)
    access, _ = AccessTokens(AUTH).issue(account, NOW)
    refresh, csrf = SessionTokens(AUTH).refresh(SESSION, 0, NOW), SessionTokens(AUTH).csrf(SESSION)
    for each in (access, csrf, "", "refresh", f"{refresh}x", refresh.upper(), f"{refresh}\n", "refresh." + "9" * 1_000):
        assert parse_refresh(each) is None
    for each in (refresh, csrf):
        with pytest.raises(Refused):
            AccessTokens(AUTH).read(each, NOW)
    assert SessionTokens(AUTH).is_csrf(csrf, SESSION, NOW)
    assert not SessionTokens(AUTH).is_csrf(csrf, str(uuid.UUID(int=8)), NOW)
    assert not SessionTokens(AUTH).is_csrf(refresh.rpartition(".")[2], SESSION, NOW)
    assert not SessionTokens(OTHER).is_csrf(csrf, SESSION, NOW)
