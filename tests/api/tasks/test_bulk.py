"""Bulk actions over HTTP: dry runs, what is refused by name, the task that does it."""

from typing import Any

import pytest

from tests.support.api_people import promoted
from tests.support.api_process import House, Person
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_dry_run_counts_and_a_bulk_action_is_a_task(house: House, ada: Person):
    """Of three open documents; nothing but the task is written."""
    await promoted(house, ada, "admin")
    for number in range(3):
        assert (await ada.call("PUT", f"/knowledge/{ada.base}/documents/d{number}", json={"text": "x"})).status_code == 202
    wanted = {"action": "cancel", "kind": "vectorize_document", "state": "PENDING"}
    counted = (await ada.call("POST", "/tasks/bulk", json=wanted | {"dry_run": True})).json()
    assert counted == {"dry_run": True, "matched": 3, "complete": True, "task": None}
    none = {"action": "retry", "dry_run": True}
    assert (await ada.call("POST", "/tasks/bulk", json=none)).json()["matched"] == 0
    assert (await ada.call("POST", "/tasks/bulk", json={"action": "redrive", "dry_run": True})).json()["matched"] == 0
    made = await ada.call("POST", "/tasks/bulk", {"idempotency-key": "b1"}, json=wanted)
    again = await ada.call("POST", "/tasks/bulk", {"idempotency-key": "b1"}, json=wanted)
    task = made.json()["task"]
    assert (task["kind"], task["state"], again.json()["task"]["id"]) == ("bulk_action", "PENDING", task["id"])
    assert made.headers["location"] == f"/api/v1/tasks/{task['id']}"
    assert (await ada.call("GET", f"/tasks/{task['id']}")).json()["links"]["cancel"] is not None
    assert (await ada.call("GET", "/tasks?kind=bulk_action")).json()["items"][0]["id"] == task["id"]


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"action": "delete"}, "action"),
    ({"action": "redrive", "kind": "rebuild"}, "kind"),
    ({"action": "cancel", "code": "x"}, "code"),
    ({"action": "cancel", "state": "SUCCESS"}, "state"),
    ({"action": "retry", "state": "PENDING"}, "state"),
    ({"action": "retry", "kind": "generate_ai_response"}, "kind"),
    ({"action": "cancel", "kind": "send_notification"}, "kind"),
    ({"action": "cancel", "rate_per_s": 0}, "rate_per_s"),
    ({"action": "cancel", "rate_per_s": 900}, "rate_per_s"),
    ({"action": "cancel", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
    ({"action": "cancel", "from": "2026-01-02T00:00:00"}, "from"),
    ({"action": "cancel", "to": 10**18}, "to"),
)


async def test_a_filter_that_makes_no_sense_is_refused_with_its_field(house: House, ada: Person):
    await promoted(house, ada, "admin")
    for wanted, field in REFUSED:
        problem = is_problem(await ada.call("POST", "/tasks/bulk", json=wanted), 422, "validation_failed")
        assert problem["errors"][0]["field"] == field, wanted
    assert (await ada.call("GET", "/tasks?kind=bulk_action")).json()["items"] == []
