"""An API that is started before ``claw topics apply`` says so, and works as soon as the topics are there."""

import asyncio
import uuid

import msgspec
import pytest

from ops.commands import topics as administration
from tests.support.api_process import WANTED, opened, with_limits

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]


async def test_an_api_that_is_there_before_the_topics(api_settings):
    kafka = msgspec.structs.replace(api_settings.kafka, topic_prefix=f"t{uuid.uuid4().hex[:10]}.")
    settings = msgspec.structs.replace(with_limits(api_settings, enabled=False), kafka=kafka)
    async with opened(settings) as house:
        answer = await house.client.get("/readyz")
        assert answer.status_code == 503
        assert "kafka" in answer.json()["down"]
        refused = await house.client.post("/api/v1/auth/register", json={"email": "a@example.com", "password": "correct horse battery"})
        assert (refused.status_code, refused.json()["code"]) == (503, "kafka_unavailable")
        await administration.apply(kafka, WANTED)
        try:
            async with asyncio.timeout(20):
                while {"kafka", "redis"} & set((await house.client.get("/readyz")).json()["down"]):  # Redis counts once the log was asked
                    await asyncio.sleep(0.1)
            ada = await house.person()
            asked = await ada.call("POST", f"/conversations/{await ada.conversation()}/messages", json={"content": "Hello?"})
            assert asked.status_code == 202, asked.text
        finally:
            await administration.delete(kafka, WANTED)
