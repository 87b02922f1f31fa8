"""Schedules over HTTP: whose they are, what is refused by name, revisions, next times, runs that are triggered."""

from typing import Any

import pytest
from msgspec.structs import replace

from api.core import Core
from api.schedules.ports import SchedulePorts
from domain.audit.topics import AUDIT_RECORDED
from domain.table_rebuild import rebuild_tables
from schemas.errors import Unavailable
from tests.support.api_people import promoted
from tests.support.api_process import House, Person
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
DAILY = {"kind": "cron", "line": "30 2 * * *", "time_zone": "Europe/Berlin"}
HOURLY = {"kind": "interval", "every_s": 3_600}


def body(person: Person, **changed: Any) -> dict[str, Any]:
    return {"name": "nightly", "spec": DAILY, "action": {"kind": "rebuild", "knowledge_base_id": person.base}} | changed


async def test_a_schedule_lives(house: House, ada: Person):
    """Created once, listed, read with its next times, paused, resumed and changed under its ETag, deleted."""
    await promoted(house, ada, "admin")
    made = await ada.call("POST", "/schedules", {"idempotency-key": "s1"}, json=body(ada, note="every night"))
    again = await ada.call("POST", "/schedules", {"idempotency-key": "s1"}, json=body(ada, note="every night"))
    assert (made.status_code, again.json(), made.headers["location"]) == (201, made.json(), f"/api/v1/schedules/{made.json()['id']}")
    path = f"/schedules/{made.json()['id']}"
    read = await ada.call("GET", path)
    assert (len(read.json()["next_at"]), read.json()["runs"], read.json()["installation"]) == (5, [], False)
    assert [each["id"] for each in (await ada.call("GET", "/schedules")).json()["items"]] == [made.json()["id"]]
    paused = await ada.call("PATCH", path, {"if-match": read.headers["etag"]}, json={"paused": True, "note": "until the move is over"})
    assert (paused.json()["paused"], paused.json()["next_at"], paused.json()["note"]) == (True, [], "until the move is over")
    is_problem(await ada.call("PATCH", path, {"if-match": read.headers["etag"]}, json={"paused": False}), 412, "lost_update")
    resumed = await ada.call("PATCH", path, json={"paused": False, "spec": HOURLY, "jitter_s": 600})
    assert resumed.json()["next_at"][0] > made.json()["created_at"]
    assert (await ada.call("DELETE", path)).status_code == 204
    is_problem(await ada.call("GET", path), 404, "not_found")
    is_problem(await ada.call("POST", f"{path}/trigger"), 404, "not_found")
    assert (await ada.call("GET", "/schedules")).json()["items"] == []


REFUSED: tuple[tuple[Any, str, str], ...] = (
    ({"kind": "cron", "line": "0 0 30 2 *"}, "schedule_never_fires", "spec.line"),
    ({"kind": "cron", "line": "61 * * * *"}, "validation_failed", "spec.line"),
    ({"kind": "cron", "line": "* " * 5_000}, "validation_failed", "spec.line"),
    ({"kind": "cron", "line": "* * * * *", "time_zone": "Mars/Olympus"}, "validation_failed", "spec.time_zone"),
    ({"kind": "interval", "every_s": 0}, "validation_failed", "spec.every_s"),
    ({"kind": "interval", "every_s": 10**18}, "validation_failed", "spec.every_s"),
    ({"kind": "interval", "every_s": 59}, "validation_failed", "spec.every_s"),
    ({"kind": "interval", "every_s": 3_600, "offset_s": 3_600}, "validation_failed", "spec.offset_s"),
    ({"kind": "moon"}, "validation_failed", "spec"),
    ({"kind": "interval", "every_s": 3_600, "often": True}, "validation_failed", "spec"),
)


async def test_times_that_make_no_sense_are_refused_with_their_field(house: House, ada: Person):
    await promoted(house, ada, "admin")
    for spec, code, field in REFUSED:
        problem = is_problem(await ada.call("POST", "/schedules", json=body(ada, spec=spec)), 422, code)
        assert problem["errors"][0]["field"].startswith(field), spec
    assert (await ada.call("GET", "/schedules")).json()["items"] == []


async def test_an_admin_schedules_for_the_organisation_and_an_operator_for_the_installation(house: House, ada: Person, bob: Person):
    await promoted(house, ada, "admin")
    is_problem(await ada.call("POST", "/schedules", json=body(ada, action={"kind": "clean_up"})), 403, "forbidden")
    is_problem(await ada.call("GET", "/schedules?installation=true"), 403, "forbidden")
    strange = body(ada, action={"kind": "rebuild", "knowledge_base_id": bob.base})
    is_problem(await ada.call("POST", "/schedules", json=strange), 404, "not_found")
    await promoted(house, bob)
    made = (await bob.call("POST", "/schedules", json=body(bob, action={"kind": "redrive", "limit": 5}, paused=True))).json()
    assert made["installation"]
    assert made["id"] in {each["id"] for each in (await bob.call("GET", "/schedules?installation=true")).json()["items"]}
    is_problem(await ada.call("GET", f"/schedules/{made['id']}"), 404, "not_found")
    is_problem(await ada.call("POST", f"/schedules/{made['id']}/trigger"), 404, "not_found")
    change = {"action": {"kind": "rebuild", "knowledge_base_id": bob.base}}
    is_problem(await bob.call("PATCH", f"/schedules/{made['id']}", json=change), 422, "validation_failed")
    assert (await bob.call("DELETE", f"/schedules/{made['id']}")).status_code == 204


async def test_a_schedule_that_is_triggered_is_one_task_that_can_be_read_at_once_and_cancelled(house: House, ada: Person):
    await promoted(house, ada, "admin")
    made = (await ada.call("POST", "/schedules", json=body(ada, paused=True))).json()
    path = f"/schedules/{made['id']}"
    run = await ada.call("POST", f"{path}/trigger", {"idempotency-key": "t1"})
    again = await ada.call("POST", f"{path}/trigger", {"idempotency-key": "t1"})
    assert (run.status_code, again.json()["id"], run.json()["state"]) == (202, run.json()["id"], "pending")
    task = (await ada.call("GET", f"/tasks/{run.json()['id']}")).json()
    assert (task["kind"], task["state"], task["parent_id"], task["subject"]["url"]) == (
        "rebuild",
        "PENDING",
        made["id"],
        f"/api/v1{path}",
    )
    assert task["links"]["retry"] is None
    second = (await ada.call("POST", f"{path}/trigger")).json()
    assert (second["state"], second["cause"]["code"]) == ("skipped", "schedule_overlap")
    assert [each["id"] for each in (await ada.call("GET", path)).json()["runs"]] == [second["id"], run.json()["id"]]
    assert (await ada.call("POST", f"/tasks/{run.json()['id']}/cancel")).status_code == 202  # the worker ends it


async def test_a_tenant_has_at_most_so_many(house: House, ada: Person):
    await promoted(house, ada, "admin")
    ports = house.ports(SchedulePorts)
    settings = ports.settings
    object.__setattr__(ports, "settings", replace(settings, schedules_max=1))
    try:
        assert (await ada.call("POST", "/schedules", json=body(ada))).status_code == 201
        problem = is_problem(await ada.call("POST", "/schedules", json=body(ada)), 409, "schedules_full")
        assert "CLAW_SCHEDULE_SCHEDULES_MAX" in problem["remedy"]
    finally:
        object.__setattr__(ports, "settings", settings)


async def test_every_change_is_audited(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch):
    await promoted(house, ada, "admin")
    publisher = house.ports(Core).publisher
    enqueue, actions = publisher.enqueue, []

    async def record(outgoing: Any) -> Any:
        if outgoing.topic is AUDIT_RECORDED:
            actions.append(outgoing.event.data.action)
        return await enqueue(outgoing)

    monkeypatch.setattr(publisher, "enqueue", record)
    made = (await ada.call("POST", "/schedules", json=body(ada))).json()
    await ada.call("PATCH", f"/schedules/{made['id']}", json={"paused": True})
    await ada.call("POST", f"/schedules/{made['id']}/trigger")
    await ada.call("DELETE", f"/schedules/{made['id']}")
    assert actions == ["schedule.create", "schedule.change", "schedule.trigger", "schedule.delete"]


async def test_a_schedule_is_there_once_after_the_api_died_between_log_and_table(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
):
    """It was accepted when the log had it: the tables follow, and a repeat of the request finds it."""
    await promoted(house, ada, "admin")
    core = house.ports(Core)

    async def die(_event: object, _offset: object) -> None:
        raise Unavailable("redis_unavailable")

    with monkeypatch.context() as killed:
        killed.setattr(core.read_models, "apply", die)
        is_problem(await ada.call("POST", "/schedules", {"idempotency-key": "k"}, json=body(ada)), 503, "redis_unavailable")
    assert (await ada.call("GET", "/schedules")).json()["items"] == []
    await rebuild_tables(house.settings, core.redis, ["schedules"], lambda _table, _result, _seconds: None)
    (made,) = (await ada.call("GET", "/schedules")).json()["items"]
    again = await ada.call("POST", "/schedules", {"idempotency-key": "k"}, json=body(ada))
    assert (again.status_code, again.json()["id"]) == (201, made["id"])
    assert len((await ada.call("GET", "/schedules")).json()["items"]) == 1
