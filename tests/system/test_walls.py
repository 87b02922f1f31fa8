"""Tenants are walls; deleted documents stay deleted."""

import asyncio
import json
import uuid

import aiohttp

from claw_client import Client, events


async def test_two_tenants_with_the_same_document_and_question_never_meet(session):
    """Neither text nor score of one depends on the other's documents."""
    left, right = [await Client.register(session, f"{uuid.uuid4().hex}@example.org", "a long test passphrase") for _ in range(2)]
    question = "What is the colour of the lighthouse of Norddorf?"
    await left.submit("handbook", "The lighthouse of Norddorf is painted red and white.")
    await left.wait_indexed("handbook")
    alone = await _sources(left, question)
    await right.submit("handbook", "The lighthouse of Norddorf is painted blue and yellow.")
    for n in range(12):  # would move the document frequencies of a shared index
        await right.submit(f"more-{n}", f"The lighthouse of Norddorf, sheet {n}: lighthouse, Norddorf, colour, colour, painted.")
    await right.wait_indexed("handbook")
    await right.wait_indexed("more-11")
    assert await _sources(left, question) == alone
    assert {source["knowledge_base_id"] for source in alone} == {left.knowledge_base}
    theirs = await _sources(right, question)
    assert {source["knowledge_base_id"] for source in theirs} == {right.knowledge_base}


async def test_what_belongs_to_another_tenant_is_not_found(session):
    left, right = [await Client.register(session, f"{uuid.uuid4().hex}@example.org", "a long test passphrase") for _ in range(2)]
    await left.submit("secret", "The code is 4711.")
    conversation = await left.create_conversation()
    for path in (
        f"/api/v1/knowledge/{left.knowledge_base}",
        f"/api/v1/knowledge/{left.knowledge_base}/documents",
        f"/api/v1/knowledge/{left.knowledge_base}/documents/secret",
        f"/api/v1/conversations/{conversation}",
        f"/api/v1/conversations/{conversation}/messages",
    ):
        async with session.get(path, headers=right.headers) as answer:
            assert answer.status == 404, path
    body = {"content": "What is the code?"}
    async with session.post(f"/api/v1/conversations/{conversation}/messages", json=body, headers=right.headers) as answer:
        assert answer.status == 404
    async with session.delete(f"{left.documents}/secret", headers=right.headers) as answer:
        assert answer.status == 404


async def test_a_delete_during_a_bulk_backlog_is_for_ever(up, session, upstream):
    """The backlog still holds an older version when the delete is acknowledged; it must not come back."""
    client = await Client.with_token(session, up.key)
    name = f"gone-{uuid.uuid4().hex[:8]}"
    filler = "The backlog is long. " * 400
    for n in range(150):
        await upstream.send("claw.inbox.default.v1", _event(f"{filler} Sheet {n}."), f"backlog-{n}".encode())
    await upstream.send("claw.inbox.default.v1", _event("The wreck of the Pella lies off Amrum."), name.encode())
    for n in range(150, 300):
        await upstream.send("claw.inbox.default.v1", _event(f"{filler} Sheet {n}."), f"backlog-{n}".encode())
    await upstream.flush()
    while not (state := await client.document(name)):
        await asyncio.sleep(0.01)
    assert state["state"] != "indexed", "the backlog should still hold it"
    async with session.delete(f"{client.documents}/{name}", headers=client.headers) as answer:
        assert answer.status == 204, await answer.text()
    for n in (0, 149, 299):
        await client.wait_indexed(f"backlog-{n}", timeout_s=100)
    assert await client.document(name) == {}
    found = {source["document_id"] for source in await _sources(client, "Where does the wreck of the Pella lie?")}
    assert name not in found


async def test_a_replaced_document_is_never_seen_twice(client):
    """While versions switch under load, every answer sees exactly one of them."""
    await client.submit("price", "The crossing to Hooge costs 10 euros.")
    await client.wait_indexed("price")
    stop = asyncio.Event()
    seen: list[list[int]] = []

    async def ask() -> None:
        while not stop.is_set():
            seen.append([int(str(source["version"])) for source in await _sources(client, "What does the crossing to Hooge cost?")])

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(ask())
        for price in range(11, 16):
            accepted = await client.submit("price", f"The crossing to Hooge costs {price} euros.")
            await client.wait_indexed("price", version=accepted["version"])
        stop.set()
    assert all(len(versions) == 1 for versions in seen), seen


async def _sources(client: Client, question: str) -> list[dict[str, object]]:
    """The passages an answer is made from; the answer itself is cancelled."""
    conversation = await client.create_conversation()
    async with client.ask(conversation, question) as answer:
        async for sent in events(answer.content):
            if sent.name == "accepted":
                reply = sent.data["reply_id"]
            elif sent.name == "retrieved":
                found: list[dict[str, object]] = sent.data["passages"]
                break
        else:
            raise AssertionError("the stream ended before it said what was retrieved")
    await _cancel(client.session, client, conversation, reply)
    return found


async def _cancel(session: aiohttp.ClientSession, client: Client, conversation: str, reply: str) -> None:
    async with session.post(f"/api/v1/conversations/{conversation}/replies/{reply}/cancel", headers=client.headers) as answer:
        assert answer.status < 500


def _event(text: str) -> bytes:
    return json.dumps({"specversion": "1.0", "id": "1", "source": "/wiki", "type": "saved", "data": {"text": text}}).encode()
