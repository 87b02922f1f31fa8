"""An installation whose agents are played by the test: its log, its tables, a life lived in it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from adapters.redis.client import RedisClient, connect
from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED
from domain.areas import TOPICS
from domain.chats.topics import CONVERSATIONS_CHANGED, FEEDBACK_GIVEN, MESSAGES_CHANGED
from domain.documents.content_hash import content_hash_of
from domain.documents.open_documents import OpenDocuments
from domain.documents.sources import blob_path
from domain.documents.storage import Storage
from domain.documents.topics import DOCUMENTS_ALIASED, DOCUMENTS_PROGRESSED, DOCUMENTS_SUBMITTED, DOCUMENTS_VERSIONS
from domain.documents.visibility import IndexedContent, NewVersion, Visibility
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from domain.read_models import ReadModels
from domain.tasks.settings import TaskSettings
from domain.tasks.table import TaskTable
from domain.usage.counters import decode_usage_changes, usage_changes, usage_counter
from domain.usage.topics import USAGE_RECORDED
from schemas import ids
from schemas.chats import Consumption, Feedback, FeedbackGiven, Message, MessageChanged, UsageRecorded
from schemas.documents import (
    Document,
    DocumentAlias,
    DocumentAliased,
    DocumentProgressed,
    DocumentSubmitted,
    DocumentVersionsKept,
    DocumentWithdrawn,
    InboxRecord,
    KeptVersion,
    KeptVersions,
    Progress,
    Withdrawal,
)
from schemas.events import Event
from schemas.indexes import IndexPlan
from schemas.records import (
    Account,
    AccountChanged,
    Conversation,
    ConversationChanged,
    Credential,
    CredentialChanged,
    KnowledgeBase,
    KnowledgeBaseChanged,
)
from schemas.settings import Settings
from streams.log.outgoing import LogOffset, Outgoing
from streams.log.publisher import KafkaPublisher
from streams.log.range_reader import RangeReader
from streams.tables.counters import CounterFeed
from streams.topics import Topic

NOW = datetime.now(UTC)
ARRIVALS = (b":task-changes:", b":task-sequence:")
PUBLISH_S = 10.0  # topics that have just been made have no leader yet


T, KB = "t", "kb"


@dataclass
class House:
    """An installation whose agents are played by the test."""

    settings: Settings
    redis: RedisClient
    publisher: KafkaPublisher
    said: int = 0

    @property
    def prefix(self) -> str:
        return self.settings.redis.key_prefix

    async def publish(self, topic: Topic, kind: type[Event], subject: str, data: Any, key: str = "") -> tuple[Any, LogOffset]:
        self.said += 1
        event = kind(id=ids.derive("t", self.said), source="/claw/test", subject=subject, time=NOW, tenant=T, traceparent="", data=data)
        partition = self.publisher.partition_for(topic, key) if key else None
        place = await self.publisher.publish(Outgoing(topic, event, partition=partition))
        await TaskTable(self.redis, self.prefix, TaskSettings()).show(event, place, NOW)
        return event, place

    async def spent(self, user: str, tokens: int, *, count: bool = True) -> None:
        data = Consumption(user_id=user, conversation_id="c", reply_id="r", model="m", prompt_tokens=tokens, completion_tokens=1)
        event, place = await self.publish(USAGE_RECORDED, UsageRecorded, user, data)
        if count:
            await self.feed.feed(place.partition, place.offset, event.id, usage_changes(event))

    @property
    def feed(self) -> CounterFeed:
        counter = usage_counter(self.redis, self.prefix, self.settings.kafka.partitions)
        return CounterFeed(counter, RangeReader(self.settings.kafka, USAGE_RECORDED), decode_usage_changes)

    async def contents(self) -> dict[str, Any]:
        """Every key under the prefix, but for counters and the epoch of the tables, which are read by their own means, and what is not the
        log's: ``left`` is what ``project`` still has to do, and it is at it; changes of tasks are numbered as they arrive.
        """
        found: dict[str, Any] = {}
        async for key in self.redis.scan_iter(match=f"{self.prefix}:*", count=1000):
            kind = await self.redis.execute_command("TYPE", key)
            if any(part in key for part in (b":counter:", b":location:", b":cache:", b":left:", b":{tables}:", *ARRIVALS)):
                continue
            read = {
                b"string": ("GET", key),
                b"hash": ("HGETALL", key),
                b"set": ("SMEMBERS", key),
                b"zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
            }[kind if isinstance(kind, bytes) else str(kind).encode()]
            found[key.decode().removeprefix(self.prefix)] = await self.redis.execute_command(*read)
        return found

    async def forget(self) -> None:
        """What FLUSHALL does to this installation."""
        keys = [key async for key in self.redis.scan_iter(match=f"{self.prefix}:*", count=1000)]
        if keys:
            await self.redis.execute_command("UNLINK", *keys)


@asynccontextmanager
async def opened_house(settings: Settings) -> AsyncIterator[House]:
    """The installation of these settings, all of whose topics are there; its keys go with it."""
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        kafka = msgspec.structs.replace(settings.kafka, publish_timeout_s=PUBLISH_S)
        publisher = KafkaPublisher(kafka, TOPICS)
        stack.push_async_callback(publisher.stop)
        await publisher.start()
        made = House(settings, redis, publisher)
        yield made
        await made.forget()


async def lived(house: House) -> None:
    """Some of everything, written to Redis as the agents do."""
    views, visibility = ReadModels(house.redis, house.prefix), Visibility(house.redis, house.prefix)
    account = Account(id="a", tenant=T, email="ann@example.com", created_at=NOW)
    password = Credential(id="p", tenant=T, account_id="a", kind="password", secret_hash="x", created_at=NOW)
    base = KnowledgeBase(id=KB, tenant=T, user_id="a", name="Base", created_at=NOW, updated_at=NOW)
    talk = Conversation(id="c", tenant=T, user_id="a", created_at=NOW, updated_at=NOW)
    gone = Conversation(id="gone", tenant=T, user_id="a", created_at=NOW, updated_at=NOW, deleted=True, revision=2)
    answer = Message(id="r", conversation_id="c", user_id="a", role="assistant", content="first", created_at=NOW, attempt=1)
    lost = Message(id="m", conversation_id="gone", user_id="a", role="user", content="secret", created_at=NOW)
    said = Feedback(user_id="a", conversation_id="c", reply_id="r", rating="up")
    written = [
        await house.publish(ACCOUNTS_CHANGED, AccountChanged, "a", account),
        await house.publish(CREDENTIALS_CHANGED, CredentialChanged, "p", password),
        await house.publish(KNOWLEDGE_CHANGED, KnowledgeBaseChanged, KB, base),
        await house.publish(CONVERSATIONS_CHANGED, ConversationChanged, "c", talk),
        await house.publish(MESSAGES_CHANGED, MessageChanged, "m", lost, "gone"),
        await house.publish(CONVERSATIONS_CHANGED, ConversationChanged, "gone", gone),
        await house.publish(MESSAGES_CHANGED, MessageChanged, "r", answer, "c"),
        await house.publish(FEEDBACK_GIVEN, FeedbackGiven, "a", said),
    ]
    await views.apply_many(written)
    await documents(house, views, visibility)
    for user in "ab":
        for tokens in (3, 40):
            await house.spent(user, tokens)


async def documents(house: House, views: ReadModels, visibility: Visibility) -> None:
    """One that is indexed, one that was deleted, one on its way."""
    storage, underway = Storage(house.redis, house.prefix), OpenDocuments(house.redis, house.prefix, house.settings.kafka.partitions)

    async def submitted(name: str, record: InboxRecord | None = None) -> int:
        data = Document(knowledge_base_id=KB, document_id=name, title=name, media_type="text/plain", text="x", record=record)
        event, place = await house.publish(DOCUMENTS_SUBMITTED, DocumentSubmitted, f"{T}/{KB}/{name}", data)
        await visibility.record_submissions([NewVersion(event.subject, place.offset, blob_path(event, place.offset), record)])
        return place.offset

    async def progressed(name: str, version: int, state: Any, **more: Any) -> None:
        data = Progress(knowledge_base_id=KB, document_id=name, version=version, state=state, bytes=9, **more)
        event, place = await house.publish(DOCUMENTS_PROGRESSED, DocumentProgressed, f"{T}/{KB}/{name}", data)
        await views.apply_many([(event, place)])
        await storage.apply_many([event])
        await underway.apply_many([event])

    version = await submitted("kept")
    await progressed("kept", version, "queued")
    hashed = content_hash_of(
        Document(knowledge_base_id=KB, document_id="kept", title="kept", media_type="text/plain", text="x", origin="api"),
        IndexPlan(tenant=T, knowledge_base_id=KB).active,
        house.settings.retrieval,
    )
    await visibility.mark_indexed(f"{T}/{KB}/kept", version, IndexedContent(content_hash=hashed, chunks=2))
    await progressed("kept", version, "indexed", chunks=2, done=2)
    replaced = KeptVersion(version=0, path=f"{T}/{KB}/aa/replaced", bytes=5, title="replaced", submitted_at=NOW)
    versions = KeptVersions(knowledge_base_id=KB, document_id="kept", version=version, kept=(replaced,), bytes=5)
    event, _ = await house.publish(DOCUMENTS_VERSIONS, DocumentVersionsKept, f"{T}/{KB}/kept", versions)
    await visibility.restore_kept([(event.subject, versions)])
    await storage.apply_kept([event])
    version = await submitted("deleted")
    await visibility.mark_indexed(f"{T}/{KB}/deleted", version, IndexedContent(content_hash="h", chunks=1))
    withdrawal = Withdrawal(knowledge_base_id=KB, document_id="deleted")
    event, place = await house.publish(DOCUMENTS_SUBMITTED, DocumentWithdrawn, f"{T}/{KB}/deleted", withdrawal)
    await visibility.record_withdrawal(event.subject, place.offset)
    await progressed("deleted", place.offset, "deleted", visible=version)
    await progressed("coming", await submitted("coming", InboxRecord(at_ms=9, partition=2, offset=5, key_sha256="aa")), "parsing")
    alias = DocumentAlias(knowledge_base_id=KB, document_id="coming", key_sha256="aa")
    await views.apply_many([await house.publish(DOCUMENTS_ALIASED, DocumentAliased, f"{T}/{KB}/coming", alias)])
