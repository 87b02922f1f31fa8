"""Tables made anew from a real log, usage reconciled with it, an answer replayed from it."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from adapters.kafka import connection_options
from adapters.redis.client import RedisClient, connect
from benchmarks.stub_provider import StubProvider, serving
from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED
from domain.areas import TOPICS
from domain.chats.reply_lock import ReplyLocation, ReplyLocks
from domain.chats.topics import CHATS_ANSWERED, CHATS_ASKED, CHATS_GROUNDED, CONVERSATIONS_CHANGED, FEEDBACK_GIVEN, MESSAGES_CHANGED
from domain.documents.content_hash import content_hash_of
from domain.documents.open_documents import OpenDocuments
from domain.documents.sources import blob_path
from domain.documents.storage import Storage, StorageTotals
from domain.documents.topics import DOCUMENTS_PROGRESSED, DOCUMENTS_SUBMITTED
from domain.documents.visibility import IndexedContent, Visibility
from domain.indexes.topics import INDEXES_CHANGED
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from domain.limits.topics import LIMITS_DECIDED
from domain.read_models import ReadModels
from domain.usage.counters import decode_usage_changes, split_by_model, sum_models, usage_changes, usage_counter, user_key
from domain.usage.topics import USAGE_RECORDED
from ops.commands import rebuild_tables, replay, usage
from schemas import ids
from schemas.chats import (
    ChatAsked,
    ChatGrounded,
    Consumption,
    Feedback,
    FeedbackGiven,
    Grounding,
    LogPlace,
    Message,
    MessageChanged,
    Passage,
    Question,
    UsageRecorded,
)
from schemas.documents import Document, DocumentProgressed, DocumentSubmitted, DocumentWithdrawn, Progress, Withdrawal
from schemas.errors import ConfigurationError
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
from schemas.settings import ModelSettings, Settings
from schemas.settings.section import Secret
from streams.log.outgoing import LogOffset, Outgoing
from streams.log.publisher import KafkaPublisher
from streams.log.range_reader import RangeReader
from streams.log.reader import open_log_reader
from streams.tables.counters import CounterFeed
from streams.topics import Topic

pytestmark = pytest.mark.stack
NOW = datetime.now(UTC)
T, KB = "t", "kb"
ALL = (
    ACCOUNTS_CHANGED,
    CHATS_ANSWERED,
    CHATS_ASKED,
    CHATS_GROUNDED,
    CONVERSATIONS_CHANGED,
    CREDENTIALS_CHANGED,
    DOCUMENTS_PROGRESSED,
    DOCUMENTS_SUBMITTED,
    FEEDBACK_GIVEN,
    INDEXES_CHANGED,
    KNOWLEDGE_CHANGED,
    MESSAGES_CHANGED,
    USAGE_RECORDED,
    LIMITS_DECIDED,
)


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
        return event, await self.publisher.publish(Outgoing(topic, event, partition=partition))

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
        """Every key under the prefix, but for counters, which are read by their own means, and what is not the log's: ``left`` is what
        ``project`` still has to do, and it is at it.
        """
        found: dict[str, Any] = {}
        async for key in self.redis.scan_iter(match=f"{self.prefix}:*", count=1000):
            kind = await self.redis.execute_command("TYPE", key)
            if any(part in key for part in (b":counter:", b":location:", b":cache:", b":left:")):
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


@pytest.fixture
async def house(settings: Settings, topics) -> AsyncIterator[House]:
    await topics(*ALL)
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        publisher = KafkaPublisher(settings.kafka, TOPICS)
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

    async def submitted(name: str) -> int:
        data = Document(knowledge_base_id=KB, document_id=name, title=name, media_type="text/plain", text="x", origin="api")
        event, place = await house.publish(DOCUMENTS_SUBMITTED, DocumentSubmitted, f"{T}/{KB}/{name}", data)
        await visibility.record_submission(event.subject, place.offset, blob_path(event, place.offset))
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
    version = await submitted("deleted")
    await visibility.mark_indexed(f"{T}/{KB}/deleted", version, IndexedContent(content_hash="h", chunks=1))
    withdrawal = Withdrawal(knowledge_base_id=KB, document_id="deleted")
    event, place = await house.publish(DOCUMENTS_SUBMITTED, DocumentWithdrawn, f"{T}/{KB}/deleted", withdrawal)
    await visibility.record_withdrawal(event.subject, place.offset)
    await progressed("deleted", place.offset, "deleted", visible=version)
    await progressed("coming", await submitted("coming"), "parsing")


async def test_everything_is_back_and_equal(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """After Redis lost all of it: every record, listing, tombstone, sum and visibility; what a deleted conversation said stays gone."""
    await lived(house)
    before, keys = await house.contents(), [f"{T}/{KB}/{name}" for name in ("kept", "deleted", "coming")]
    visibility, counter = Visibility(house.redis, house.prefix), usage_counter(house.redis, house.prefix, house.settings.kafka.partitions)
    standing, stood = await visibility.version_states(keys), [await visibility.prior_state(key) for key in keys]
    spent = await counter.current(user_key(T, "a"), NOW, scale="day")
    await house.forget()
    assert await house.contents() == {}
    assert await rebuild_tables.run(house.settings, ()) == 0
    after = await house.contents()
    for name in before.keys() | after.keys():
        if ":visibility:" not in name:
            assert after.get(name) == before.get(name), name
    assert (await visibility.version_states(keys), [await visibility.prior_state(key) for key in keys]) == (standing, stood)
    assert await counter.current(user_key(T, "a"), NOW, scale="day") == spent
    assert sum_models(split_by_model(spent)).tokens == 45
    assert await Storage(house.redis, house.prefix).totals(T) == StorageTotals(documents=2, bytes=18, chunks=2)
    assert (await ReadModels(house.redis, house.prefix).messages.list(f"{T}/gone", limit=9)).items == []
    assert "messages: 2 events, 1 of deleted conversations taken off the log" in capsys.readouterr().out
    again = await house.contents()
    await rebuild_tables.run(house.settings, ())
    assert await house.contents() == again  # on tables that are whole it changes nothing
    assert "messages: 3 events, " in (out := capsys.readouterr().out)
    assert "taken off the log" not in out


async def test_what_a_deleted_conversation_left_on_the_log_goes(house: House) -> None:
    """Redis was lost after the deletion and before anybody wrote the tombstones: only the log still knows that there is something."""
    await lived(house)
    await house.forget()
    await rebuild_tables.run(house.settings, ("conversations", "messages"))
    async with open_log_reader(house.settings.kafka) as reader:
        places = await reader.partitions(MESSAGES_CHANGED)
        kept = {
            record.key: record.value
            for place, (begin, end) in (await reader.bounds(places)).items()
            async for batch in reader.batches(place, begin, end)
            for record in batch
        }
    assert kept[b"m"] is None
    assert b"first" in (kept[b"r"] or b"")


async def test_only_some_and_only_known_tables(house: House) -> None:
    await lived(house)
    await house.forget()
    await rebuild_tables.run(house.settings, ("conversations",))
    assert {name.split(":")[1] for name in await house.contents()} == {"record", "index", "closed"}
    with pytest.raises(ConfigurationError, match="mesages"):
        await rebuild_tables.run(house.settings, ("mesages",))


async def test_a_record_that_is_no_event_is_left_out(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """It is in the dead letters; the rest of its partition is rebuilt."""
    producer = AIOKafkaProducer(**connection_options(house.settings.kafka))
    await producer.start()
    await producer.send_and_wait(house.settings.kafka.topic_prefix + CONVERSATIONS_CHANGED.name, b"{", key=b"c")
    await producer.stop()
    await lived(house)
    await house.forget()
    await rebuild_tables.run(house.settings, ("conversations",))
    assert "1 unreadable" in capsys.readouterr().out
    assert await ReadModels(house.redis, house.prefix).conversations.get(f"{T}/a", "c") is not None


async def test_usage_reconciles_or_says_what_differs(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """0 when every sum is the topic's; 1 with the sum that is not; 0 again after a repair."""
    await lived(house)
    assert await usage.reconcile(house.settings, since="", repair=False) == 0
    assert "4 events" in capsys.readouterr().out
    await house.spent("a", 1_000, count=False)  # not counted yet: the mark is before it
    assert await usage.reconcile(house.settings, since="2h", repair=False) == 0
    counter = usage_counter(house.redis, house.prefix, house.settings.kafka.partitions)
    partition = house.publisher.partition_for(USAGE_RECORDED, "a")
    part = counter.value_part(user_key(T, "a"), counter.scales["day"].bucket(NOW), "day")
    await house.redis.hincrby(counter.shard_key(partition, part), "prompt_tokens:m", 1)
    capsys.readouterr()
    assert await usage.reconcile(house.settings, since="", repair=False) == 1
    assert "prompt_tokens:m 44 instead of 43" in capsys.readouterr().err
    assert await usage.reconcile(house.settings, since="", repair=True) == 0
    assert sum_models(split_by_model(await counter.current(user_key(T, "a"), NOW, scale="month"))).tokens == 1_046


def passage() -> Passage:
    return Passage(
        marker=1, chunk_id="x", knowledge_base_id=KB, document_id="d", version=1, ordinal=0, title="Rules", score=1, text="25 days a year."
    )


async def answered(house: House) -> str:
    """An answer with its trail."""
    question = Question(
        conversation_id="c",
        message_id="q",
        reply_id="r",
        user_id="a",
        content="How many days a year?",
        knowledge_base_ids=(KB,),
        reply_partition=0,
        asked_at=NOW - timedelta(seconds=1),
    )
    _, asked = await house.publish(CHATS_ASKED, ChatAsked, "c", question)
    grounding = Grounding(
        question=question, query="days", keywords=(), passages=(passage(),), asked=LogPlace(asked.partition, asked.offset)
    )
    _, grounded = await house.publish(CHATS_GROUNDED, ChatGrounded, "c", grounding)
    message = Message(
        id="r",
        conversation_id="c",
        user_id="a",
        role="assistant",
        content="Recorded words.",
        created_at=NOW,
        attempt=1,
        model="old",
        versions={ids.document_key(T, KB, "d"): 1},
        grounded=LogPlace(grounded.partition, grounded.offset),
    )
    event, place = await house.publish(MESSAGES_CHANGED, MessageChanged, "r", message, "c")
    await ReadModels(house.redis, house.prefix).apply(event, place)
    return "r"


async def counts(house: House, wanted: Sequence[Topic] = ALL) -> list[int]:
    async with open_log_reader(house.settings.kafka) as reader:
        return [end for topic in wanted for _, end in (await reader.bounds(await reader.partitions(topic))).values()]


async def test_a_reply_is_replayed_against_another_model(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """Found by its location or, without one, on the topic; the other model gets the recorded passages; nothing is written."""
    reply = await answered(house)
    before, held = await counts(house), await house.contents()
    local = replay.other_model(house.settings.model, name="", provider="local", base_url="")
    assert await replay.run(house.settings, reply, local, tenant="", as_json=True) == 0
    both = json.loads(capsys.readouterr().out)
    assert (both["tenant"], both["question"]) == (T, "How many days a year?")
    assert (both["recorded"]["model"], both["recorded"]["text"]) == ("old", "Recorded words.")
    assert both["replayed"]["model"] == "local"
    assert "25 days a year" in both["replayed"]["text"]
    assert both["replayed"]["citations"][0]["quote"] in passage().text
    await ReplyLocks(house.redis, house.prefix).save_location(T, reply, ReplyLocation("c", 0, 0, "q"))
    async with serving(StubProvider(key="k")) as root:
        stub = msgspec_replace(house.settings.model, root)
        assert await replay.run(house.settings, reply, stub, tenant=T, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "recorded: old" in shown
    assert "replayed: stub?tokens=5&cite=1" in shown
    assert "passages: 1. Rules" in shown  # its rank; in a text it has the number of its citation
    assert (await counts(house), await house.contents()) == (before, held)


def msgspec_replace(model: ModelSettings, root: str) -> ModelSettings:
    other = replay.other_model(model, name="stub?tokens=5&cite=1", provider="openai", base_url=f"{root}/v1")
    return ModelSettings(provider=other.provider, name=other.name, base_url=other.base_url, api_key=Secret("k"))


async def test_a_reply_that_is_not_there(house: House) -> None:
    with pytest.raises(ConfigurationError, match="there is no reply"):
        await replay.run(house.settings, "nothing", house.settings.model, tenant="", as_json=True)
    await answered(house)
    with pytest.raises(ConfigurationError, match="of tenant other"):
        await replay.run(house.settings, "r", house.settings.model, tenant="other", as_json=True)
