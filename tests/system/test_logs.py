"""What people and systems entrust to the product stands in no log, not even at debug."""

import asyncio
import hashlib
import json
import secrets
import uuid
from typing import Any

import aiohttp
from aiokafka import AIOKafkaProducer

from claw_client import Client, events
from ops.stack.credentials import read_credentials
from tests.system.conftest import CANARIES, Up, records

INBOX = "claw.inbox.default.v1"
FILES = {"broken.pdf": b"%PDF-1.7\n", "notes.txt": b"Notes: "}
REFUSED = (400, 401, 404, 409, 410, 413, 415, 422)


class Plants:
    """Texts that occur nowhere else, by what they are."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def grow(self, name: str) -> str:
        """A new one: words with a part that nobody else writes."""
        self.found[name] = f"planted{secrets.token_hex(12)}"
        return self.found[name]


async def send(client: Client, path: str, *, ok: bool = True, key: str = "", kind: str = "", **rest: Any) -> Any:
    """POST, as this client, which is answered, or with ``ok`` False refused."""
    headers = {**client.headers, **({"Idempotency-Key": key} if key else {}), **({"Content-Type": kind} if kind else {})}
    async with client.session.post(f"/api/v1{path}", headers=headers, **rest) as answer:
        text = await answer.text()
        assert answer.ok if ok else answer.status in REFUSED, (answer.status, text)
        return json.loads(text) if text.startswith("{") else text


async def test_nothing_entrusted_is_in_a_log(up: Up, session: aiohttp.ClientSession, upstream: AIOKafkaProducer) -> None:
    """Passwords, keys, questions, answers, documents and their hashes: where all goes well, where input is refused, where a document or
    an event cannot be read, and where a request is repeated.
    """
    plants, key, email = Plants(), f"{uuid.uuid4().hex}", f"{uuid.uuid4().hex}@example.org"
    plants.found["idempotency key"] = key
    client = await Client.register(session, email, f"{plants.grow('password')} of an island")
    secret = await use_accounts(client, email, key, plants)
    text = await use_documents(client, key, plants)
    await use_inbox(up, upstream, plants)
    await use_chats(client, key, plants)
    async with asyncio.timeout(60):
        for name in FILES:
            while (await client.document(name)).get("state") not in {"indexed", "failed"}:
                await asyncio.sleep(0.1)
    credentials = read_credentials(up.home)
    assert credentials is not None
    entrusted = plants.found | {
        "API key": secret,
        "hash of the API key": sha256(secret),
        "hash of the password": "$argon2id$",
        "hash of the idempotency key": sha256(key),
        "hash of a document": sha256(text),
        "access token": client.headers["Authorization"].rpartition(".")[2],
        "key of the stack": up.key.split("_", 2)[2],
        **CANARIES,
        "password of Kafka": credentials.kafka.reveal(),
    }
    logs = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in (up.home / "logs").iterdir()}
    assert len(logs) >= 7
    assert any('"level":"debug"' in lines for lines in logs.values()), "the stack logs at debug"
    assert [(name, log) for name, plant in entrusted.items() for log, lines in logs.items() if plant in lines] == []


async def use_accounts(client: Client, email: str, key: str, plants: Plants) -> str:
    """Log in, get refused, and create an API key twice; its secret."""
    for known in (email, "nobody@example.org"):
        await send(client, "/auth/login", ok=False, json={"email": known, "password": plants.grow(f"password of {known}")})
    weak = {"email": f"{uuid.uuid4().hex}@example.org", "password": "password1", "name": plants.grow("name")}
    await send(client, "/auth/register", ok=False, json=weak)
    made = [await send(client, "/api-keys", json={"name": "k"}, key=key) for _ in range(2)]
    assert made[0] == made[1]
    assert (await Client.with_token(client.session, made[0]["key"])).knowledge_base == client.knowledge_base
    return str(made[0]["key"].split("_", 2)[2])


async def use_documents(client: Client, key: str, plants: Plants) -> str:
    """Submit, replace, repeat and get refused; the text of a document."""
    documents = f"/knowledge/{client.knowledge_base}/documents"
    text, older = f"The harbour {plants.grow('text of a document')} opened in 1890.", plants.grow("older text")
    await send(client, documents, json={"document_id": "a", "text": older}, key=f"{key}-1")
    await send(client, documents, json={"document_id": "a", "text": text, "metadata": {"by": plants.grow("metadata")}}, key=f"{key}-2")
    await send(client, documents, json={"document_id": "a", "text": older}, key=f"{key}-1")
    await client.wait_indexed("a")
    await send(client, documents, ok=False, json={"document_id": "b", "text": text, plants.grow("name of a field"): 1})
    await send(client, documents, ok=False, data=b'{"text": "' + plants.grow("broken JSON").encode(), kind="application/json")
    for name, content in FILES.items():
        form = aiohttp.FormData()
        form.add_field("document_id", name)
        form.add_field("password", plants.grow(f"password of {name}"))
        form.add_field("file", content + plants.grow(name).encode(), filename=name)
        await send(client, f"{documents}/upload", data=form)
    address = f"https://somebody:{plants.grow('password in an address')}@127.0.0.1/page"
    await send(client, f"{documents}/url", ok=False, json={"url": address})
    return text


async def use_inbox(up: Up, upstream: AIOKafkaProducer, plants: Plants) -> None:
    """A document, an event that cannot be read, and one that is refused, each until it was processed."""
    inbox = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "note", "data": {"text": plants.grow("text of the inbox")}}
    await upstream.send_and_wait(INBOX, json.dumps(inbox).encode(), b"planted")
    malformed = b"{" + plants.grow("malformed event").encode()
    wrong = {**inbox, "data": {"text": plants.grow("text of a refused event"), "media_type": plants.grow("wrong value")}}
    for value in (malformed, json.dumps(wrong).encode()):
        await upstream.send_and_wait(INBOX, value, b"planted-refused")
        async with asyncio.timeout(60):
            while value not in [each.value for each in await records(up, "claw.dead-letters.v1")]:
                await asyncio.sleep(0.1)


async def use_chats(client: Client, key: str, plants: Plants) -> None:
    """Ask in a conversation, rate the answer, search and ask without one, and get refused."""
    system, question = plants.grow("system prompt"), f"When did the harbour {plants.grow('question')} open?"
    conversation = (await send(client, "/conversations", json={"system_prompt": system, "title": plants.grow("title")}))["id"]
    async with client.ask(conversation, question) as answer:
        heard = [event async for event in events(answer.content)]
    assert heard[-1].name == "completed", heard[-1]
    reply = heard[0].data["reply_id"]
    rating = {"rating": "down", "comment": plants.grow("comment")}
    await send(client, f"/conversations/{conversation}/replies/{reply}/feedback", json=rating, key=f"{key}-3")
    await send(client, f"/knowledge/{client.knowledge_base}/search", json={"query": plants.grow("search")})
    await send(client, "/knowledge/query", json={"question": plants.grow("query")})
    await send(client, f"/conversations/{conversation}/messages", ok=False, json={"content": plants.grow("refused question"), "x": 1})


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
