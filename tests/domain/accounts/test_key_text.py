"""A key that was damaged on its way is told apart from one that was revoked; keys of before there was a checksum stay valid."""

import string
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.key_text import key_text, split_key
from schemas.errors import Refused

SECRET = st.text(string.ascii_letters + string.digits + "-_", min_size=43, max_size=43)
KEYS = st.builds(lambda key_id, secret: (str(key_id), secret, key_text(str(key_id), secret)), st.uuids(), SECRET)


def is_malformed(key: str) -> bool:
    try:
        split_key(key)
    except Refused as refusal:
        return refusal.code == "api_key_malformed"
    return False


@given(KEYS)
def test_a_key_has_its_id_and_secret(key: tuple[str, str, str]) -> None:
    key_id, secret, text = key
    assert split_key(text) == (key_id, secret)
    assert split_key(f"claw_{UUID(key_id).hex}_{secret}") == (key_id, secret)


@given(KEYS, st.data())
def test_one_wrong_character_is_seen(key: tuple[str, str, str], data: st.DataObject) -> None:
    """Wherever it stands, whatever it is."""
    _, _, text = key
    at = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_").filter(lambda each: each != text[at]))
    assert is_malformed(text[:at] + wrong + text[at + 1 :])


@given(KEYS, st.data())
def test_two_characters_that_changed_places_are_seen(key: tuple[str, str, str], data: st.DataObject) -> None:
    _, _, text = key
    at = data.draw(st.integers(0, len(text) - 2))
    swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    assert swapped == text or is_malformed(swapped)


@given(KEYS, st.data())
def test_a_part_of_a_key_is_seen(key: tuple[str, str, str], data: st.DataObject) -> None:
    """Whether its beginning or its end is missing."""
    _, _, text = key
    cut = data.draw(st.integers(1, len(text) - 1))
    assert is_malformed(text[:cut])
    assert is_malformed(text[cut:])


@pytest.mark.parametrize("text", ["", "claw_", "claw__", "claw_x_y", "claw_" + "0" * 32, "claw_" + "0" * 32 + "_" + "x" * 129, "clawé"])
def test_what_is_no_key(text: str) -> None:
    assert is_malformed(text)
