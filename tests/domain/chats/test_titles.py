"""A title by rule is the first sentence, on one line, cut between words."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.chats.titles import TITLE_WIDTH_MAX, is_untitled, may_improve_title, title_of
from schemas.records import Conversation


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("How many days of leave?  I am new here.", "How many days of leave?"),
        ("  \n# Leave\nHow many?", "Leave"),
        ("- 1.5 t of rice, or more", "1.5 t of rice, or more"),
        ("年假有多少天？我是新来的。", "年假有多少天？"),
        ("word " * 20, "word word word word word word word word word word word…"),
        ("x" * 80, "x" * 59 + "…"),
        ("字" * 40, "字" * 29 + "…"),
        ("\u202e\u200b", ""),
        ("？", "？"),
    ],
)
def test_titles(question: str, title: str) -> None:
    assert title_of(question) == title


@given(st.text(max_size=300))
def test_a_title_is_short_and_one_line(question: str) -> None:
    title = title_of(question)
    assert "\n" not in title
    assert len(title) <= TITLE_WIDTH_MAX
    assert title == title.strip()


def test_whose_title_it_is() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def conversation(**more: str) -> Conversation:
        return Conversation(id="c", tenant="t", user_id="u", created_at=now, updated_at=now, **more)  # type: ignore[arg-type]

    assert is_untitled(conversation())
    for taken in (conversation(title="x"), conversation(titled_by="person"), conversation(title="x", titled_by="model")):
        assert not is_untitled(taken)
        assert not may_improve_title(taken)
    assert may_improve_title(conversation(title="x", titled_by="rule"))
