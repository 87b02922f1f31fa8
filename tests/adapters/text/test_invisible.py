"""What a text is written with stays; what only hides something goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text.invisible import strip_invisible, strip_joiners

SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f466"
WRITTEN = (
    FAMILY,
    "\U0001f469\U0001f3fd\u200d\U0001f680",  # an astronaut with a skin tone
    "\u2764\ufe0f\u200d\U0001f525",
    "\U0001f3c3\u200d\u2642\ufe0f",
    "\u26a0\ufe0f",
    "\u26a0\ufe0e",
    "7\ufe0f\u20e3",
    "\U0001f1e8\U0001f1f3",
    SCOTLAND,
    "می\u200cخواهم",
    "क्\u200dष",
    "葛\U000e0100",
)


@pytest.mark.parametrize("written", WRITTEN, ids=ascii)
def test_what_is_drawn_stays(written: str) -> None:
    text = f"门票{written}二百元"
    assert strip_invisible(text) == text


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("付款\u202e给张三\u202c", "付款给张三"),
        ("12\u200b34\u206056", "123456"),
        ("[\u200d1\ufe0f]", "[1]"),  # neither joins pictures, and no keycap follows
        ("a\u200db \u200d\U0001f469", "ab \U0001f469"),
        ("\U0001f469\u200d", "\U0001f469"),  # joins it to nothing
        ("票\U000e0069\U000e0067\U000e006e\U000e006f\U000e0072\U000e0065", "票"),
        ("\U0001f3f4\U000e0069\U000e0067\U000e006e\U000e007f", "\U0001f3f4"),  # no region: a message to a model
        ("\ufeff\u00ad软\u3164件", "软件"),
    ],
    ids=ascii,
)
def test_what_is_not_drawn_goes(hidden: str, shown: str) -> None:
    assert strip_invisible(hidden) == shown


@given(
    st.lists(st.sampled_from([*WRITTEN, "\u200d", "\ufe0f", "\u202e", "\U000e0061", "a", "好", "1", "\U0001f469"]), max_size=20).map(
        "".join
    )
)
def test_nothing_that_is_seen_is_lost_and_a_second_time_changes_nothing(text: str) -> None:
    seen = strip_invisible(text)
    assert strip_invisible(seen) == seen
    bare = "".join(character for character in text if not _is_invisible(character))
    assert "".join(character for character in seen if not _is_invisible(character)) == bare


def test_a_text_that_is_cut_ends_with_no_joiner() -> None:
    assert strip_joiners(FAMILY[:2]) == FAMILY[:1]
    assert strip_joiners(FAMILY) == FAMILY


def _is_invisible(character: str) -> bool:
    return strip_invisible(f"a{character}a") == "aa"
