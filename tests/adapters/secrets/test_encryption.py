"""Sealed passwords: opened by the same secret for the same document only."""

import pytest

from adapters.secrets.encryption import decrypt, encrypt, fingerprint
from schemas.errors import Refused

SECRET = "test-" * 8


@pytest.mark.parametrize("password", ["hunter2", "密码 with spaces", "x" * 1_000])
def test_sealed_and_opened(password: str):
    sealed = encrypt(SECRET, password, context="t/kb/doc")
    assert password not in sealed
    assert sealed.isascii()
    assert decrypt(SECRET, sealed, context="t/kb/doc") == password
    assert encrypt(SECRET, password, context="t/kb/doc") != sealed


@pytest.mark.parametrize(
    ("secret", "context", "change"),
    [
        ("another" * 8, "t/kb/doc", str),
        (SECRET, "t/kb/other", str),
        (SECRET, "t/kb/doc", lambda sealed: sealed[:-8] + "AAAAAAA="),
        (SECRET, "t/kb/doc", lambda sealed: sealed.removeprefix("v1.")),
        (SECRET, "t/kb/doc", lambda sealed: "v1.####"),
        (SECRET, "t/kb/doc", lambda sealed: "v1."),
        (SECRET, "t/kb/doc", lambda sealed: "密"),
    ],
)
def test_nothing_else_opens_it(secret, context, change):
    sealed = encrypt(SECRET, "hunter2", context="t/kb/doc")
    with pytest.raises(Refused) as refused:
        decrypt(secret, change(sealed), context=context)
    assert refused.value.code == "password_required"


def test_fingerprints_need_the_secret():
    assert fingerprint(SECRET, "a") == fingerprint(SECRET, "a") != fingerprint(SECRET, "b")
    assert fingerprint(SECRET, "a") != fingerprint("another", "a")
