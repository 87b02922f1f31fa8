"""Passwords that people guess first score below the least that is accepted, whatever signs they contain."""

import time

import pytest

from adapters.secrets.strength import score_password
from schemas.settings.auth import AuthSettings

OWNER = ("ada.lovelace@example.org", "Ada")


@pytest.mark.parametrize(
    "password",
    [
        "password1",
        "12345678",
        "qwertyuiop",
        "P@ssw0rd!!",
        "hunter2hunter2",
        "woaini1314",
        "a5201314",
        "ada.lovelace",
        "lovelace1",
        "x" * 256,
    ],
)
def test_what_is_guessed_first_is_weak(password: str):
    assert score_password(password, OWNER) < AuthSettings().strength_min


@pytest.mark.parametrize("password", ["correct horse battery", "a long test passphrase", "我爱北京天安门和长城", "kW9#vq2Lm!xT"])
def test_what_is_hard_to_guess_is_accepted(password: str):
    assert score_password(password, OWNER) >= AuthSettings().strength_min


def test_the_time_it_takes_is_bounded():
    """The longest password there may be, of the kinds that take longest."""
    for password in ("x" * 256, "abcdefgh" * 32, "1990" * 64, "\U0001f600" * 256):
        began = time.thread_time()
        score_password(password, OWNER)
        assert time.thread_time() - began < 1.0
