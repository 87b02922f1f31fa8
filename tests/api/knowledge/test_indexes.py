"""The index of a knowledge base over HTTP: who may change it, and what becomes of its plan."""

import asyncio

import pytest

from api.knowledge.ports import KnowledgePorts
from schemas.documents import Shelf
from tests.support.api_process import House, Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_rebuild_is_asked_for_given_up_and_asked_for_again(ada: Person, house: House) -> None:
    """Each answer shows the plan as it is on the log then; a generation never comes twice."""
    path = f"/knowledge/{ada.base}/index"
    seen = (await ada.call("GET", path)).json()
    assert (seen["state"], seen["active"]["generation"], seen["other"], seen["rebuild"]) == ("steady", 0, None, None)
    asked = await ada.call("POST", f"{path}/rebuild", json={"chunk_tokens": 64, "chunk_tokens_max": 96, "keep": True})
    assert asked.status_code == 202, asked.text
    assert asked.headers["Location"] == f"/api/v1{path}"
    view = asked.json()
    assert (view["state"], view["keep"]) == ("building", True)
    sizes = {"chunk_tokens": 64, "chunk_tokens_max": 96}
    assert view["other"] == {
        "generation": 1,
        **sizes,
        "embedding": "local",
        "points": None,
        "unencoded_points": None,
        "outdated_index": None,
    }
    (plan,) = [each for each in house.ports(KnowledgePorts).catalogue.plans() if each.knowledge_base_id == ada.base]
    assert plan.other == Shelf(generation=1, chunk_tokens=64, chunk_tokens_max=96)
    again = await ada.call("POST", f"{path}/rebuild", json={"chunk_tokens": 64, "chunk_tokens_max": 96, "force": True})
    assert (again.status_code, again.json()["force"], again.json()["other"]["generation"]) == (202, True, 1)
    other = await ada.call("POST", f"{path}/rebuild", json={"chunk_tokens": 32})
    assert (other.status_code, other.json()["code"]) == (409, "index_building")
    given_up = await ada.call("POST", f"{path}/drop")
    assert (given_up.status_code, given_up.json()["state"]) == (202, "dropping")
    assert (await ada.call("POST", f"{path}/rebuild", json={})).json()["code"] == "index_building"
    assert (await ada.call("POST", f"{path}/back")).json()["code"] == "not_found"


async def test_what_cannot_work_is_refused_by_name(ada: Person) -> None:
    """Sizes that contradict each other or the settings, an embedding without a key, fields nobody knows."""
    path = f"/knowledge/{ada.base}/index/rebuild"
    for body, field in (
        ({"chunk_tokens": 96, "chunk_tokens_max": 64}, "chunk_tokens_max"),
        ({"chunk_tokens": 2000}, "chunk_tokens_max"),
        ({"embedding": "zhipu"}, "embedding"),
        ({"chunk_tokens": 1}, "chunk_tokens"),
        ({"chunker": "x"}, "chunker"),
    ):
        answer = await ada.call("POST", path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), body
        assert field in str(answer.json()), body


async def test_two_at_once_are_one_plan(ada: Person) -> None:
    """Changes of one plan come one after the other, whoever asks."""
    path = f"/knowledge/{ada.base}/index/rebuild"
    answers = await asyncio.gather(*(ada.call("POST", path, json={"chunk_tokens": 64 + n}) for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    with_key = {"Idempotency-Key": "once"}
    first = next(answer for answer in answers if answer.status_code == 202).json()
    body = {"chunk_tokens": first["other"]["chunk_tokens"]}
    twice = [await ada.call("POST", path, json=body, headers=with_key) for _ in range(2)]
    assert twice[0].json() == twice[1].json()


async def test_only_its_owner_or_an_admin_may(ada: Person, bob: Person) -> None:
    """Another tenant's is not there; a key needs the scope ``ops``."""
    for method, path in (("GET", ""), ("POST", "/rebuild"), ("POST", "/back"), ("POST", "/drop")):
        answer = await bob.call(method, f"/knowledge/{ada.base}/index{path}", json={} if path == "/rebuild" else None)
        assert answer.status_code == 404, path
    made = await ada.call("POST", "/api-keys", json={"name": "a program", "scopes": ["knowledge:write", "knowledge:read"]})
    key = {"authorization": f"Bearer {made.json()['key']}"}
    answer = await ada.house.client.get(f"/api/v1/knowledge/{ada.base}/index", headers=key)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
