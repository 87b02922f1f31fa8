"""Users: what an admin and an operator may change of an account, and from when on it counts."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from api.core import Core
from schemas.settings import Settings
from tests.support.api_people import colleague, promoted, tenant_of
from tests.support.api_process import House, Person, opened
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
FRESH_S = 1.5  # "within a second", and a slow machine


async def patch(person: Person, user: Person, etag: str = "", **changes: Any) -> httpx.Response:
    return await person.call("PATCH", f"/users/{user.user['id']}", json=changes, headers={"if-match": etag} if etag else {})


async def wait_until(person: Person, path: str, status: int) -> float:
    """Seconds until the path answers so."""
    began = time.perf_counter()
    async with asyncio.timeout(5):
        while (await person.call("GET", path)).status_code != status:
            await asyncio.sleep(0.02)
    return time.perf_counter() - began


async def test_admins_see_the_accounts_of_their_tenant(house: House, ada: Person, bob: Person) -> None:
    """Page by page, the newest first; another tenant's do not exist; a user sees none."""
    is_problem(await bob.call("GET", "/users"), 403, "forbidden")
    await promoted(house, ada, "admin")
    one, two = await colleague(house, ada), await colleague(house, ada)
    page = (await ada.call("GET", "/users", params={"limit": 2})).json()
    rest = (await ada.call("GET", "/users", params={"limit": 2, "cursor": page["next_cursor"]})).json()
    items = page["items"] + rest["items"]
    assert {item["id"] for item in items} == {each.user["id"] for each in (ada, one, two)}
    assert len(items) == 3
    one_read = await ada.call("GET", f"/users/{one.user['id']}")
    assert one_read.json() in items
    assert set(one_read.json()) == {"id", "email", "name", "role", "tier", "disabled", "created_at"}
    is_problem(await ada.call("GET", f"/users/{bob.user['id']}"), 404, "not_found")
    is_problem(await patch(ada, bob, name="x"), 404, "not_found")
    is_problem(await ada.call("GET", "/users", params={"tenant": tenant_of(bob)}), 403, "forbidden")


async def test_a_changed_role_and_tier_are_in_force_within_a_second(house: House, api_settings: Settings, ada: Person, bob: Person) -> None:
    """In another process too, and without a new login; so is the loss of a role."""
    await promoted(house, bob, "operator")
    async with opened(api_settings) as other:
        there = Person(other, ada.token, ada.user, ada.email)
        is_problem(await there.call("GET", "/users"), 403, "forbidden")
        assert (await patch(bob, ada, role="admin", tier="pro")).json()["role"] == "admin"
        assert await wait_until(there, "/users", 200) <= FRESH_S
        assert (await there.call("GET", "/users/me")).json()["tier"] == "pro"
        assert (await there.call("GET", "/rate-limits/me")).json()["tier"] == "pro"
        items = (await bob.call("GET", "/users", params={"tenant": tenant_of(ada)})).json()["items"]
        assert [item["id"] for item in items] == [ada.user["id"]]
        await colleague(house, ada, role="admin")
        assert (await patch(bob, ada, role="user")).status_code == 200
        assert await wait_until(there, "/users", 403) <= FRESH_S


async def test_a_disabled_account_is_refused_within_a_second(house: House, ada: Person) -> None:
    """Its tokens and its keys; and it is let in again when it is enabled."""
    await promoted(house, ada, "admin")
    member = await house.person()
    member = await colleague(house, ada)
    key = (await member.call("POST", "/api-keys", json={"name": "k"})).json()["key"]
    program = Person(house, key, member.user, member.email)
    assert (await program.call("GET", "/knowledge")).status_code == 200
    assert (await ada.call("DELETE", f"/organisation/members/{member.user['id']}")).status_code == 204
    assert await wait_until(member, "/users/me", 401) <= FRESH_S
    assert await wait_until(program, "/knowledge", 401) <= FRESH_S
    assert (await ada.call("DELETE", f"/organisation/members/{member.user['id']}")).status_code == 204
    assert (await patch(ada, member, disabled=False)).json()["disabled"] is False
    assert await wait_until(program, "/knowledge", 200) <= FRESH_S


async def test_what_an_admin_may_not(house: House, ada: Person) -> None:
    """Operators and tiers are an operator's; a refusal changes nothing and is on the audit log."""
    await promoted(house, ada, "admin")
    operator, member = await colleague(house, ada, role="operator"), await colleague(house, ada)
    for who, changes in (
        (member, {"role": "operator"}),
        (member, {"tier": "pro"}),
        (operator, {"disabled": True}),
        (operator, {"role": "user"}),
    ):
        before = await ada.call("GET", f"/users/{who.user['id']}")
        problem = is_problem(await patch(ada, who, **changes), 403, "operator_only")
        assert problem["title_zh"]
        after = await ada.call("GET", f"/users/{who.user['id']}")
        assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])
    async with asyncio.timeout(10):
        while len(items := await refused(ada)) < 4:
            await asyncio.sleep(0.05)
    assert {item["target"] for item in items} == {member.user["id"], operator.user["id"]}
    assert items[0]["detail"] == {"fields": "role", "code": "operator_only"}


async def refused(person: Person) -> list[dict[str, Any]]:
    return list((await person.call("GET", "/audit", params={"action": "account.", "outcome": "refused"})).json()["items"])


async def test_the_last_admin_stays(house: House, ada: Person) -> None:
    """However the last two leave at the same moment, and whoever asks; a disabled admin does not count."""
    await promoted(house, ada, "admin")
    for changes in ({"role": "user"}, {"disabled": True}):
        is_problem(await patch(ada, ada, **changes), 409, "last_admin")
    is_problem(await ada.call("DELETE", f"/organisation/members/{ada.user['id']}"), 409, "last_admin")
    await colleague(house, ada)
    other = await colleague(house, ada, role="admin")
    answers = await asyncio.gather(patch(ada, other, role="user"), patch(other, ada, role="user"))
    assert sorted(answer.status_code for answer in answers) in ([200, 403], [200, 409])
    found = [await house.ports(Core).read_models.accounts.get(each.user["id"], each.user["id"]) for each in (ada, other)]
    assert sorted(each.role for each in found if each) == ["admin", "user"]


async def test_concurrent_changes_are_seen(house: House, ada: Person) -> None:
    """By the ETag; what changes nothing leaves it as it is."""
    await promoted(house, ada, "admin")
    member = await colleague(house, ada)
    etag = (await ada.call("GET", f"/users/{member.user['id']}")).headers["etag"]
    first = await patch(ada, member, etag, name="Grace")
    assert (first.status_code, first.json()["name"]) == (200, "Grace")
    is_problem(await patch(ada, member, etag, name="Eve"), 412, "lost_update")
    assert (await patch(ada, member, first.headers["etag"], name="Grace")).headers["etag"] == first.headers["etag"]
    is_problem(await patch(ada, member, unknown=1), 422, "validation_failed")


async def test_ones_own_name(house: House, ada: Person) -> None:
    """And nothing else; a key may not."""
    etag = (await ada.call("GET", "/users/me")).headers["etag"]
    answer = await ada.call("PATCH", "/users/me", json={"name": "Augusta"}, headers={"if-match": etag})
    is_problem(await ada.call("PATCH", "/users/me", json={"name": "Eve"}, headers={"if-match": etag}), 412, "lost_update")
    assert answer.json() == ada.user | {"name": "Augusta"}
    assert (await ada.call("GET", "/users/me")).json()["name"] == "Augusta"
    is_problem(await ada.call("PATCH", "/users/me", json={"role": "admin"}), 422, "validation_failed")
    key = (await ada.call("POST", "/api-keys", json={"name": "k"})).json()["key"]
    is_problem(await Person(house, key, ada.user, "").call("PATCH", "/users/me", json={"name": "x"}), 403, "forbidden")
