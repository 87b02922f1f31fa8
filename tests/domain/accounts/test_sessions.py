"""The rotation of refresh tokens, as a function: two tabs never throw each other out, a thief never stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.sessions import begin_session, end_session, is_expired, judge_refresh, rotate_session
from schemas.sessions import SessionRecord
from schemas.settings import AuthSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AUTH = AuthSettings(session_ttl_s=30 * 86_400, refresh_ttl_s=14 * 86_400, refresh_grace_s=10.0)
GRACE_S = AUTH.refresh_grace_s


def session(**changes: Any) -> SessionRecord:
    return begin_session(
        "s", tenant="t", account_id="a", kind="token", user_agent="Firefox\n on\tLinux", network="192.0.2.1", now=NOW, auth=AUTH, **changes
    )


class Server:
    """A session and what it does with tokens, as the API does; ``at`` is the time in seconds."""

    def __init__(self) -> None:
        self.session, self.at = session(), 0.0

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.at)

    def refresh(self, generation: int) -> int | None:
        """The generation of the token that the presenter gets; None when it is refused."""
        match judge_refresh(self.session, generation, self.now, AUTH):
            case "rotate":
                self.session = rotate_session(self.session, self.now)
            case "reuse":
                self.session = end_session(self.session, "reuse", self.now)
                return None
            case "ended" | "expired":
                return None
        return self.session.generation


def test_a_session_is_described_for_its_owner_and_for_nobody_after_its_end():
    begun = session()
    assert begun.user_agent == "Firefox onLinux"
    ended = end_session(begun, "logout", NOW)
    assert (ended.user_agent, ended.network, ended.end_reason, ended.revision) == ("", "", "logout", 2)


@pytest.mark.parametrize(
    ("generation", "at_s", "verdict"),
    [(3, 0, "rotate"), (3, 86_400, "rotate"), (2, 0, "repeat"), (2, 10, "repeat"), (2, 10.1, "reuse"), (1, 0, "reuse"), (4, 0, "reuse")],
)
def test_verdicts(generation: int, at_s: float, verdict: str):
    """Of a session whose third rotation was at second 0."""
    rotated = rotate_session(rotate_session(rotate_session(session(), NOW), NOW), NOW)
    assert judge_refresh(rotated, generation, NOW + timedelta(seconds=at_s), AUTH) == verdict
    assert judge_refresh(end_session(rotated, "logout", NOW), generation, NOW + timedelta(seconds=at_s), AUTH) == "ended"


def test_a_session_expires_when_it_is_idle_and_at_last_in_any_case():
    begun = session()
    assert judge_refresh(begun, 0, NOW + timedelta(days=14, seconds=-1), AUTH) == "rotate"
    assert judge_refresh(begun, 0, NOW + timedelta(days=14), AUTH) == "expired"
    active, at = begun, NOW
    for _ in range(29):
        at += timedelta(days=1)
        active = rotate_session(active, at)
    assert not is_expired(active, NOW + timedelta(days=30, seconds=-1), AUTH)
    assert is_expired(active, NOW + timedelta(days=30), AUTH)


@given(st.lists(st.tuples(st.floats(0, GRACE_S), st.booleans(), st.floats(11, 7_200)), max_size=60))
def test_two_tabs_that_refresh_at_the_same_moment_both_go_on(rounds: list[tuple[float, bool, float]]):
    """Each holds a token of its own; every round both refresh, in either order, up to the grace apart. They never part."""
    server, first, second = Server(), 0, 0
    for apart_s, other_first, pause_s in rounds:
        server.at += pause_s
        tokens = []
        for held in (second, first) if other_first else (first, second):
            tokens.append(server.refresh(held))
            server.at += apart_s
        assert tokens[0] is not None
        assert tokens[0] == tokens[1]
        first = second = tokens[0]
    assert server.session.generation == len(rounds)


@given(st.lists(st.tuples(st.floats(0.001, 7_200), st.sampled_from(["owner", "thief"])), min_size=1, max_size=40), st.integers(0, 10))
def test_a_copied_token_ends_the_session_or_gives_no_more_than_its_owner_has(steps: list[tuple[float, str]], stolen_after: int):
    """Whatever the order of the owner's and the thief's refreshes: at most two generations are ever accepted, and after the first refusal
    nothing is, for neither of them."""
    server, refused = Server(), False
    held = {"owner": 0, "thief": 0}
    for number, (pause_s, who) in enumerate(steps):
        server.at += pause_s
        if number == stolen_after:
            held["thief"] = held["owner"]
        newest, rotated_at = server.session.generation, server.session.rotated_at
        given_token = server.refresh(held[who])
        if refused:
            assert given_token is None
        elif held[who] == newest:
            assert given_token == newest + 1
        elif held[who] == newest - 1 and server.now - rotated_at <= timedelta(seconds=GRACE_S):
            assert given_token == newest  # what the other one has already
        else:
            assert given_token is None
            assert server.session.end_reason == "reuse"
            refused = True
        held[who] = held[who] if given_token is None else given_token


@given(st.lists(st.floats(11, 7_200), min_size=1, max_size=20), st.integers(1, 20))
def test_a_thief_who_waits_longer_than_the_grace_is_found_at_the_first_attempt(pauses: list[float], behind: int):
    """An old token of a family that went on: refused, and the owner, too, has to log in again."""
    server, owner = Server(), 0
    for pause_s in pauses:
        server.at += pause_s
        owner = server.refresh(owner) or 0
    server.at += GRACE_S + 1
    assert server.refresh(max(0, owner - behind)) is None
    assert server.refresh(owner) is None
