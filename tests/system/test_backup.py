"""A whole installation, backed up while it serves and restored into another home folder with servers of its own: it answers the same."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer

from claw_client import Client, events
from ops.stack.environment import environment_of
from ops.stack.launch import stack
from schemas.settings import KafkaSettings, Settings
from tests.support.claw_forks import ClawForks
from tests.support.file_kinds import pdf
from tests.support.found_passages import search
from tests.support.webhook_receiver import Receiver, receiving, until
from tests.system.conftest import OwnStack, Up, promote, records

EMAIL, PASSWORD = "keeper@example.org", "a long test passphrase"
QUESTION = "When was the lighthouse of Amrum built?"
WEBHOOKS = {"CLAW_WEBHOOK_NETWORKS": "127.0.0.0/8"}  # the receiver's
INDEXED = 3  # versions
NETWORK = "203.0.113.0/24"
ONCE = (  # what happened is not done again
    "claw.chats.asked.v1",
    "claw.chats.answered.v1",
    "claw.usage.recorded.v1",
    "claw.documents.submitted.v1",
    "claw.messages.changed.v1",
    "claw.mails.requested.v1",
    "claw.mails.ended.v1",
    "claw.notices.changed.v1",
    "claw.deliveries.changed.v1",
    "claw.dead-letters.v1",
)


@pytest.mark.timeout(300)
async def test_a_restored_stack_answers_the_same(
    tmp_path: Path, own_stack: OwnStack, kafka_settings: KafkaSettings, forks: ClawForks
) -> None:
    """Documents with their versions, conversations, keys, rules and dead letters; nothing is done twice; half a backup is refused."""
    backup = tmp_path / "backup.tar"
    async with receiving() as receiver:
        receiver.status = 204
        async with own_stack(tmp_path / "old", WEBHOOKS) as (up, session):
            client = await Client.register(session, EMAIL, PASSWORD)
            key = await lives(up, client, receiver)
            before, logged = await looks(client, key), await settled_log(up, kafka_settings.topic_prefix)
            code, printed = await up.command("backup", str(backup), "--with-secrets")
            assert code == 0, printed
        change = KafkaSettings(partitions=kafka_settings.partitions, reply_partitions=kafka_settings.reply_partitions)
        settings = environment_of(Settings(kafka=change), {}) | {
            "CLAW_KAFKA_TOPIC_PREFIX": kafka_settings.topic_prefix,
            **WEBHOOKS,
            "CLAW_LIMIT_ENABLED": "false",
            "CLAW_KAFKA_PORT": "0",
        }
        offline = Up("", tmp_path / "new", settings, forks)
        half = tmp_path / "half.tar"
        half.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])
        code, printed = await offline.command("restore", str(half))
        assert (code, (tmp_path / "new").exists()) == (1, False), printed
        code, printed = await offline.command("restore", str(backup))
        assert code == 0, printed
        async with stack(tmp_path / "new", settings, show=True) as running, aiohttp.ClientSession(base_url=running.url) as session:
            restored = Up(running.url, tmp_path / "new", settings, forks)
            login = {"email": EMAIL, "password": PASSWORD}
            async with session.post("/api/v1/auth/login", json=login) as answer:
                assert answer.status == 200, await answer.text()
            again = Client(session, client.headers, client.knowledge_base)  # an access token of before
            await found(again, "lighthouse")
            assert await looks(again, key) == before
            assert await settled_log(restored, kafka_settings.topic_prefix) == logged
            assert len(receiver.accepted) == INDEXED
            code, printed = await restored.command("doctor")
            assert code == 0, printed
            conversation = await again.create_conversation()
            assert await says(again, conversation) == before["answer"]


async def lives(up: Up, client: Client, receiver: Receiver) -> dict[str, str]:
    """A webhook; documents, one of them replaced; a question; a key; a rule; a dead letter. Returns the key's headers."""
    webhook = {"url": receiver.url, "event_types": ["document.indexed"]}
    async with client.session.post("/api/v1/webhooks", json=webhook, headers=client.headers) as answer:
        assert answer.status == 201, await answer.text()
        receiver.secret = (await answer.json())["secret"]
    producer = AIOKafkaProducer(**up.connection)
    await producer.start()
    await producer.send_and_wait(f"{up.kafka.topic_prefix}claw.inbox.default.v1", b"no document", key=b"k")
    await producer.stop()
    await client.submit("lighthouse", "The lighthouse of Amrum was planned in 1870.")
    await client.wait_indexed("lighthouse")
    await client.submit("lighthouse", "The lighthouse of Amrum was built in 1875 by Wenneker and stands in Nebel.")
    form = aiohttp.FormData()
    form.add_field("document_id", "ferry")
    form.add_field("file", pdf("The ferry to Amrum leaves Dagebull at nine."), filename="ferry.pdf", content_type="application/pdf")
    async with client.session.post(f"{client.documents}/upload", data=form, headers=client.headers) as answer:
        assert answer.status == 202, await answer.text()
    for name in ("lighthouse", "ferry"):
        await client.wait_indexed(name)
    await until(lambda: len(receiver.accepted) == INDEXED)
    await says(client, await client.create_conversation())
    await promote(up, client.session, EMAIL, client.headers)
    denied = {"kind": "cidr", "value": NETWORK, "reason": "a test"}
    async with client.session.put("/api/v1/rate-limits/denylist", json=denied, headers=client.headers) as answer:
        assert answer.status == 200, await answer.text()
    async with client.session.post("/api/v1/api-keys", json={"name": "backup"}, headers=client.headers) as made:
        return {"Authorization": f"Bearer {(await made.json())['key']}"}


async def says(client: Client, conversation: str) -> str:
    """The answer to the question."""
    async with client.ask(conversation, QUESTION) as answer:
        return "".join([sent.data["text"] async for sent in events(answer.content) if sent.name == "delta"])


async def looks(client: Client, key: dict[str, str]) -> dict[str, Any]:
    """What its user sees of an installation, also by the key."""
    seen: dict[str, Any] = {}

    async def get(path: str, headers: Mapping[str, str]) -> Any:
        async with client.session.get(f"/api/v1{path}", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    for headers in (client.headers, key):
        seen["documents"] = (await get(client.documents.removeprefix("/api/v1"), headers))["items"]
    seen["me"] = await get("/users/me", client.headers)
    seen["keys"] = [each["id"] for each in (await get("/api-keys", client.headers))["items"]]
    seen["denied"] = await get("/rate-limits/denylist", client.headers)
    seen["conversations"] = (await get("/conversations", client.headers))["items"]
    seen["messages"] = [(await get(f"/conversations/{each['id']}/messages", client.headers))["items"] for each in seen["conversations"]]
    seen["found"] = {query: [each["document_id"] for each in await search(client, query)] for query in ("lighthouse of Amrum", "ferry")}
    seen["answer"] = next(each["content"] for each in seen["messages"][0] if each["role"] == "assistant")
    return seen


async def found(client: Client, name: str) -> None:
    """Wait until the index is built again."""
    async with asyncio.timeout(60):
        while name not in {each["document_id"] for each in await search(client, name)}:
            await asyncio.sleep(0.2)


async def log_of(up: Up, prefix: str) -> dict[str, list[Any]]:
    """Every record of these topics, where it lies."""
    names = [prefix + name for name in ONCE]
    seen = [(each.topic, each.partition, each.offset, each.timestamp, each.key, each.value) for each in await records(up, *names)]
    return {name: sorted(each for each in seen if each[0] == name) for name in names}


async def settled_log(up: Up, prefix: str) -> dict[str, list[Any]]:
    """The same, once nothing comes any more."""
    async with asyncio.timeout(60):
        seen = await log_of(up, prefix)
        while True:
            await asyncio.sleep(1)
            before, seen = seen, await log_of(up, prefix)
            if seen == before and seen[f"{prefix}claw.dead-letters.v1"]:
                return seen
