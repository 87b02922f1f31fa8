"""What goes on and what is refused while Kafka or Redis is down, and that both come back without a restart."""

import asyncio
import time
import uuid

import msgspec
import pytest

from adapters.redis.client import connect
from api.chats.ports import ChatPorts
from api.core import Core
from ops.commands import rebuild_tables
from schemas.settings import KafkaSettings
from tests.support.api_process import PASSWORD, House, collected, opened, with_limits
from tests.support.api_redis import free_port, on_redis, redis_server
from tests.support.problems import is_problem
from tests.support.reply_speaker import Speaker

pytestmark = pytest.mark.asyncio(loop_scope="session")
EVENTS = {"accept": "text/event-stream"}


async def asked(house: House, person, conversation: str, content: str) -> list[str]:
    """Ask and answer while streaming; the names of the events."""
    path = f"/api/v1/conversations/{conversation}/messages"
    async with house.client.stream("POST", path, json={"content": content}, headers=person.headers | EVENTS) as answer:
        assert answer.status_code == 200, (await answer.aread()).decode()
        reply = house.ports(ChatPorts).running._read[next(key for key in house.ports(ChatPorts).running._read if key[1] == conversation)]
        speaker = Speaker(house, person, conversation, reply)
        await speaker.started()
        await speaker.extended(1, "25")
        await speaker.completed("25", store=house.ports(Core).redis.is_up)
        return [sent.event for sent in await collected(answer)]


async def test_redis_goes_and_comes(api_settings, tmp_path):
    """A running conversation is answered without Redis, one reply at a time; records and deletes are refused; then all is well again."""
    port = free_port()
    ended = ["accepted", "retrieved", "delta", "completed"]
    async with redis_server(port, tmp_path) as server, opened(on_redis(api_settings, port)) as house:
        ada = await house.person()
        conversation = await ada.conversation()
        assert await asked(house, ada, conversation, "Days?") == ended
        assert (await ada.call("PUT", f"/knowledge/{ada.base}/documents/a", json={"text": "x"})).status_code == 202
        made = (await ada.call("POST", "/api-keys", json={"name": "a"})).json()
        key = {"authorization": f"Bearer {made['key']}"}
        assert (await house.client.get("/api/v1/users/me", headers=key)).status_code == 200
        server.kill()
        await server.wait()
        assert await asked(house, ada, conversation, "For everybody?") == ended
        assert await asked(house, ada, conversation, "Really?") == ended
        tenant = Speaker(house, ada, conversation, "r").tenant
        above = house.ports(ChatPorts).running.histories.get((tenant, conversation), 60)
        assert above is not None
        assert (len(above.ancestors), len(above.turns)) == (6, 6)  # what was asked without Redis continues the branch
        elsewhere = {"content": "Instead?", "parent_id": above.ancestors[1]}
        is_problem(await ada.call("POST", f"/conversations/{conversation}/messages", json=elsewhere), 503, "redis_unavailable")
        first = await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "And?"})
        assert first.status_code == 202
        busy = await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "Or?"})
        assert is_problem(busy, 409, "conversation_busy")["reply_id"] == first.json()["reply_id"]
        for method, path, body in (
            ("DELETE", f"/knowledge/{ada.base}/documents/a", None),
            ("PUT", f"/knowledge/{ada.base}/documents/a", {"text": "y"}),
            ("POST", "/conversations", {}),
            ("PATCH", f"/conversations/{conversation}", {"title": "x"}),
            ("GET", "/conversations", None),
        ):
            began = time.monotonic()
            answer = await ada.call(method, path, json=body)
            assert time.monotonic() - began < 2
            is_problem(answer, 503, "redis_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert "127.0.0.1" not in answer.text
        await asyncio.sleep(1.1)  # past the age at which a key is taken as known: it is still let in, as Redis cannot be asked
        is_problem(await house.client.get("/api/v1/conversations", headers=key), 503, "redis_unavailable")
        ready = await house.client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "degraded")
        assert ready.json()["down"] == ["redis"]
        assert (await house.client.get("/livez")).status_code == 200
        await Speaker(house, ada, conversation, first.json()["reply_id"]).completed("25", store=False)
        async with redis_server(port, tmp_path):
            async with asyncio.timeout(10):
                while (await ada.call("GET", f"/conversations/{conversation}")).status_code != 200:
                    await asyncio.sleep(0.1)
            assert await asked(house, ada, conversation, "Back?") == ended
            assert (await ada.call("PATCH", f"/conversations/{conversation}", json={"title": "x"})).status_code == 200


async def test_redis_loses_its_data(api_settings, tmp_path):
    """Nobody is told that what they have does not exist, from the first request on; running conversations go on; the rebuild ends it."""
    port, ended = free_port(), ["accepted", "retrieved", "delta", "completed"]
    settings = on_redis(api_settings, port)
    async with redis_server(port, tmp_path), opened(settings) as house, opened(settings) as other:
        ada = await house.person()
        conversation = await ada.conversation()
        assert await asked(house, ada, conversation, "Days?") == ended
        made = (await ada.call("POST", "/api-keys", json={"name": "a"})).json()
        key = {"authorization": f"Bearer {made['key']}"}
        assert (await other.client.get("/readyz")).json()["parts"]["tables"] == {"state": "up"}
        redis = connect(settings.redis)
        await redis.execute_command("FLUSHALL")
        await redis.aclose()
        login = {"email": ada.email, "password": PASSWORD}
        for answer in (
            await other.client.get("/api/v1/users/me", headers=key),
            await other.client.post("/api/v1/auth/login", json=login),
            await other.client.get("/api/v1/conversations", headers=ada.headers),
            await other.client.get(f"/api/v1/conversations/{conversation}", headers=ada.headers),
        ):
            assert "claw rebuild tables" in is_problem(answer, 503, "tables_lost")["remedy"]
            assert int(answer.headers["retry-after"]) >= 1
        assert await asked(house, ada, conversation, "For everybody?") == ended
        began = time.monotonic()
        for each in (house, other):
            while (ready := (await each.client.get("/readyz")).json())["down"] != ["tables"]:
                await asyncio.sleep(0.1)
            assert time.monotonic() - began < 3
            assert (ready["status"], ready["parts"]["tables"]["state"], ready["parts"]["redis"]["state"]) == ("degraded", "lost", "up")
            assert "claw rebuild tables" in ready["parts"]["tables"]["detail"]
        assert await rebuild_tables.run(settings, ()) == 0
        began = time.monotonic()
        for each in (house, other):
            while (answer := await each.client.get("/api/v1/users/me", headers=key)).status_code == 503:
                await asyncio.sleep(0.1)
            assert answer.status_code == 200
            assert time.monotonic() - began < 3
            assert (await each.client.get("/readyz")).json()["parts"]["tables"] == {"state": "up"}
        assert (await other.client.post("/api/v1/auth/login", json=login)).status_code == 200
        path = "/api/v1/conversations"
        assert (await other.client.get(f"{path}/{conversation}", headers=ada.headers)).status_code == 200
        is_problem(await other.client.get(f"{path}/{uuid.uuid4()}", headers=ada.headers), 404, "not_found")


async def test_nobody_new_without_redis(api_settings, tmp_path):
    """Who was never seen here cannot be known: 503, not 401, and not a way in."""
    port = free_port()
    async with opened(on_redis(api_settings, port)) as house:
        answer = await house.client.get("/api/v1/users/me", headers={"authorization": f"Bearer claw_{'0' * 32}_x"})
        is_problem(answer, 503, "redis_unavailable")
        answer = await house.client.post("/api/v1/auth/login", json={"email": "a@example.com", "password": "x"})
        is_problem(answer, 503, "redis_unavailable")


async def test_kafka_unreachable(api_settings, tmp_path):
    """The process starts, says that it is not ready, and refuses what needs the log within 2 s."""
    settings = msgspec.structs.replace(
        with_limits(api_settings), kafka=KafkaSettings(bootstrap=f"127.0.0.1:{free_port()}", publish_timeout_s=1.0)
    )
    async with opened(settings) as house, opened(msgspec.structs.replace(settings, kafka=api_settings.kafka)) as healthy:
        ada = await healthy.person()
        conversation = await ada.conversation()
        for method, path, body in (
            ("POST", f"/conversations/{conversation}/messages", {"content": "Days?"}),
            ("POST", "/conversations", {}),
            ("PUT", f"/knowledge/{ada.base}/documents/a", {"text": "x"}),
        ):
            began = time.monotonic()
            answer = await house.client.request(method, f"/api/v1{path}", json=body, headers=ada.headers)
            assert time.monotonic() - began < 2
            is_problem(answer, 503, "kafka_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert "Error" not in answer.text
        began = time.monotonic()
        ready = await house.client.get("/readyz")
        assert time.monotonic() - began < 2
        assert ready.status_code == 503
        assert "kafka" in ready.json()["down"]
        turn = await healthy.ports(ChatPorts).reply_locks.holder(Speaker(healthy, ada, conversation, "r").tenant, conversation)
        assert turn is None  # a question that was not taken does not hold the conversation up
