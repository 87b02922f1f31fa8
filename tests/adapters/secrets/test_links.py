from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.secrets.links import LINK_CHARS_MAX, LinkClaims, Links
from schemas.errors import Refused
from schemas.settings import AuthSettings
from schemas.settings.section import Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
END = NOW + timedelta(hours=1)


def links(secret: str = "s", **rest: Any) -> Links:
    return Links(AuthSettings(secret=Secret(secret * 32), **rest))


def test_a_link_says_what_it_was_issued_for_until_it_expires():
    """The sender of the mail and another process make the same text of the same request."""
    text = links().issue("reset_password", "account", "password/3", END)
    assert text == links().issue("reset_password", "account", "password/3", END)
    assert links().read(text, "reset_password", END - timedelta(seconds=1)) == LinkClaims("account", "password/3")
    with pytest.raises(Refused) as refusal:
        links().read(text, "reset_password", END)
    assert refusal.value.code == "link_invalid"


def test_a_link_passes_for_no_other():
    """Another purpose, another installation, another subject under the signature, cut or extended: one refusal for all."""
    text = links().issue("verify_email", "account", "ada@example.com", END)
    body, _, signature = text.partition(".")
    other = links().issue("verify_email", "another", "ada@example.com", END).partition(".")[0]
    forged = [
        links("o").issue("verify_email", "account", "ada@example.com", END),
        f"{other}.{signature}",
        body,
        f"{text}x",
        f".{signature}",
    ]
    for each in (*forged, text[:-1], "", ".", "é", "x" * (LINK_CHARS_MAX + 1), f"{text}.{signature}"):
        with pytest.raises(Refused):
            links().read(each, "verify_email", NOW)
    for purpose in ("reset_password", "invitation"):
        with pytest.raises(Refused):
            links().read(text, purpose, NOW)


def test_links_of_the_previous_secret_end_with_its_overlap():
    text = links("o").issue("invitation", "i", "b", NOW + timedelta(days=7))
    rotated = links("n", previous_secret=Secret("o" * 32), previous_until=END.isoformat())
    assert rotated.read(text, "invitation", END - timedelta(seconds=1)).subject == "i"
    with pytest.raises(Refused):
        rotated.read(text, "invitation", END)


def test_a_link_is_bounded():
    with pytest.raises(ValueError, match="2048 characters"):
        links().issue("invitation", "i", "b" * LINK_CHARS_MAX, END)
