"""A webhook of the whole stack: signed messages on the loopback, in order of the schedule, also when the worker dies in between."""

import asyncio
import os
import signal

import pytest

from claw_client import Client
from tests.support.webhook_receiver import receiving, until


@pytest.mark.timeout(180)
async def test_a_webhook_survives_its_worker(up, client: Client):
    """The receiver is down at first, and the worker is killed before the second attempt: one message arrives, once."""
    session, headers = client.session, client.headers
    async with receiving() as receiver:
        body = {"url": receiver.url, "event_types": ["document.indexed"]}
        async with session.post("/api/v1/webhooks", json=body, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            webhook = await answer.json()
        receiver.secret = webhook["secret"]
        async with session.put(f"{client.documents}/handbook", json={"title": "Leave", "text": "25 days."}, headers=headers) as answer:
            assert answer.status == 202, await answer.text()
        await until(lambda: receiver.tried)
        worker = up.process("documents")
        os.kill(worker.pid, signal.SIGKILL)
        receiver.status = 204
        await up.restarted("documents", worker)
        await until(lambda: receiver.accepted)
        await asyncio.sleep(2)
        (message,) = receiver.accepted
        assert (message["type"], message["data"]["document_id"], message["data"]["title"]) == ("document.indexed", "handbook", "Leave")
        assert len(set(receiver.tried)) == 1, "every attempt has the same webhook-id"
        deliveries = f"/api/v1/webhooks/{webhook['id']}/deliveries"
        async with session.get(deliveries, headers=headers) as answer:
            (shown,) = (await answer.json())["items"]
        assert (shown["state"], shown["attempts"][0]["status"], shown["attempts"][-1]["status"]) == ("delivered", 503, 204)
        async with session.get("/api/v1/notices", headers=headers) as answer:
            kinds = [each["kind"] for each in (await answer.json())["items"]]
        assert kinds == ["document.indexed"]
