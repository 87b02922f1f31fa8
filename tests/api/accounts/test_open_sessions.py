"""Sessions as their owner sees and ends them, and as replicas notice it."""

import asyncio
import time
import uuid
from typing import Any

import pytest
from msgspec.structs import replace

from api.core import Core
from api.http.ports import HttpPorts
from tests.support.api_process import PASSWORD, House, Person, opened, with_limits
from tests.support.api_redis import free_port
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def device(house: House, person: Person, agent: str) -> Person:
    """The same person with another session."""
    body = {"email": person.email, "password": PASSWORD}
    answer = await house.client.post("/api/v1/auth/login", json=body, headers={"user-agent": agent})
    assert answer.status_code == 200, answer.text
    return Person(house, answer.json()["access_token"], answer.json()["user"], person.email)


async def sessions(person: Person) -> list[dict[str, Any]]:
    answer = await person.call("GET", "/auth/sessions")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_sessions_are_listed_and_ended_one_by_one(house: House, ada: Person, bob: Person):
    phone, laptop = await device(house, ada, "Phone"), await device(house, ada, "Laptop")
    listed = await sessions(laptop)
    assert [(each["user_agent"], each["current"]) for each in listed[:2]] == [("Laptop", True), ("Phone", False)]
    assert len(listed) == 3
    assert all(each["network"] == "127.0.0.1" for each in listed)
    page = (await laptop.call("GET", "/auth/sessions?limit=2")).json()
    assert len((await laptop.call("GET", f"/auth/sessions?limit=2&cursor={page['next_cursor']}")).json()["items"]) == 1
    is_problem(await bob.call("DELETE", f"/auth/sessions/{listed[1]['id']}"), 404, "not_found")
    assert (await laptop.call("DELETE", f"/auth/sessions/{listed[1]['id']}")).status_code == 204
    is_problem(await phone.call("GET", "/users/me"), 401, "session_ended")
    is_problem(await laptop.call("DELETE", f"/auth/sessions/{listed[1]['id']}"), 404, "not_found")
    assert len(await sessions(laptop)) == 2
    key = (await laptop.call("POST", "/api-keys", json={"name": "k"})).json()["key"]
    for method, path in (("GET", "/auth/sessions"), ("DELETE", "/auth/sessions"), ("POST", "/auth/logout"), ("GET", "/auth/session")):
        answer = await house.client.request(method, f"/api/v1{path}", headers={"authorization": f"Bearer {key}"})
        is_problem(answer, 403, "forbidden")


async def test_a_logout_is_seen_by_another_replica_within_a_second(house: House, replica: House, ada: Person):
    elsewhere = replace_house(ada, replica)
    assert (await elsewhere.call("GET", "/users/me")).status_code == 200
    assert (await ada.call("POST", "/auth/logout")).status_code == 204
    ended_s = time.monotonic()
    is_problem(await ada.call("GET", "/users/me"), 401, "session_ended")
    while (await elsewhere.call("GET", "/users/me")).status_code == 200:
        assert time.monotonic() - ended_s < 1.2  # a second, and a request
        await asyncio.sleep(0.02)
    is_problem(await elsewhere.call("GET", "/users/me"), 401, "session_ended")


def replace_house(person: Person, house: House) -> Person:
    return Person(house, person.token, person.user, person.email)


async def test_log_out_everywhere_or_everywhere_else(house: House, ada: Person):
    phone, laptop = await device(house, ada, "Phone"), await device(house, ada, "Laptop")
    key = (await laptop.call("POST", "/api-keys", json={"name": "k"})).json()["key"]
    assert (await laptop.call("DELETE", "/auth/sessions?keep_current=true")).status_code == 204
    for each in (ada, phone):
        is_problem(await each.call("GET", "/users/me"), 401, "session_ended")
    assert [each["current"] for each in await sessions(laptop)] == [True]
    assert (await laptop.call("DELETE", "/auth/sessions")).status_code == 204
    is_problem(await laptop.call("GET", "/users/me"), 401, "session_ended")
    assert (await house.client.get("/api/v1/users/me", headers={"authorization": f"Bearer {key}"})).status_code == 200


async def test_an_access_token_of_a_release_without_sessions_is_valid_until_it_expires(house: House, ada: Person):
    core = house.ports(Core)
    account = await core.read_models.accounts.get(ada.user["id"], ada.user["id"])
    assert account is not None
    earlier = Person(house, sessionless_token(house, account), ada.user, ada.email)
    assert (await earlier.call("GET", "/users/me")).status_code == 200
    is_problem(await earlier.call("POST", "/auth/logout"), 404, "not_found")
    is_problem(await earlier.call("GET", "/auth/session"), 401, "session_ended")
    assert not any(each["current"] for each in await sessions(earlier))


def sessionless_token(house: House, account: Any) -> str:
    return house.ports(HttpPorts).tokens.issue(account, house.ports(Core).clock.now())[0]


async def test_another_login_beyond_the_most_ends_the_session_unused_for_longest(house: House):
    settings = replace(house.settings, auth=replace(house.settings.auth, sessions_max=2))
    async with opened(settings) as few:
        ada = await few.person()
        second = await device(few, ada, "Second")
        third = await device(few, ada, "Third")
        is_problem(await ada.call("GET", "/users/me"), 401, "session_ended")
        assert [each["user_agent"] for each in await sessions(third)] == ["Third", "Second"]
        assert (await second.call("GET", "/users/me")).status_code == 200


async def test_a_login_again_with_its_idempotency_key_is_the_same_session_until_it_ends(house: House, ada: Person):
    body, headers = {"email": ada.email, "password": PASSWORD}, {"idempotency-key": uuid.uuid4().hex}
    first, second = [(await house.client.post("/api/v1/auth/login", json=body, headers=headers)).json() for _ in range(2)]
    assert first["session_id"] == second["session_id"]
    assert first["refresh_token"] == second["refresh_token"]
    assert (await ada.call("DELETE", f"/auth/sessions/{first['session_id']}")).status_code == 204
    third = (await house.client.post("/api/v1/auth/login", json=body, headers=headers)).json()
    assert third["session_id"] != first["session_id"]


async def test_nobody_logs_in_without_the_log_and_who_is_in_stays_in(house: House, ada: Person):
    """A session that is not on the log could not be ended: a login is refused, with what to do. Nothing else depends on the log."""
    kafka = replace(house.settings.kafka, bootstrap=f"127.0.0.1:{free_port()}", publish_timeout_s=0.5)
    async with opened(replace(with_limits(house.settings), kafka=kafka, redis=house.settings.redis)) as cut_off:
        body = {"email": ada.email, "password": PASSWORD}
        answer = await cut_off.client.post("/api/v1/auth/login", json=body)
        is_problem(answer, 503, "kafka_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert (await replace_house(ada, cut_off).call("GET", "/users/me")).status_code == 200
