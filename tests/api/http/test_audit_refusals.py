"""Somebody known who tries what they may not do is on the audit log of their tenant, once a minute, whatever they repeat."""

import asyncio
from typing import Any

import pytest

from tests.support.api_people import colleague, promoted
from tests.support.api_process import House, Person
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def refusals(admin: Person, count: int) -> list[dict[str, Any]]:
    """The refusals of the admin's tenant, once there are so many."""
    async with asyncio.timeout(10):
        while True:
            items = (await admin.call("GET", "/audit", params={"action": "request.", "outcome": "refused"})).json()["items"]
            if len(items) >= count:
                return list(items)
            await asyncio.sleep(0.05)


async def test_a_missing_role_and_a_missing_scope(house: House, ada: Person) -> None:
    """Who, which route, and why; strangers are not on it."""
    await promoted(house, ada, "admin")
    member = await colleague(house, ada)
    made = (await member.call("POST", "/api-keys", json={"name": "k", "scopes": ["chat"]})).json()
    program = Person(house, made["key"], member.user, member.email)
    for _ in range(3):
        is_problem(await member.call("PATCH", f"/users/{ada.user['id']}", json={"disabled": True}), 403, "forbidden")
        is_problem(await program.call("GET", "/knowledge"), 403, "forbidden")
        is_problem(await house.client.get("/api/v1/knowledge"), 401, "unauthenticated")
    by_key, by_role = await refusals(ada, 2)
    assert by_role["actor"] == {"kind": "person", "account_id": member.user["id"], "key_id": "", "role": "user"}
    assert by_role["target"] == "/api/v1/users/{user_id}"
    assert (by_role["detail"]["method"], by_role["detail"]["code"], by_role["address"]) == ("PATCH", "forbidden", "127.0.0.1")
    assert (by_key["actor"]["kind"], by_key["actor"]["key_id"]) == ("key", made["id"])
    assert "knowledge:read" in by_key["detail"]["reason"]
    assert made["key"] not in str(by_key)
