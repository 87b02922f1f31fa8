"""Entries are bounded and break no reader's line, whatever a stranger sends as user agent, target or detail."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audit.entries import DETAIL_CHARS_MAX, DETAIL_MAX, TARGET_CHARS_MAX, USER_AGENT_CHARS_MAX, shorten
from domain.audit.reader import AuditFilter
from schemas.audit import Actor
from tests.support.audit_entries import entry

AT = datetime(2026, 11, 30, tzinfo=UTC)


@given(st.text(), st.text(), st.dictionaries(st.text(max_size=5), st.text()))
def test_texts_are_bounded_lines(target: str, agent: str, detail: dict[str, str]) -> None:
    """What is longer ends with an ellipsis; nothing empty is kept."""
    made = entry(target=target * 50, user_agent=agent * 50, detail=detail).data
    assert len(made.target) <= TARGET_CHARS_MAX
    assert len(made.user_agent) <= USER_AGENT_CHARS_MAX
    assert len(made.detail) <= DETAIL_MAX
    assert all(0 < len(text) <= DETAIL_CHARS_MAX for text in made.detail.values())
    assert all(len(text.splitlines()) <= 1 for text in (made.target, made.user_agent, *made.detail.values()))


def test_a_short_text_stays() -> None:
    assert shorten("claw-client/0.1", 15) == "claw-client/0.1"
    assert shorten("claw-client/0.1", 14) == "claw-client/0…"


@pytest.mark.parametrize("action", ["login", "Session.create", "a.b.c", "session.", "session.create\n"])
def test_an_action_is_noun_and_verb(action: str) -> None:
    with pytest.raises(ValueError, match=r"noun\.verb"):
        entry(action)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (AuditFilter(tenant="t"), True),
        (AuditFilter(tenant=None), True),
        (AuditFilter(tenant="other"), False),
        (AuditFilter(tenant="t", action="api_key."), True),
        (AuditFilter(tenant="t", action="session."), False),
        (AuditFilter(tenant="t", actor="a"), True),
        (AuditFilter(tenant="t", actor="k"), True),
        (AuditFilter(tenant="t", actor="b"), False),
        (AuditFilter(tenant="t", outcome="refused"), False),
        (AuditFilter(tenant="t", since=AT), True),
        (AuditFilter(tenant="t", until=AT), False),
    ],
)
def test_filters(wanted: AuditFilter, found: bool) -> None:
    assert wanted.matches(entry(actor=Actor(kind="key", account_id="a", key_id="k"))) is found
