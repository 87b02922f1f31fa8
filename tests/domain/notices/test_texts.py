"""The texts of notices in both languages, and the channels of their kinds."""

from typing import get_args

import pytest

from domain.notices.texts import DEFAULT_CHANNELS, channels_of, notice_text
from schemas.notices import Language, NoticeKind, NoticePreferences


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("kind", get_args(NoticeKind))
def test_every_kind_has_a_text_and_channels(kind, language):
    title, body = notice_text(kind, {}, language)
    assert title
    assert body
    assert "{" not in title + body
    assert DEFAULT_CHANNELS[kind]


def test_a_value_is_shown_on_one_line_and_never_interpreted():
    title, _ = notice_text("document.indexed", {"title": "a\nb{title}" + "x" * 500}, "en")
    assert title.startswith("“a b{title}xxx")
    assert len(title) < 300


def test_an_account_chooses_its_channels():
    preferences = NoticePreferences(id="a", tenant="t", channels={"document.failed": ("mail",), "document.indexed": ()})
    assert channels_of(preferences, "document.failed") == ("mail",)
    assert channels_of(preferences, "document.indexed") == ()
    assert channels_of(preferences, "dead_letter") == channels_of(None, "dead_letter") == ("in_app",)
