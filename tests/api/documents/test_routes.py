"""Documents at the door: what goes onto the log, what can be read at once, when a delete is done."""

import asyncio

import pytest

from api.core import Core
from domain.documents.records import progress_order
from domain.documents.topics import DOCUMENTS_SUBMITTED
from schemas import ids
from schemas.documents import Progress
from schemas.errors import Refused
from tests.support.api_people import key_of
from tests.support.api_process import House, Person
from tests.support.problems import is_problem
from tests.support.reply_speaker import all_events, first_event

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_submitted(house: House, ada: Person):
    """202 with version and task, an event with the tenant of the credential, and a Location that can be followed at once."""
    body = {"document_id": "rules 2026", "title": "Rules", "media_type": "text/markdown", "text": "# Leave", "metadata": {"by": "hr"}}
    answer = await ada.call("POST", f"/knowledge/{ada.base}/documents", json=body)
    accepted = answer.json()
    assert answer.status_code == 202
    assert accepted["state"] == "queued"
    event = await first_event(house.settings, DOCUMENTS_SUBMITTED, key_of(house, ada, "rules 2026"))
    assert accepted["task_id"] == ids.task_id(event.id)
    assert (event.data.title, event.data.text, event.data.metadata) == ("Rules", "# Leave", {"by": "hr"})
    assert event.data.submitted_by == ada.user["id"]
    followed = await house.client.get(answer.headers["location"], headers=ada.headers)
    assert followed.status_code == 200
    assert (followed.json()["state"], followed.json()["version"], followed.json()["visible_version"]) == (
        "queued",
        accepted["version"],
        None,
    )
    listed = (await ada.call("GET", f"/knowledge/{ada.base}/documents")).json()["items"]
    assert listed == [followed.json()]


async def test_progress_and_visibility_are_shown(house: House, ada: Person):
    path = f"/knowledge/{ada.base}/documents/a"
    version = (await ada.call("PUT", path, json={"text": "one"})).json()["version"]
    key = key_of(house, ada, "a")
    progress = Progress(knowledge_base_id=ada.base, document_id="a", version=version, state="indexed", chunks=3)
    await tell(house, ada, progress)
    await house.ports(Core).visibility.mark_indexed(key, version)
    shown = (await ada.call("GET", path)).json()
    assert (shown["state"], shown["chunks"], shown["visible_version"]) == ("indexed", 3, version)
    newer = (await ada.call("PUT", path, json={"text": "two"})).json()["version"]
    shown = (await ada.call("GET", path)).json()
    assert (shown["state"], shown["version"], shown["visible_version"]) == ("queued", newer, version)


async def test_delete_waits_until_it_is_out_of_sight(house: House, ada: Person):
    """204 as soon as the visibility record says so; then it is not there any more, at once."""
    path = f"/knowledge/{ada.base}/documents/a"
    version = (await ada.call("PUT", path, json={"text": "one"})).json()["version"]
    key = key_of(house, ada, "a")

    async def route() -> None:
        await asyncio.sleep(0.2)
        await house.ports(Core).visibility.record_withdrawal(key, version + 1)

    routing = asyncio.create_task(route())
    answer = await ada.call("DELETE", path)
    assert answer.status_code == 204, answer.text
    assert answer.content == b""
    assert routing.done()
    is_problem(await ada.call("GET", path), 404, "not_found")
    assert (await ada.call("GET", f"/knowledge/{ada.base}/documents")).json()["items"] == []
    is_problem(await ada.call("DELETE", path), 404, "not_found")


async def test_delete_that_takes_longer_is_followed(ada: Person, monkeypatch):
    monkeypatch.setattr("api.documents.routes.DELETE_WAIT_S", 0.1)
    path = f"/knowledge/{ada.base}/documents/a"
    await ada.call("PUT", path, json={"text": "one"})
    answer = await ada.call("DELETE", path)
    assert answer.status_code == 202
    assert answer.json()["task_id"]


async def test_same_key_submits_once(ada: Person):
    headers = {"idempotency-key": "k"}
    path = f"/knowledge/{ada.base}/documents"
    first = await ada.call("POST", path, json={"text": "one"}, headers=headers)
    second = await ada.call("POST", path, json={"text": "one"}, headers=headers)
    assert second.json() == first.json()
    assert second.headers["location"] == first.headers["location"]


@pytest.mark.parametrize(
    ("change", "field", "code", "status"),
    [
        ({"document_id": "a/b"}, "document_id", "validation_failed", 422),
        ({"document_id": ""}, "document_id", "validation_failed", 422),
        ({"document_id": "x" * 201}, "document_id", "validation_failed", 422),
        ({"document_id": "a\n"}, "document_id", "validation_failed", 422),
        ({"document_id": "."}, "document_id", "validation_failed", 422),
        ({"document_id": ".."}, "document_id", "validation_failed", 422),
        ({"document_id": "a\u2028"}, "document_id", "validation_failed", 422),
        ({"text": ""}, "text", "validation_failed", 422),
        ({"text": " \n"}, "text", "document_empty", 422),
        ({"text": "语" * 273_067}, "text", "document_too_large", 413),
        ({"media_type": "application/pdf"}, "media_type", "validation_failed", 422),
        ({"title": "x" * 501}, "title", "validation_failed", 422),
        ({"metadata": {"a": 5}}, "metadata[...]", "validation_failed", 422),
        ({"tenant": "other"}, "tenant", "validation_failed", 422),
    ],
)
async def test_what_is_no_document(ada: Person, change: dict[str, object], field: str, code: str, status: int):
    answer = await ada.call("POST", f"/knowledge/{ada.base}/documents", json={"text": "x"} | change)
    problem = is_problem(answer, status, code)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["errors"][0]["limit"]


async def test_largest_document(ada: Person):
    """Exactly the limit passes."""
    answer = await ada.call("POST", f"/knowledge/{ada.base}/documents", json={"text": "x" * 819_200})
    assert answer.status_code == 202, answer.text


async def test_worked_again(house: House, ada: Person):
    """The content of the newest version, forced, as a new one; repeats with the same key are one."""
    path = f"/knowledge/{ada.base}/documents/a"
    await ada.call("PUT", path, json={"text": "one"})
    version = (await ada.call("PUT", path, json={"text": "two", "title": "Two", "metadata": {"by": "hr"}})).json()["version"]
    headers = {"idempotency-key": "again"}
    answer = await ada.call("POST", f"{path}/reprocess", headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json()["version"] > version
    assert answer.headers["location"].endswith(path)
    assert (await ada.call("POST", f"{path}/reprocess", headers=headers)).json() == answer.json()
    *_, event = await all_events(house.settings, DOCUMENTS_SUBMITTED, key_of(house, ada, "a"), 3)
    assert (event.data.text, event.data.title, event.data.metadata, event.data.force) == ("two", "Two", {"by": "hr"}, True)


async def test_only_what_is_there_is_worked_again(house: House, ada: Person, bob: Person):
    path = f"/knowledge/{ada.base}/documents/a"
    is_problem(await ada.call("POST", f"{path}/reprocess"), 404, "not_found")
    version = (await ada.call("PUT", path, json={"text": "one"})).json()["version"]
    is_problem(await bob.call("POST", f"{path}/reprocess"), 404, "not_found")
    await house.ports(Core).visibility.record_withdrawal(key_of(house, ada, "a"), version + 1)
    is_problem(await ada.call("POST", f"{path}/reprocess"), 404, "not_found")


async def test_unchanged(house: House, ada: Person):
    """A version that says nothing new: readers go on seeing the one before, with its chunks."""
    path = f"/knowledge/{ada.base}/documents/a"
    first = (await ada.call("PUT", path, json={"text": "one"})).json()["version"]
    await house.ports(Core).visibility.mark_indexed(key_of(house, ada, "a"), first)
    again = (await ada.call("PUT", path, json={"text": "one"})).json()["version"]
    await tell(house, ada, Progress(knowledge_base_id=ada.base, document_id="a", version=again, state="unchanged", chunks=3))
    shown = (await ada.call("GET", path)).json()
    assert (shown["state"], shown["version"], shown["visible_version"], shown["chunks"], shown["percent"]) == (
        "unchanged",
        again,
        first,
        3,
        100,
    )


async def test_failed(house: House, ada: Person):
    """Why, and what to do, in both languages; and the list by state."""
    path = f"/knowledge/{ada.base}/documents"
    for number in range(3):
        await ada.call("PUT", f"{path}/d{number}", json={"text": "x"})
    version = (await ada.call("GET", f"{path}/d1")).json()["version"]
    cause = Refused("password_required").problem()
    await tell(house, ada, Progress(knowledge_base_id=ada.base, document_id="d1", version=version, state="failed", cause=cause))
    shown = (await ada.call("GET", f"{path}/d1")).json()
    assert shown["problem"]["code"] == "password_required"
    assert all(shown["problem"][name] for name in ("title", "detail", "remedy", "title_zh", "remedy_zh"))
    listed = (await ada.call("GET", path, params={"state": "failed", "limit": 1})).json()
    assert listed["items"] == [shown]
    assert (await ada.call("GET", path, params={"state": "indexed"})).json() == {"items": [], "next_cursor": None}
    is_problem(await ada.call("GET", path, params={"state": "lost"}), 422, "validation_failed")


async def tell(house: House, person: Person, progress: Progress) -> None:
    """As the tables have it once an agent has said it."""
    scope = key_of(house, person, progress.document_id).rpartition("/")[0]
    order, version = progress_order(progress), progress.version
    await house.ports(Core).read_models.documents.put(scope, progress.document_id, progress, order=order, rank=version)
