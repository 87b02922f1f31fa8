from datetime import UTC, datetime, timedelta

import pytest

from adapters.secrets.signing import OVERLAP_MAX, SigningSecrets, check_overlap
from schemas.errors import ConfigurationError
from schemas.settings import AuthSettings
from schemas.settings.section import Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
END = NOW + timedelta(hours=1)


def rotated(until: datetime | None = END) -> AuthSettings:
    end = until.isoformat() if until is not None else ""
    return AuthSettings(secret=Secret("n" * 32), previous_secret=Secret("o" * 32), previous_until=end)


def test_a_signature_is_of_one_purpose_one_message_and_a_secret_in_its_time():
    old, new = SigningSecrets(AuthSettings(secret=Secret("o" * 32))), SigningSecrets(rotated())
    signature = old.sign("a", "m")
    assert old.is_signature("a", "m", signature, NOW)
    assert not old.is_signature("b", "m", signature, NOW)
    assert not old.is_signature("a", "n", signature, NOW)
    assert not old.is_signature("a", "m", "", NOW)
    assert not old.is_signature("a", "m", "é", NOW)
    assert new.is_signature("a", "m", signature, END - timedelta(seconds=1))
    assert not new.is_signature("a", "m", signature, END)
    assert not old.is_signature("a", "m", new.sign("a", "m"), NOW)


def test_a_previous_secret_has_an_end_within_a_week():
    check_overlap(rotated(NOW + OVERLAP_MAX), NOW)
    with pytest.raises(ConfigurationError, match=r"CLAW_AUTH_PREVIOUS_UNTIL: .* more than 7 days ahead"):
        check_overlap(rotated(NOW + OVERLAP_MAX + timedelta(seconds=1)), NOW)
    for auth in (rotated(None), AuthSettings(secret=Secret("n" * 32), previous_secret=Secret("short"))):
        with pytest.raises(ConfigurationError, match="CLAW_AUTH_PREVIOUS_"):
            SigningSecrets(auth)
