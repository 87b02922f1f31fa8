"""What of a message a search shows."""

import pytest

from api.conversations.message_search import EXCERPT_CHARS, excerpt_of


@pytest.mark.parametrize(
    ("content", "words", "excerpt"),
    [
        ("The leave\n is long", ("leave",), "The leave is long"),
        ("LEAVE", ("days", "leave"), "LEAVE"),
        ("a" * 100 + " days " + "b" * 100, ("days",), "…" + "a" * (EXCERPT_CHARS - 1) + " days " + "b" * (EXCERPT_CHARS - 1) + "…"),
        ("ＦＵＬＬ width", ("full",), "ＦＵＬＬ width"),
        ("(a+)+$ [x]", ("(a+)+$",), "(a+)+$ [x]"),
    ],
)
def test_the_surroundings_of_the_first_word(content: str, words: tuple[str, ...], excerpt: str) -> None:
    assert excerpt_of(content, words) == excerpt
