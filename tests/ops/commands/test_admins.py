"""What `claw admin create` takes for a password and an address, and the line with which `claw up` tells of it."""

import io
import sys
from collections.abc import Iterator

import pytest

from ops.commands.admins import ask_password, parse_registration, read_password
from schemas.errors import ConfigurationError

GOOD = "a long test passphrase"


@pytest.mark.parametrize("password", ["12345678", "x" * 256, "密码也可以很长很长", " spaces count "])
def test_passwords_that_registration_takes(password: str):
    assert parse_registration("ada@example.org", password, "Ada").password == password


@pytest.mark.parametrize(
    ("email", "password", "name", "says"),
    [
        ("ada@example.org", "", "", "password must be str of length >= 8"),
        ("ada@example.org", "1234567", "", "password must be str of length >= 8"),
        ("ada@example.org", "x" * 257, "", "password must be str of length <= 256"),
        ("ada@nowhere", GOOD, "", "email must be str matching regex"),
        ("ada@example.org", GOOD, "x" * 101, "name must be str of length <= 100"),
    ],
)
def test_what_registration_refuses_is_named_with_its_limit(email: str, password: str, name: str, says: str):
    with pytest.raises(ConfigurationError) as raised:
        parse_registration(email, password, name)
    assert says in raised.value.detail
    assert len(password) < 2 or password not in raised.value.detail


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_password_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", Terminal())
    prompts: list[str] = []
    typed: Iterator[str] = iter([GOOD, GOOD, GOOD, "another"])

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return next(typed)

    assert ask_password(ask) == GOOD
    assert len(set(prompts)) == 2
    with pytest.raises(ConfigurationError, match="entries differ"):
        ask_password(ask)


def test_without_a_terminal_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{GOOD}\n"))
    with pytest.raises(ConfigurationError, match="--password-stdin"):
        ask_password(lambda _: GOOD)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (f"{GOOD}\n".encode(), GOOD),
        (GOOD.encode(), GOOD),
        (f"{GOOD}\r\nmore\n".encode(), GOOD),
        (" 口令 ".encode(), " 口令 "),
        (b"x" * 100_000, "x" * 4_096),
    ],
)
def test_one_line_of_standard_input_is_the_password(monkeypatch: pytest.MonkeyPatch, given: bytes, read: str):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert read_password() == read


def test_a_line_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\n")))
    with pytest.raises(ConfigurationError, match="UTF-8"):
        read_password()
