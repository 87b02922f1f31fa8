"""Questions without a conversation while Redis is down: asked, answered and read here, as those of running conversations are."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from api.chats.ports import ChatPorts
from schemas.settings import Settings
from tests.support.api_process import House, Person, collected, events, opened
from tests.support.api_redis import free_port, on_redis, redis_server
from tests.support.problems import is_problem
from tests.support.reply_speaker import Speaker
from tests.support.standalone import client_of

pytestmark = pytest.mark.asyncio(loop_scope="session")
ASK: list[Any] = [{"role": "user", "content": "Days?"}]
EVENTS = {"accept": "text/event-stream"}


async def queried(house: House, person: Person) -> str:
    """The id of a reply that was asked for, streamed and answered."""
    path, headers = "/api/v1/knowledge/query", person.headers | EVENTS | {"idempotency-key": "k"}
    async with house.client.stream("POST", path, json={"question": "Days?"}, headers=headers) as answer:
        assert answer.status_code == 200, (await answer.aread()).decode()
        sent = []
        async for each in events(answer):
            sent.append(each)
            if each.event == "accepted":
                speaker = Speaker(house, person, each.data["conversation_id"], each.data["reply_id"])
                await speaker.started()
                await speaker.extended(1, "25")
                await speaker.completed("25", store=False)
    assert [each.event for each in sent] == ["accepted", "retrieved", "delta", "completed"]
    return str(sent[0].data["reply_id"])


async def test_redis_is_down(api_settings: Settings, tmp_path: Path):
    port = free_port()
    async with redis_server(port, tmp_path) as server, opened(on_redis(api_settings, port)) as house:
        ada = await house.person()
        first = await queried(house, ada)
        server.kill()
        await server.wait()
        reply = await queried(house, ada)
        assert reply == first  # the same key is the same question
        async with house.client.stream("GET", f"/api/v1/knowledge/queries/{reply}/stream", headers=ada.headers) as answer:
            assert [each.event for each in await collected(answer)][-1] == "completed"
        is_problem(await ada.call("GET", f"/knowledge/queries/{reply}"), 503, "redis_unavailable")
        async with client_of(house, ada.token) as official:
            asking = asyncio.create_task(official.chat.completions.create(model="claw", messages=ASK))
            async with asyncio.timeout(10):
                while len(house.ports(ChatPorts).locations.recent) < 2:
                    await asyncio.sleep(0.01)
            (_, asked), (_, location) = next(reversed(house.ports(ChatPorts).locations.recent._entries.items()))
            speaker = Speaker(house, ada, location.conversation_id, asked)
            await speaker.started()
            await speaker.completed("25 days", store=False)
            assert (await asking).choices[0].message.content == "25 days"
