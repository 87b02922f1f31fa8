"""The change of a password."""

import httpx
import pytest

from api.accounts.ports import AccountPorts
from domain.accounts.records import email_scope
from tests.support.api_process import PASSWORD, House, Person
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
BETTER = "seven quiet lighthouses"


async def log_in(house: House, person: Person, password: str) -> httpx.Response:
    return await house.client.post("/api/v1/auth/login", json={"email": person.email, "password": password})


async def test_a_change_ends_every_other_session(house: House, ada: Person):
    """The old password is of no use any more, the network stays known, and a repeat is accepted."""
    other = (await log_in(house, ada, PASSWORD)).json()
    change = {"old_password": PASSWORD, "new_password": BETTER}
    assert (await ada.call("POST", "/auth/password", json=change)).status_code == 204
    assert (await ada.call("GET", "/users/me")).status_code == 200
    headers = {"authorization": f"Bearer {other['access_token']}"}
    is_problem(await house.client.get("/api/v1/users/me", headers=headers), 401, "session_ended")
    is_problem(await house.client.post("/api/v1/auth/refresh", json={"refresh_token": other["refresh_token"]}), 401, "session_ended")
    is_problem(await log_in(house, ada, PASSWORD), 401, "login_failed")
    assert (await log_in(house, ada, BETTER)).status_code == 200
    known = house.ports(AccountPorts).known_networks
    assert await known.has(email_scope(ada.email), "127.0.0.1", int(house.ports(AccountPorts).core.clock.now().timestamp()))
    assert (await ada.call("POST", "/auth/password", json=change)).status_code == 204


async def test_a_change_needs_the_old_password_and_a_good_new_one(house: House, ada: Person):
    wrong = {"old_password": "not it at all", "new_password": BETTER}
    problem = is_problem(await ada.call("POST", "/auth/password", json=wrong), 403, "old_password_wrong")
    assert all(problem[name] for name in ("remedy", "title_zh", "remedy_zh"))
    weak = {"old_password": PASSWORD, "new_password": "password1"}
    assert is_problem(await ada.call("POST", "/auth/password", json=weak), 400, "password_weak")["errors"][0]["field"] == "new_password"
    key = (await ada.call("POST", "/api-keys", json={"name": "k"})).json()["key"]
    body = {"old_password": PASSWORD, "new_password": BETTER}
    answer = await house.client.post("/api/v1/auth/password", json=body, headers={"authorization": f"Bearer {key}"})
    is_problem(answer, 403, "forbidden")
    assert (await log_in(house, ada, PASSWORD)).status_code == 200
