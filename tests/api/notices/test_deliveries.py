"""The delivery log over HTTP, the test message, and replays that send exactly what was asked for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from api.core import Core
from api.notices.ports import NoticePorts
from domain.notices.messages import new_delivery
from domain.notices.topics import DELIVERIES_CHANGED
from schemas.notices import DeliveryAttempt, DeliveryChanged, WebhookDelivery
from streams.log.outgoing import Outgoing
from tests.support.api_process import House, Person
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
NOON = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)


async def webhook_of(person: Person) -> str:
    return str((await person.call("POST", "/webhooks", json={"url": "https://hooks.example.com/"})).json()["id"])


async def write(house: House, delivery: WebhookDelivery) -> None:
    core = house.ports(Core)
    event = DeliveryChanged(
        id=f"{delivery.id}/{delivery.tries}",
        source="/claw/test",
        subject=delivery.id,
        time=core.clock.now(),
        tenant=delivery.tenant,
        traceparent="",
        data=delivery,
    )
    await core.records.change(Outgoing(DELIVERIES_CHANGED, event, key=delivery.webhook_id))


async def delivered(house: House, person: Person, webhook_id: str, minutes: int) -> str:
    """A message of so many minutes after noon that arrived."""
    webhook = await house.ports(NoticePorts).webhooks.get(person.user["id"], webhook_id)
    assert webhook is not None
    at = NOON + timedelta(minutes=minutes)
    made = new_delivery(webhook, "document.indexed", at, {"n": minutes}, id=f"msg_{webhook_id}_{minutes:02}", now=at)
    attempt = DeliveryAttempt(at=at, status=200, duration_ms=12, answer="thanks")
    await write(house, msgspec.structs.replace(made, state="delivered", tries=1, attempts=(attempt,), next_at=None, ended_at=at))
    return made.id


async def replay(person: Person, webhook_id: str, **body: Any) -> list[str]:
    answer = await person.call("POST", f"/webhooks/{webhook_id}/replay", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["replayed"] == len(answer.json()["delivery_ids"])
    return list(answer.json()["delivery_ids"])


async def test_the_log_shows_every_attempt_and_its_answer(house: House, ada: Person):
    webhook_id = await webhook_of(ada)
    delivery_id = await delivered(house, ada, webhook_id, 1)
    (shown,) = (await ada.call("GET", f"/webhooks/{webhook_id}/deliveries")).json()["items"]
    assert (shown["id"], shown["state"], shown["attempts"][0]["status"], shown["attempts"][0]["answer"]) == (
        *(delivery_id, "delivered"),
        *(200, "thanks"),
    )
    whole = (await ada.call("GET", f"/webhooks/{webhook_id}/deliveries/{delivery_id}")).json()
    assert whole["payload"]["data"] == {"n": 1}
    is_problem(await ada.call("GET", f"/webhooks/{webhook_id}/deliveries/msg_none"), 404, "not_found")


async def test_a_test_message_is_sent_whatever_is_filtered(house: House, ada: Person):
    webhook_id = await webhook_of(ada)
    await ada.call("PATCH", f"/webhooks/{webhook_id}", json={"event_types": ["reply.completed"]})
    answer = await ada.call("POST", f"/webhooks/{webhook_id}/test", {"idempotency-key": "t"})
    assert (answer.status_code, answer.json()["type"], answer.json()["state"]) == (202, "webhook.test", "pending")
    assert (await ada.call("POST", f"/webhooks/{webhook_id}/test", {"idempotency-key": "t"})).json() == answer.json()
    await ada.call("PATCH", f"/webhooks/{webhook_id}", json={"enabled": False})
    is_problem(await ada.call("POST", f"/webhooks/{webhook_id}/test"), 409, "webhook_disabled")


async def test_a_replay_sends_exactly_what_was_asked_for(house: House, ada: Person):
    """By time from inclusive to exclusive, or by name; each keeps its id and begins its schedule anew."""
    webhook_id = await webhook_of(ada)
    sent = [await delivered(house, ada, webhook_id, minutes) for minutes in range(10)]
    since, until = NOON + timedelta(minutes=3), NOON + timedelta(minutes=6)
    assert await replay(ada, webhook_id, since=since.isoformat(), until=until.isoformat()) == sent[3:6]
    items = (await ada.call("GET", f"/webhooks/{webhook_id}/deliveries")).json()["items"]
    assert [each["id"] for each in items if each["state"] == "pending"] == sent[5:2:-1]
    assert all(each["replays"] == 1 and each["tries"] == 0 and each["attempts"] for each in items if each["state"] == "pending")
    assert await replay(ada, webhook_id, delivery_ids=[sent[8], sent[0]]) == [sent[8], sent[0]]
    assert await replay(ada, webhook_id, since=(NOON + timedelta(minutes=8)).isoformat()) == sent[8:]
    for body in ({}, {"since": since.isoformat(), "delivery_ids": [sent[0]]}):
        is_problem(await ada.call("POST", f"/webhooks/{webhook_id}/replay", json=body), 422, "validation_failed")
    missing = {"delivery_ids": [sent[0], "msg_none"]}
    is_problem(await ada.call("POST", f"/webhooks/{webhook_id}/replay", json=missing), 404, "not_found")
