"""Refresh tokens over the whole API: tabs that refresh together go on, a token that was copied ends its session."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.core import Core
from domain.accounts.topics import SESSIONS_CHANGED
from streams.clock import SystemClock
from tests.support.api_process import PASSWORD, House, Person
from tests.support.problems import is_problem
from tests.support.reply_speaker import first_event

pytestmark = pytest.mark.asyncio(loop_scope="session")
Shift = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Shift:
    """Let everybody's clock be ahead by so many seconds."""
    shift_s = 0.0

    def put(seconds: float) -> None:
        nonlocal shift_s
        shift_s = seconds

    monkeypatch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + timedelta(seconds=shift_s))
    return put


async def log_in(house: House, person: Person, **rest: Any) -> dict[str, Any]:
    answer = await house.client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD}, **rest)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refresh(house: House, token: str) -> httpx.Response:
    return await house.client.post("/api/v1/auth/refresh", json={"refresh_token": token})


async def is_let_in(house: House, access_token: str) -> bool:
    answer = await house.client.get("/api/v1/users/me", headers={"authorization": f"Bearer {access_token}"})
    if answer.status_code != 200:
        is_problem(answer, 401, "session_ended")
    return answer.status_code == 200


async def test_a_refresh_gives_new_tokens_of_the_same_session(house: House, ada: Person):
    """The log has neither of them, and says which generation the session is at."""
    first = await log_in(house, ada, headers={"user-agent": "Tab/1.0"})
    second = (await refresh(house, first["refresh_token"])).json()
    assert second["session_id"] == first["session_id"]
    assert second["user"] == first["user"]
    assert second["refresh_token"] != first["refresh_token"]
    assert (second["expires_in"], second["refresh_expires_in"]) == (3_600, 14 * 86_400)
    assert await is_let_in(house, second["access_token"])
    assert await is_let_in(house, first["access_token"])
    event = await first_event(house.settings, SESSIONS_CHANGED, first["session_id"])
    assert (event.data.account_id, event.data.user_agent, event.data.network) == (ada.user["id"], "Tab/1.0", "127.0.0.1")
    session = await house.ports(Core).read_models.sessions.get(first["session_id"], first["session_id"])
    assert session is not None
    assert session.generation == 1


async def test_two_tabs_that_refresh_at_the_same_moment_for_200_rounds(house: House, replica: House, ada: Person):
    """Against two replicas, each tab with the token it has: nobody is logged out, and both always have the same one."""
    first = second = (await log_in(house, ada))["refresh_token"]
    for _ in range(200):
        answers = await asyncio.gather(refresh(house, first), refresh(replica, second))
        assert [answer.status_code for answer in answers] == [200, 200], answers
        first, second = (answer.json()["refresh_token"] for answer in answers)
        assert first == second
    assert await is_let_in(replica, answers[0].json()["access_token"])
    session = await house.ports(Core).read_models.sessions.get(*[answers[0].json()["session_id"]] * 2)
    assert session is not None
    assert session.generation == 200


async def test_a_copied_token_ends_the_session_for_the_thief_and_for_its_owner(house: House, replica: House, ada: Person, later: Shift):
    """The thief's attempt with an old token is found out; what either holds is refused by another replica within a second."""
    stolen, bystander = await log_in(house, ada), await log_in(house, ada)
    owner = (await refresh(house, stolen["refresh_token"])).json()
    assert await is_let_in(replica, owner["access_token"])
    later(11)
    problem = is_problem(await refresh(replica, stolen["refresh_token"]), 401, "session_reused")
    assert all(problem[name] for name in ("remedy", "title_zh", "remedy_zh"))
    is_problem(await refresh(house, owner["refresh_token"]), 401, "session_ended")
    assert not await is_let_in(replica, owner["access_token"])
    await asyncio.sleep(1.05)
    for token in (owner["access_token"], stolen["access_token"]):
        assert not await is_let_in(house, token)
    assert await is_let_in(house, bystander["access_token"])
    assert (await refresh(house, bystander["refresh_token"])).status_code == 200


async def test_a_token_that_is_not_genuine_ends_nothing(house: House, ada: Person):
    """Whoever knows or guesses the id of a session cannot log its owner out."""
    session = await log_in(house, ada)
    token = session["refresh_token"]
    head, body, signature = token.split(".")
    forged = [f"{head}.{session['session_id']}-7.{signature}", f"{head}.{body}.{'A' * 43}", session["access_token"][:256], "x", ""]
    for each in forged:
        is_problem(await refresh(house, each), 401, "refresh_token_invalid")
    is_problem(await refresh(house, token.replace(session["session_id"], str(uuid.uuid4()))), 401, "session_ended")
    is_problem(await house.client.get("/api/v1/users/me", headers={"authorization": f"Bearer {token}"}), 401, "unauthenticated")
    assert (await refresh(house, token)).status_code == 200


async def test_sessions_expire(house: House, ada: Person, later: Shift):
    """Idle for 14 days, or 30 days old; an access token does not outlast its session."""
    idle, active = await log_in(house, ada), await log_in(house, ada)
    later(10 * 86_400)
    active = (await refresh(house, active["refresh_token"])).json()
    later(14 * 86_400)
    is_problem(await refresh(house, idle["refresh_token"]), 401, "session_ended")
    later(20 * 86_400)
    active = (await refresh(house, active["refresh_token"])).json()
    later(30 * 86_400 - 100)
    active = (await refresh(house, active["refresh_token"])).json()
    assert 90 <= active["expires_in"] <= 100
    assert 90 <= active["refresh_expires_in"] <= 100
    later(30 * 86_400)
    is_problem(await refresh(house, active["refresh_token"]), 401, "session_ended")
