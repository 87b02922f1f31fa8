"""Which conversations a list has."""

from datetime import UTC, datetime

import pytest

from api.conversations.filters import ConversationFilter
from schemas.records import Conversation

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def conversation(title: str = "Fußnoten der Straße, 第二章") -> Conversation:
    return Conversation(id="c", tenant="t", user_id="u", title=title, created_at=NOW, updated_at=NOW, pinned=True)


@pytest.mark.parametrize("q", ["", "  ", "fuss", "STRASSE", "第二", "strasse ｆuß"])
def test_words_are_found_in_any_case_width_and_order(q: str) -> None:
    assert ConversationFilter.of(status=None, pinned=None, q=q).accepts(conversation())


@pytest.mark.parametrize(
    ("status", "pinned", "q"), [("archived", None, ""), (None, False, ""), (None, None, "strasse x"), ("active", True, "三")]
)
def test_everything_that_is_asked_for_has_to_hold(status: str | None, pinned: bool | None, q: str) -> None:
    asked = ConversationFilter.of(status=status, pinned=pinned, q=q)
    assert asked.is_set
    assert not asked.accepts(conversation())


def test_nothing_asked_is_no_filter() -> None:
    assert not ConversationFilter.of(status=None, pinned=None, q=" ").is_set
