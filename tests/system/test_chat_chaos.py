"""Many conversations at once, a provider that fails in every way it can, workers killed at random: every reply ends once.

The readers leave and come back, too. What each of them saw is held against the rules of a stream, and what lies on the topics against
"exactly one end, stored once, charged once". Then the counters of usage are held against their topic, and at last everything Redis had is
thrown away and made again from the log.
"""

import asyncio
import json
import os
import random
import signal
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from adapters.redis.client import connect
from benchmarks.stub_process import launch_stub_provider, stub_model
from claw_client import Client, ServerEvent, events
from ops.stack.launch import stack
from tests.system.conftest import Up, records

SEED = 20261128
LASTS_S = float(os.environ.get("CLAW_TEST_CHAOS_S", "20"))  # `make faults` takes a minute
KILL_EVERY_S, DRAINED_S = 5.0, 240.0
CONVERSATIONS = int(200 * min(1.0, LASTS_S / 60))
VICTIMS = ("chat", "knowledge", "api", "chat", "tables")  # in random order, then again; the chat lane twice as often: it is what speaks
LEAVES = 0.15  # chance, per event, that a reader hangs up and comes back
THINKS_S = 4.0  # longest pause of a person before the next question
TERMINAL = {"completed", "failed", "cancelled"}
# one call in six fails: before the first token (repeated, or ended by name) or in the middle of the answer (kept, and ended by name)
MODEL = f"stub?first_ms=50&tokens=24&token_ms=20&cite=1&retry_after=1&fault=random&share=0.17&seed={SEED}"


@dataclass
class Read:
    """What one reader saw of one reply, over however many connections."""

    reply: str = ""
    conversation: str = ""
    seen: list[ServerEvent] = field(default_factory=list)
    resumed: int = 0

    @property
    def ended(self) -> bool:
        return bool(self.seen) and self.seen[-1].name in TERMINAL

    def take(self, sent: ServerEvent) -> None:
        if sent.name == "accepted":
            self.reply = sent.data["reply_id"]
        elif sent.name != "queued":  # accepted and queued are the API's own words: they have no place of their own on the log
            self.seen.append(sent)


@pytest.fixture
async def chaotic(tmp_path) -> AsyncIterator[Up]:
    """A stack of its own: its model is the faulty one, and it ends with most of its processes killed."""
    stub = launch_stub_provider()
    async with stub as provider:
        settings = {
            **stub_model(provider.url, MODEL),
            "CLAW_MODEL_IDLE_TIMEOUT_S": "3",
            "CLAW_LIMIT_ENABLED": "false",
            "CLAW_CAP_FREE_STREAMS_MAX": "0",  # one account has them all, and those of a killed process count for half a minute
            "CLAW_LANE_SESSION_TIMEOUT_S": "6",
            "CLAW_LANE_LEASE_S": "3",
        }
        async with stack(tmp_path / "home", settings) as running:
            yield Up(running.url, tmp_path / "home", settings)


@pytest.mark.timeout(420 + LASTS_S)
async def test_every_reply_ends_once_is_stored_once_and_charged_once(chaotic):
    chance = random.Random(SEED)
    async with aiohttp.ClientSession(base_url=chaotic.url, connector=aiohttp.TCPConnector(limit=0)) as session:
        client = await Client.register(session, "chaos@example.org", "a long test passphrase")
        for number in range(20):
            await client.submit(f"mill-{number}", f"The windmill of island {number} was built in {1700 + number} by Miller{number}.")
        for number in range(20):
            await client.wait_indexed(f"mill-{number}")
        conversations = [await client.create_conversation() for _ in range(CONVERSATIONS)]
        until = time.monotonic() + LASTS_S
        killing = asyncio.create_task(_kill(chaotic, random.Random(SEED + 1), until))
        async with asyncio.timeout(LASTS_S + DRAINED_S):
            told = await asyncio.gather(*(_converse(client, each, random.Random(chance.random()), until) for each in conversations))
        killed = await killing
    reads = [read for each in told for read in each]
    print(f"\n{_summary(reads, killed)}")  # noqa: T201 - the counts are what this test shows
    assert sum(killed.values()) >= LASTS_S / KILL_EVERY_S - 1
    assert len(reads) >= CONVERSATIONS
    for read in reads:
        _check_stream(read)
    await _check_log(chaotic, reads)
    await run(chaotic, "usage", "reconcile")
    async with aiohttp.ClientSession(base_url=chaotic.url) as session:
        client = Client(session, client.headers, client.knowledge_base)
        before = await _readable(client, conversations[:20])
        redis = connect(chaotic.redis)
        async for key in redis.scan_iter(count=1000):  # nobody may FLUSHALL
            await redis.execute_command("UNLINK", key)
        await redis.aclose()
        await run(chaotic, "rebuild", "tables", "--all")
        await chaotic.ready()
        assert await _readable(client, conversations[:20]) == before
    await run(chaotic, "usage", "reconcile")


async def run(up: Up, *arguments: str) -> None:
    code, printed = await up.command(*arguments)
    assert code == 0, printed


async def _readable(client: Client, conversations: list[str]) -> dict[str, Any]:
    """What a person reads of what they have: conversations and messages, documents, usage."""
    found: dict[str, Any] = {}
    paths = [f"conversations/{each}/messages?limit=100" for each in conversations]
    for path in [
        *paths,
        "conversations?limit=100",
        "knowledge",
        f"knowledge/{client.knowledge_base}/documents?limit=100",
        "users/me/usage",
    ]:
        async with client.session.get(f"/api/v1/{path}", headers=client.headers) as answer:
            assert answer.status == 200, await answer.text()
            found[path] = await answer.json()
    for moment in ("start", "end"):
        del found["users/me/usage"][moment]  # of the asking
    return found


async def _kill(up: Up, chance: random.Random, until: float) -> Counter[str]:
    killed: Counter[str] = Counter()
    deck: list[str] = []
    while time.monotonic() < until - KILL_EVERY_S / 2:
        await asyncio.sleep(KILL_EVERY_S)
        deck = deck or chance.sample(VICTIMS, len(VICTIMS))
        victim = deck.pop()
        try:
            os.kill(up.process(victim).pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it is just being restarted
        killed[victim] += 1
    return killed


async def _converse(client: Client, conversation: str, chance: random.Random, until: float) -> list[Read]:
    reads: list[Read] = []
    await asyncio.sleep(chance.uniform(0, THINKS_S))
    while time.monotonic() < until:
        read = Read(conversation=conversation)
        key, question = uuid.UUID(int=chance.getrandbits(128)).hex, f"Who built the windmill of island {chance.randrange(20)}?"
        while not read.ended:
            try:
                if read.reply:
                    await _resume(client, read, chance)
                else:
                    await _ask(client, read, key, question, chance)
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.3)
        reads.append(read)
        await asyncio.sleep(chance.uniform(0, THINKS_S))
    return reads


async def _ask(client: Client, read: Read, key: str, question: str, chance: random.Random) -> None:
    headers = {**client.headers, "Accept": "text/event-stream", "Idempotency-Key": key}
    path = f"/api/v1/conversations/{read.conversation}/messages"
    async with client.session.post(path, json={"content": question}, headers=headers) as answer:
        if answer.status != 200:
            assert answer.status == 503, await answer.text()
            await asyncio.sleep(min(2, int(answer.headers.get("Retry-After", "1"))))
            return
        await _read(answer, read, chance)


async def _resume(client: Client, read: Read, chance: random.Random) -> None:
    read.resumed += 1
    headers = dict(client.headers) | ({"Last-Event-ID": read.seen[-1].id} if read.seen else {})
    path = f"/api/v1/conversations/{read.conversation}/replies/{read.reply}/stream"
    async with client.session.get(path, headers=headers) as answer:
        if answer.status == 200:
            await _read(answer, read, chance)
        else:
            assert answer.status == 503, await answer.text()
            await asyncio.sleep(0.3)


async def _read(answer: aiohttp.ClientResponse, read: Read, chance: random.Random) -> None:
    async for sent in events(answer.content):
        read.take(sent)
        if read.ended or chance.random() < LEAVES / max(1, read.resumed * 2):
            return


def _check_stream(read: Read) -> None:
    """No event twice, none out of order, the text without a gap, one end and nothing after it."""
    places = [tuple(map(int, sent.id.split("."))) for sent in read.seen]
    assert places == sorted(set(places)), f"{read.reply}: events repeated or out of order"
    text, seq = "", 0
    for sent in read.seen:
        if sent.name == "delta":
            assert sent.data["seq"] == seq + 1, f"{read.reply}: delta {sent.data['seq']} after {seq}"
            text, seq = text + sent.data["text"], sent.data["seq"]
        elif sent.name in {"restart", "retrieved"}:
            text, seq = "", 0
        elif sent.name == "snapshot":
            text, seq = sent.data["text"], sent.data["seq"]
    assert [sent.name in TERMINAL for sent in read.seen] == [False] * (len(read.seen) - 1) + [True]
    if read.seen[-1].name == "completed":
        assert text == read.seen[-1].data["text"], f"{read.reply}: the deltas are not the text"


async def _check_log(up: Up, reads: list[Read]) -> None:
    ends = {read.reply: read.seen[-1].name for read in reads}
    assert len(ends) == len(reads), "two questions had one reply"
    answered = _by_reply(await records(up, "claw.chats.answered.v1"), lambda event: event["subject"])
    stored = _by_reply(await records(up, "claw.messages.changed.v1"), lambda event: event["subject"], source="/claw/generate")
    charged = _by_reply(await records(up, "claw.usage.recorded.v1"), lambda event: event["data"]["reply_id"], purpose="answer")
    for reply, end in ends.items():
        assert _ends(answered[reply]) == [end], f"{reply}: {_ends(answered[reply])}"
        assert len({event["id"] for event in stored[reply]}) == 1, f"{reply}: stored as {len(stored[reply])} messages"
        assert stored[reply][-1]["data"]["state"] == {"completed": "complete"}.get(end, end)
        bills = {event["id"] for event in charged[reply]}
        assert len(bills) <= 1
        assert end != "completed" or bills, f"{reply} was given away"


def _by_reply(found: Iterable[Any], reply_of: Any, *, source: str = "", purpose: str = "") -> dict[str, list[dict[str, Any]]]:
    by_reply: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in found:
        if record.value is None:
            continue
        event = json.loads(record.value)
        if (not source or event["source"] == source) and (not purpose or event["data"].get("purpose", purpose) == purpose):
            by_reply[reply_of(event)].append(event)
    return by_reply


def _ends(told: list[dict[str, Any]]) -> list[str]:
    """The ends a reader is told: of the highest attempt that began before an end was said, the first one."""
    attempt, ended = 0, ""
    for event in told:
        data, kind = event["data"], event["type"].split(".")[2]
        if ended or data["attempt"] < attempt:
            continue
        attempt = data["attempt"]
        ended = kind if kind in TERMINAL else ""
    return [ended]


def _summary(reads: list[Read], killed: Counter[str]) -> str:
    ends = Counter(read.seen[-1].name for read in reads)
    causes = Counter(read.seen[-1].data.get("code", "") for read in reads if read.seen[-1].name == "failed")
    restarts = sum(sent.name == "restart" for read in reads for sent in read.seen)
    resumed = sum(read.resumed for read in reads)
    return (
        f"{len(reads)} replies in {CONVERSATIONS} conversations: {dict(ends)}, failures {dict(causes)}; "
        f"{resumed} resumes, {restarts} restarts; killed {dict(killed)}"
    )
