"""What is left at the end: every topic read committed, every document and reply through the public doors, figures of the operator's."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import aclosing, suppress
from typing import Any

import msgspec

from domain.chats.topics import CHATS_ANSWERED, CHATS_ASKED, CHATS_GROUNDED, MESSAGES_CHANGED
from domain.documents.topics import DOCUMENTS_CHUNKED, DOCUMENTS_EMBEDDED, DOCUMENTS_PROGRESSED, DOCUMENTS_SUBMITTED, QUEUE_TOPICS
from domain.usage.topics import USAGE_RECORDED
from ops.faults.clients import ERRORS, RecordedClient
from ops.faults.evidence import ASKS
from ops.faults.history import FinalReading, HistoryRecorder, TopicRecord, content_digest
from ops.faults.nemesis import flush_redis
from ops.faults.promises.documents import FINAL
from ops.faults.states import WORKING
from ops.faults.target import FaultProvider, TargetStack
from schemas.settings import KafkaSettings
from streams.log.reader import open_log_reader
from streams.topics import DEAD_LETTERS, Topic

TOPICS = (
    DOCUMENTS_SUBMITTED,
    *QUEUE_TOPICS.values(),
    DOCUMENTS_CHUNKED,
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_PROGRESSED,
    CHATS_ASKED,
    CHATS_GROUNDED,
    CHATS_ANSWERED,
    MESSAGES_CHANGED,
    USAGE_RECORDED,
    DEAD_LETTERS,
)
BULKY = frozenset({DOCUMENTS_CHUNKED.name, DOCUMENTS_EMBEDDED.name})  # kept without texts and vectors
SETTLE_S_MAX, SETTLE_EVERY_S = 30.0, 0.2
READERS = 8  # final requests at once
REBUILT_S_MAX = 30.0
MESSAGES_READ = 30  # conversations compared before and after the rebuild
LOG_WORDS = ("lease_lost", "event_superseded", "event_repeated", "component_died", "Traceback")


async def collect(target: TargetStack, provider: FaultProvider, clients: list[RecordedClient], recorder: HistoryRecorder) -> None:
    """Everything, into the history. The last step loses Redis's data and rebuilds its tables."""
    for call in await provider.calls():
        recorder.add(call)
    await asyncio.gather(*(_read_documents(client) for client in clients), _read_replies(clients))
    await _read_figures(target, recorder)
    await _rebuild(target, clients, recorder)
    for record in await read_topics(target.settings.kafka):
        recorder.add(record)
    for word, number in _count_words(target).items():
        recorder.add(FinalReading(at=recorder.now(), name="log", subject=word, value=number))


async def _read_documents(client: RecordedClient) -> None:
    reader = client.named(FINAL)
    known = {operation.document for operation in client.recorder.history.operations if operation.knowledge_base == client.base}
    until = reader.recorder.now() + SETTLE_S_MAX  # a document that is not processed by then stands still
    for document in sorted(known - {""}):
        while True:
            state = (await reader.read_document(document)).body.get("state")
            if state not in WORKING or reader.recorder.now() > until:
                break
            await asyncio.sleep(SETTLE_EVERY_S)
        await reader.read_chunks(document)


async def _read_replies(clients: list[RecordedClient]) -> None:
    by_tenant = {client.tenant: client.named(FINAL) for client in clients}
    accepted = {
        (operation.tenant, operation.conversation, operation.reply)
        for operation in clients[0].recorder.history.operations
        if operation.kind in ASKS and operation.outcome == "ok"
    }
    gate = asyncio.Semaphore(READERS)

    async def read(tenant: str, conversation: str, reply: str) -> None:
        async with gate:
            await by_tenant[tenant].read_reply(conversation, reply)

    await asyncio.gather(*(read(*each) for each in sorted(accepted)))


async def _read_figures(target: TargetStack, recorder: HistoryRecorder) -> None:
    code, printed = await target.command("usage", "reconcile")
    recorder.add(FinalReading(at=recorder.now(), name="usage_reconcile", subject=printed.strip()[-500:], value=code, expected=0))


async def _rebuild(target: TargetStack, clients: list[RecordedClient], recorder: HistoryRecorder) -> None:
    """Lose everything in Redis, rebuild the tables from the log, and compare what people read before and after."""
    before = [await _readable(client, recorder) for client in clients]
    await flush_redis(target)
    code, printed = await target.command("rebuild", "tables", "--all")
    recorder.add(FinalReading(at=recorder.now(), name="rebuild", subject=printed.strip()[-500:], value=code, expected=0))
    await _wait_for_tables(clients[0])
    for client, expected in zip(clients, before, strict=True):
        shown = await _readable(client, recorder)
        for path, body in sorted(expected.items()):
            same = shown[path] == body
            value, wanted = (content_digest(body), content_digest(body)) if same else (shown[path], body)
            recorder.add(FinalReading(at=recorder.now(), name="rebuilt", subject=path, value=value, expected=wanted))
    await _read_figures(target, recorder)


async def _wait_for_tables(client: RecordedClient) -> None:
    """A worker may rebuild them, too, and then the processes have to see it; what is still lost after REBUILT_S_MAX is found by reading."""
    with suppress(TimeoutError):
        async with asyncio.timeout(REBUILT_S_MAX):
            while True:
                with suppress(*ERRORS):
                    async with client.session.get("/readyz") as answer:
                        if (await answer.json())["parts"]["tables"]["state"] == "up":
                            return
                await asyncio.sleep(0.2)


async def _readable(client: RecordedClient, recorder: HistoryRecorder) -> dict[str, Any]:
    """What an account reads, by path: conversations and their messages, documents, usage."""
    conversations = {each.conversation for each in recorder.history.operations if each.tenant == client.tenant and each.kind in ASKS}
    paths = [f"conversations/{each}/messages?limit=100" for each in sorted(conversations)[:MESSAGES_READ]]
    paths += ["conversations?limit=100", "knowledge", f"knowledge/{client.base}/documents?limit=100", "users/me/usage"]
    found: dict[str, Any] = {}
    for path in paths:
        try:
            async with client.session.get(f"/api/v1/{path}", headers=client.headers) as answer:
                body: Any = await answer.json()
        except ERRORS as error:
            found[path] = f"no answer: {error!r}"
            continue
        if path == "users/me/usage":
            for moment in ("start", "end"):  # of the asking
                body.pop(moment, None)
        found[path] = [answer.status, body]
    return found


async def read_topics(kafka: KafkaSettings, topics: Iterable[Topic] = TOPICS) -> list[TopicRecord]:
    """Every record of the topics, read committed. Raises Unavailable."""
    found: list[TopicRecord] = []
    async with open_log_reader(kafka) as reader:
        for topic in topics:
            bounds = await reader.bounds(await reader.partitions(topic))
            for place, (begin, end) in bounds.items():
                async with aclosing(reader.batches(place, begin, end)) as batches:
                    async for batch in batches:
                        found += collect_records(batch)
    return found


def collect_records(batch: Iterable[Any]) -> Iterator[TopicRecord]:
    """Records as the client library gives them, as they are kept."""
    for raw in batch:
        value = _decode(raw.value)
        data = (value or {}).get("data")
        if value is not None and raw.topic in BULKY:
            value = value | {"data": _summary(data or {})}
        yield TopicRecord(
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offset,
            at=raw.timestamp / 1000,
            key=(raw.key or b"").decode(errors="replace"),
            value=value,
            digest=content_digest(_content(data)) if value is not None else "",
            headers={name: text.decode(errors="replace")[:200] for name, text in raw.headers},
        )


def _content(data: Any) -> Any:
    """The data of an event without its vectors: one that an earlier version's point has may be left out, and then means the same."""
    return {name: value for name, value in data.items() if name != "vectors"} if isinstance(data, dict) else data


def _summary(data: dict[str, Any]) -> dict[str, Any]:
    """The data of a batch without its texts and vectors; ``reused``: the vectors that an earlier version's points have."""
    batch = data.get("batch") or data
    summary = {name: batch.get(name) for name in ("document_id", "version", "first", "total", "again", "earlier", "visible")}
    return summary | ({"reused": sum(not each["dense"] for each in data["vectors"])} if "vectors" in data else {})


def _decode(raw: bytes | None) -> dict[str, Any] | None:
    """An event, or None for a record that is none."""
    try:
        value = msgspec.json.decode(raw) if raw else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return value if isinstance(value, dict) else None


def _count_words(target: TargetStack) -> dict[str, int]:
    """How often parts logged certain events."""
    counts = Counter[str]()
    for path in sorted((target.home / "logs").glob("*.log*")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for word in LOG_WORDS:
            counts[f"{path.name.partition('.')[0]} {word}"] += text.count(word)
    return {name: number for name, number in counts.items() if number}
