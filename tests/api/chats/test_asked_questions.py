"""The same request twice, and replies asked for while Redis is away: nothing is asked twice, and every reply is found."""

import asyncio
import time
import uuid

import msgspec
import pytest

from api.chats.asked_questions import AskedQuestions
from api.chats.ports import ChatPorts
from api.core import Core
from domain.chats.topics import CHATS_ASKED
from schemas.errors import Unavailable
from schemas.settings import LimitSettings
from tests.support.api_process import House, collected, opened
from tests.support.api_redis import free_port, on_redis, redis_server
from tests.support.problems import is_problem
from tests.support.reply_speaker import Speaker
from tests.support.standalone import everything_on

pytestmark = pytest.mark.asyncio(loop_scope="session")
ASK = {"question": "How many days of leave?"}
WHOLE = ["retrieved", "delta", "delta", "completed"]


async def read(house: House, person, path: str) -> tuple[list[str], str]:
    """The names of a stream's events, and the text of its deltas."""
    async with house.client.stream("GET", path, headers=person.headers) as answer:
        assert answer.status_code == 200, (await answer.aread()).decode()
        sent = await collected(answer)
    return [each.event for each in sent], "".join(each.data["text"] for each in sent if each.event == "delta")


async def speak(speaker: Speaker) -> None:
    await speaker.started()
    await speaker.extended(1, "25")
    await speaker.extended(2, " days")
    await speaker.completed("25 days", store=False)


async def asked(house: House, reply: str) -> int:
    return len([event for event in await everything_on(house, CHATS_ASKED) if event.data.reply_id == reply])


async def test_a_repeat_waits_for_the_same_request():
    """Nobody else does, and nothing stays of it."""
    questions, order = AskedQuestions(), []

    async def ask(reply: str, pause_s: float) -> None:
        async with questions.one_at_a_time("t", reply):
            order.append(reply)
            await asyncio.sleep(pause_s)
            order.append(f"{reply} ended")

    await asyncio.gather(ask("a", 0.02), ask("a", 0), ask("b", 0))
    assert order == ["a", "b", "b ended", "a ended", "a", "a ended"]
    assert not questions._locks


async def reach(house: House) -> None:
    """Return when this process has reached its Redis by itself: another replica may have made the tables whole before."""
    await house.ports(Core).watches.tables.wait_for("whole")
    async with asyncio.timeout(10):
        while True:
            try:
                await house.ports(Core).redis.execute_command("PING")
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def test_the_same_key_twice_without_redis(api_settings, tmp_path):
    """One question on the log, and one place of its reply: the stream has every delta. Redis, once back, changes nothing about it; neither
    does a reply that it never heard of count as unknown, here or at another replica.
    """
    port = free_port()
    settings = on_redis(api_settings, port)
    settings = msgspec.structs.replace(settings, limits=LimitSettings(query_wait_s=0.05))
    async with opened(settings) as house, opened(settings) as other:
        async with redis_server(port, tmp_path):
            await reach(house)
            ada = await house.person()
            conversation = await ada.conversation()
            path, key = f"/conversations/{conversation}/messages", {"idempotency-key": uuid.uuid4().hex}
            running = (await ada.call("POST", path, json={"content": "May I ask?"})).json()
            await Speaker(house, ada, conversation, running["reply_id"]).answer("Yes.")
        answers = await asyncio.gather(*(ada.call("POST", path, key, json={"content": "Days?"}) for _ in range(2)))
        assert [each.status_code for each in answers] == [202, 202], answers[0].text
        first = answers[0].json()
        reply = first["reply_id"]
        await speak(Speaker(house, ada, conversation, reply))
        again = await ada.call("POST", path, key, json={"content": "Days?"})
        assert [each.json() for each in (*answers, again)] == [first] * 3
        assert await read(house, ada, first["stream"]) == (WHOLE, "25 days")
        query = [await ada.call("POST", "/knowledge/query", key, json=ASK) for _ in range(2)]
        assert query[0].json()["reply_id"] == query[1].json()["reply_id"]
        async with redis_server(port, tmp_path):
            async with asyncio.timeout(10):
                while (await ada.call("GET", f"/conversations/{conversation}")).status_code != 200:
                    await asyncio.sleep(0.1)
            assert (await ada.call("POST", path, key, json={"content": "Days?"})).json() == first
            assert await asked(house, reply) == 1
            assert await asked(house, query[0].json()["reply_id"]) == 1
            for replica in (house, other):
                assert await read(replica, ada, first["stream"]) == (WHOLE, "25 days")
                view = await replica.client.get(first["stream"].removesuffix("/stream"), headers=ada.headers)
                assert (view.status_code, view.json()["state"]) == (200, "open"), "nothing projects its message here"
            missing = f"/conversations/{conversation}/replies/{uuid.uuid4()}/stream"
            is_problem(await other.client.get(f"/api/v1{missing}", headers=ada.headers), 404, "not_found")


async def test_two_replicas_get_the_same_key(api_settings, tmp_path):
    """Whichever is second sends its readers to where the first lets it be answered."""
    port = free_port()
    settings = on_redis(api_settings, port)
    async with redis_server(port, tmp_path), opened(settings) as house, opened(settings) as other:
        ada = await house.person()
        conversation = await ada.conversation()
        path, key = f"/api/v1/conversations/{conversation}/messages", {"idempotency-key": uuid.uuid4().hex}
        ports = (house.ports(ChatPorts), other.ports(ChatPorts))
        answers = await asyncio.gather(
            *(each.client.post(path, json={"content": "Days?"}, headers=ada.headers | key) for each in (house, other))
        )
        reply = answers[0].json()["reply_id"]
        assert answers[1].json()["reply_id"] == reply
        tenant = Speaker(house, ada, conversation, reply).tenant
        assert len({await each.locations.find(tenant, reply) for each in ports}) == 1
        questions = [event for event in await everything_on(house, CHATS_ASKED) if event.data.reply_id == reply]
        assert len({event.data.reply_partition for event in questions}) == 1


async def test_the_conversation_is_free_when_redis_is_back(api_settings, tmp_path):
    """A reply that ended meanwhile is not open, and its text is what the next question continues; neither is one that was never asked."""
    port = free_port()
    async with opened(on_redis(api_settings, port)) as house:
        ports = house.ports(ChatPorts)
        async with redis_server(port, tmp_path):
            await reach(house)
            ada = await house.person()
            conversation, unlucky = await ada.conversation(), await ada.conversation()
            path = f"/conversations/{conversation}/messages"
            first = (await ada.call("POST", path, json={"content": "Days?"})).json()
            speaker = Speaker(house, ada, conversation, first["reply_id"])
            lost = str(uuid.uuid4())
            assert await ports.reply_locks.acquire(speaker.tenant, unlucky, lost, 600) == lost
        ports.running.mark_never_asked(lost)
        await speak(speaker)
        assert (await read(house, ada, first["stream"]))[0] == WHOLE
        async with redis_server(port, tmp_path):
            async with asyncio.timeout(10):
                while (await ada.call("GET", f"/conversations/{conversation}")).status_code != 200:
                    await asyncio.sleep(0.1)
            asking = asyncio.create_task(ada.call("POST", path, json={"content": "And?"}))
            await asyncio.sleep(0.5)
            assert not asking.done(), "it waits for the message that is on its way"
            began = time.monotonic()
            await speaker.stored("25 days")
            assert (await asking).status_code == 202
            assert time.monotonic() - began < 1
            questions = [event.data for event in await everything_on(house, CHATS_ASKED) if event.data.conversation_id == conversation]
            (question,) = [each for each in questions if each.content == "And?"]
            assert [turn.content for turn in question.history] == ["Days?", "25 days"]
            assert (await ada.call("POST", f"/conversations/{unlucky}/messages", json={"content": "Days?"})).status_code == 202
