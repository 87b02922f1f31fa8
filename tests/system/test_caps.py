"""Caps and invitations on the whole stack."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from claw_client import Client
from domain.accounts.invitations import invitation_id
from domain.accounts.topics import ACCOUNTS_CHANGED
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from ops.commands.operator_records import open_operator_records
from schemas.records import Account, AccountChanged, KnowledgeBase, KnowledgeBaseChanged
from schemas.settings import Settings
from tests.system.conftest import PRO_DOCUMENTS_MAX, Up, records

INBOX = "claw.inbox.default.v1"


@pytest.fixture
async def base(up: Up) -> AsyncIterator[str]:
    """A knowledge base of somebody of tier pro in the tenant that upstream systems write for, until the test ends: others of that tenant
    take the newest or the oldest, which must be their own.
    """
    now, account_id, base_id = datetime.now(UTC), str(uuid.uuid4()), str(uuid.uuid4())
    account = Account(id=account_id, tenant="default", email=f"{account_id}@example.org", tier="pro", created_at=now)
    base = KnowledgeBase(id=base_id, tenant="default", user_id=account_id, name="few", sharing="tenant", created_at=now, updated_at=now)
    async with open_operator_records(Settings(kafka=up.kafka, redis=up.redis)) as writer:
        await writer.records.change(
            writer.outgoing(ACCOUNTS_CHANGED, AccountChanged, "default", account_id, account),
            writer.outgoing(KNOWLEDGE_CHANGED, KnowledgeBaseChanged, "default", base_id, base),
        )
        yield base_id
        gone = msgspec.structs.replace(base, deleted=True, revision=2)
        await writer.records.change(writer.outgoing(KNOWLEDGE_CHANGED, KnowledgeBaseChanged, "default", base_id, gone))


async def test_a_document_of_an_inbox_beyond_the_cap_is_refused_by_name(
    up: Up, base: str, session: aiohttp.ClientSession, upstream: AIOKafkaProducer
):
    """All at once: as many as the cap are indexed, each other is a dead letter and the document's failure; then another version of one."""
    names = [f"part-{n}" for n in range(PRO_DOCUMENTS_MAX + 3)]

    async def send(name: str, text: str) -> None:
        data = {"knowledge_base_id": base, "text": text}
        event = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": "/crm", "type": "note", "data": data}
        await upstream.send_and_wait(INBOX, json.dumps(event).encode(), name.encode())

    await asyncio.gather(*(send(name, f"Spare {name} lies on shelf seven.") for name in names))
    states: dict[str, str] = {}
    async with asyncio.timeout(30):
        while len(states) < len(names):
            found = [json.loads(each.value) for each in await records(up, "claw.documents.progressed.v1") if each.value]
            for each in (each["data"] for each in found if each["data"]["knowledge_base_id"] == base):
                if each["state"] in ("indexed", "failed"):
                    states[each["document_id"]] = (each.get("cause") or {}).get("code", "indexed")
    assert sorted(states.values()) == ["documents_full"] * 3 + ["indexed"] * PRO_DOCUMENTS_MAX
    letters = [each for each in await records(up, "claw.dead-letters.v1") if base.encode() in (each.value or b"")]
    assert {letter.key.decode() for letter in letters} == {name for name in names if states[name] == "documents_full"}
    assert all(dict(letter.headers)["code"] == b"documents_full" for letter in letters)
    client = Client(session, (await Client.with_token(session, up.key)).headers, base)
    known = next(name for name in names if states[name] == "indexed")
    await send(known, "It lies on shelf nine now.")
    async with asyncio.timeout(30):
        while not await on_shelf_nine(client):
            await asyncio.sleep(0.1)


async def on_shelf_nine(client: Client) -> bool:
    body = {"query": "On which shelf does it lie now?"}
    async with client.session.post(f"/api/v1/knowledge/{client.knowledge_base}/search", json=body, headers=client.headers) as answer:
        return "shelf nine" in await answer.text()


async def test_the_operator_invites(up: Up):
    """The command prints the invitation once; Kafka and Redis have its hash only."""
    status, printed = await up.command("invite", "create", "--days", "1")
    assert status == 0, printed
    text = printed.split()[-1]
    assert text.startswith("invite_")
    stored = [each for each in await records(up, "claw.invitations.changed.v1") if each.key.decode() == invitation_id(text)]
    assert len(stored) == 1
    assert text.encode() not in stored[0].value
    assert invitation_id(text)[:12] in (await up.command("invite", "list"))[1]
