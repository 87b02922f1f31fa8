"""Dead letters: read newest first, sent again as they were, and never in the place of something newer."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from adapters.kafka import connection_options
from adapters.redis.client import RedisClient
from domain.chats.topics import CHATS_ASKED
from domain.configs.topics import CONFIGS_CHANGED
from domain.dead_letters import build_redrive, dead_letter_reader
from domain.documents import redrive_guard
from domain.documents.topics import DOCUMENTS_QUEUED_BULK, DOCUMENTS_SUBMITTED, inbox_topic
from domain.documents.visibility import NewVersion, Visibility
from ops.commands import connections
from ops.commands import redrive as command
from schemas import ids
from schemas.documents import Document, DocumentSubmitted, DocumentWithdrawn, InboxRecord, Withdrawal
from schemas.errors import ClawError, Refused, Unavailable
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.dead_letters.reader import DeadLetterFilter, DeadLetterReader
from streams.dead_letters.redrive import Redrive, RedriveResult
from streams.dead_letters.writer import dead_letter_headers, write_dead_letter
from streams.log.delivery import Delivery
from streams.log.outgoing import LogOffset, Outgoing
from streams.log.publisher import KafkaPublisher
from streams.topics import DEAD_LETTERS, Topic

pytestmark = pytest.mark.stack
INBOX = inbox_topic("acme")
BASE = ids.default_knowledge_base("acme")
KEY = ids.document_key("acme", BASE, "handbook")
PRESENT = (DEAD_LETTERS, CONFIGS_CHANGED, DOCUMENTS_SUBMITTED, DOCUMENTS_QUEUED_BULK, CHATS_ASKED, INBOX)


@dataclass
class Cemetery:
    """Letters of one installation, and what buries them and digs them out."""

    settings: Settings
    publisher: KafkaPublisher
    visibility: Visibility
    letters: DeadLetterReader
    redrive: Redrive

    async def buried(
        self, place: LogOffset, key: bytes | None, value: bytes | None, headers=None, code="event_failed", agent="admit", at_ms=0
    ):
        delivery = Delivery(place, key, value, at_ms or int(datetime.now(UTC).timestamp() * 1000), headers or {})
        problem = ClawError("cause", code=code).problem()
        said = dead_letter_headers(delivery, agent=agent, problem=problem, error="Refused", attempts=2, traceparent="")
        buried = await write_dead_letter(self.publisher, self.settings.kafka.topic_prefix, delivery, said)
        return f"{buried.partition}-{buried.offset}"

    async def written(self, topic: Topic, key: bytes | None, value: bytes | None, headers=None) -> LogOffset:
        return await self.publisher.publish_raw(self.settings.kafka.topic_prefix + topic.name, key, value, headers or {})

    async def submitted(self, document: str = "handbook", *, origin="inbox", withdrawn=False) -> LogOffset:
        """A version of a document on the log, and route has seen it."""
        key = ids.document_key("acme", BASE, document)
        head: dict[str, Any] = {
            "id": "x",
            "source": "/claw/test",
            "subject": key,
            "time": datetime.now(UTC),
            "tenant": "acme",
            "traceparent": "",
        }
        data = Withdrawal(knowledge_base_id=BASE, document_id=document, origin=origin)
        event = (
            DocumentWithdrawn(**head, data=data)
            if withdrawn
            else DocumentSubmitted(**head, data=Document(knowledge_base_id=BASE, document_id=document, title="", text="x", origin=origin))
        )
        place = await self.publisher.publish(Outgoing(DOCUMENTS_SUBMITTED, event))
        await (self.visibility.record_withdrawal(key, place.offset) if withdrawn else self.visibility.record_submission(key, place.offset))
        return place

    async def again(self, letter_id: str, **how) -> RedriveResult:
        return await self.redrive.send(letter_id, await self.letters.get(letter_id), **how)

    async def commit(self, topic: Topic, partition: int, offset: int) -> None:
        """As the tables lane would."""
        kafka = self.settings.kafka
        consumer = AIOKafkaConsumer(**connection_options(kafka), group_id=f"{kafka.topic_prefix}claw.tables", enable_auto_commit=False)
        await consumer.start()
        place = TopicPartition(kafka.topic_prefix + topic.name, partition)
        consumer.assign([place])
        await consumer.commit({place: offset})
        await consumer.stop()


@pytest.fixture
async def cemetery(settings: Settings, redis: RedisClient, topics) -> AsyncIterator[Cemetery]:
    await topics(*PRESENT)
    publisher = KafkaPublisher(settings.kafka, topics=(DEAD_LETTERS, DOCUMENTS_SUBMITTED, INBOX))
    await publisher.start()
    prefix = settings.redis.key_prefix
    visibility = Visibility(redis, prefix)
    sender = build_redrive(settings.kafka, publisher, visibility, redis, prefix, SystemClock())
    yield Cemetery(settings, publisher, visibility, dead_letter_reader(settings.kafka), sender)
    await publisher.stop()


async def _last(settings: Settings, place: LogOffset):
    consumer = AIOKafkaConsumer(**connection_options(settings.kafka))
    await consumer.start()
    try:
        at = TopicPartition(place.topic, place.partition)
        consumer.assign([at])
        consumer.seek(at, place.offset)
        return await consumer.getone(at)
    finally:
        await consumer.stop()


async def test_pages_are_newest_first_over_all_partitions(cemetery):
    """Every letter once, whatever the size of the page, also while new ones are buried."""
    codes = ("event_failed", "event_malformed")
    buried = [await cemetery.buried(LogOffset(INBOX.name, 0, n), f"k{n}".encode(), b"x" * n, code=codes[n % 2]) for n in range(45)]
    seen, cursor = [], ""
    while True:
        page = await cemetery.letters.page(DeadLetterFilter(), limit=7, cursor=cursor)
        seen += page.items
        await cemetery.buried(LogOffset(INBOX.name, 0, 99), b"k", b"late")
        if not (cursor := page.next_cursor):
            break
    assert sorted(letter.id for letter in seen) == sorted(buried)
    assert [letter.at for letter in seen] == sorted((letter.at for letter in seen), reverse=True)  # of one millisecond, in any order
    assert all(letter.value is None and letter.value_bytes == letter.original_offset for letter in seen)
    assert len((await cemetery.letters.page(DeadLetterFilter(code="event_malformed"), limit=100)).items) == 22
    with pytest.raises(Refused, match="cursor"):
        await cemetery.letters.page(DeadLetterFilter(), limit=1, cursor="???")


async def test_a_letter_says_all_that_is_known(cemetery):
    place = LogOffset(cemetery.settings.kafka.topic_prefix + INBOX.name, 3, 17)
    letter = await cemetery.letters.get(await cemetery.buried(place, b"k", b"\xff\x00", {"ce_id": b"1"}, at_ms=1_700_000_000_000))
    assert (letter.topic, letter.original_partition, letter.original_offset, letter.original_at_ms) == (
        INBOX.name,
        3,
        17,
        1_700_000_000_000,
    )
    assert (letter.agent, letter.code, letter.detail, letter.attempts) == ("admit", "event_failed", "cause", 2)
    assert (letter.key, letter.value, letter.headers, letter.tenant) == (b"k", b"\xff\x00", {"ce_id": b"1"}, "acme")
    assert await cemetery.letters.get("3-999999") is None
    assert await cemetery.letters.get("999-0") is None
    for wrong in ("x", "1", "-1-2", "1-2-3", ""):
        with pytest.raises(Refused):
            await cemetery.letters.get(wrong)


async def test_whose_a_letter_is(cemetery):
    """The inbox's name, then the key of document topics, then our own events; what cannot be told belongs to nobody."""
    cases = [
        (inbox_topic("acme").name, b"globex/kb/d", b'{"tenant":"globex"}', "acme"),
        (DOCUMENTS_SUBMITTED.name, b"acme/kb/d", b'{"tenant":"globex"}', "acme"),
        (CHATS_ASKED.name, b"c", b'{"tenant":"acme","data":{}}', "acme"),
        (CHATS_ASKED.name, b"c", b"not json", ""),
        (DOCUMENTS_SUBMITTED.name, None, b"{}", ""),
    ]
    for number, (topic, key, value, tenant) in enumerate(cases):
        letter_id = await cemetery.buried(LogOffset(topic, 0, number), key, value)
        assert (await cemetery.letters.get(letter_id)).tenant == tenant
    assert len((await cemetery.letters.page(DeadLetterFilter(tenant="acme"), limit=10)).items) == 3
    assert not (await cemetery.letters.page(DeadLetterFilter(tenant=""), limit=10)).items


async def test_all_in_the_order_they_were_buried(cemetery):
    for n in range(20):
        await cemetery.buried(LogOffset(INBOX.name, 0, n), b"same", b"x")
    assert [letter.original_offset async for letter in cemetery.letters.scan(DeadLetterFilter(topic=INBOX.name))] == [*range(20)]
    assert [letter async for letter in cemetery.letters.scan(DeadLetterFilter(agent="parse"))] == []
    later_ms = int((datetime.now(UTC) + timedelta(minutes=1)).timestamp() * 1000)
    assert [letter async for letter in cemetery.letters.scan(DeadLetterFilter(), since_ms=later_ms)] == []


async def test_it_is_sent_as_it_was_to_the_place_it_came_from(cemetery):
    headers = {"ce_id": b"1", "content-type": b"application/pdf"}
    letter_id = await cemetery.buried(LogOffset(INBOX.name, 2, 0), b"handbook", b"\x00\xff", headers)
    dry = await cemetery.again(letter_id, dry=True)
    assert (dry.outcome, dry.place) == ("redriven", None)
    sent = await cemetery.again(letter_id)
    assert sent.outcome == "redriven"
    assert sent.place.partition == 2
    record = await _last(cemetery.settings, sent.place)
    assert (record.key, record.value, dict(record.headers)) == (b"handbook", b"\x00\xff", headers)
    again = await cemetery.again(letter_id)
    assert again.outcome == "already_redriven"
    assert again.place is None
    assert letter_id in await cemetery.redrive.redrive_times([letter_id, "0-999"])
    assert (await cemetery.again(letter_id, force=True)).outcome == "redriven"


async def test_a_deletion_is_sent_as_a_deletion(cemetery):
    sent = await cemetery.again(await cemetery.buried(LogOffset(INBOX.name, 0, 0), b"handbook", None))
    assert (await _last(cemetery.settings, sent.place)).value is None


async def test_what_is_gone_and_what_came_from_nowhere(cemetery):
    assert (await cemetery.again("0-12345")).outcome == "gone"
    with pytest.raises(Refused, match="no topic of this installation"):
        await cemetery.again(await cemetery.buried(LogOffset("somebody.elses.topic", 0, 0), b"k", b"v"))


async def test_work_is_version_checked_by_its_agents(cemetery):
    await cemetery.visibility.record_submission(KEY, 900)
    letter_id = await cemetery.buried(LogOffset(DOCUMENTS_QUEUED_BULK.name, 1, 5), KEY.encode(), b"{}", agent="parse_bulk")
    assert (await cemetery.again(letter_id)).outcome == "redriven"


class TestSubmissions:
    """A new place is a new version: only the newest one may get one."""

    async def test_the_newest_goes(self, cemetery):
        place = await cemetery.submitted()
        letter_id = await cemetery.buried(place, KEY.encode(), b"{}", agent="route")
        assert (await cemetery.again(letter_id)).outcome == "redriven"

    @pytest.mark.parametrize("withdrawn", [False, True])
    async def test_an_older_one_never(self, cemetery, withdrawn):
        place = await cemetery.submitted()
        newer = await cemetery.submitted(withdrawn=withdrawn)
        letter_id = await cemetery.buried(place, KEY.encode(), b"{}", agent="route")
        said = await cemetery.again(letter_id)
        assert said.outcome == "superseded"
        assert str(newer.offset) in said.detail
        assert ("deleted" in said.detail) == withdrawn
        assert (await cemetery.again(letter_id, force=True)).outcome == "redriven"

    async def test_one_that_route_has_not_read_counts_as_well(self, cemetery, monkeypatch):
        place = await cemetery.submitted()
        letter_id = await cemetery.buried(place, KEY.encode(), b"{}", agent="route")
        for _ in range(3):
            await cemetery.written(DOCUMENTS_SUBMITTED, KEY.encode(), b"{}")
        assert (await cemetery.again(letter_id)).outcome == "superseded"
        monkeypatch.setattr(redrive_guard, "WAITING_MAX", 2)
        with pytest.raises(Unavailable, match="catch up"):
            await cemetery.again(letter_id)
        await cemetery.commit(DOCUMENTS_SUBMITTED, place.partition, place.offset + 4)  # read, and nothing of it was a newer version
        assert (await cemetery.again(letter_id)).outcome == "redriven"


class TestInbox:
    """Its records have no version: what came since decides."""

    @staticmethod
    def event(**data) -> bytes:
        said = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"text": "x", **data}}
        return json.dumps(said).encode()

    async def test_nothing_came_since(self, cemetery):
        """What the same inbox brought before it is older, although it was submitted after the record was written."""
        written_ms = int((datetime.now(UTC) - timedelta(minutes=5)).timestamp() * 1000)
        await cemetery.submitted()
        letter_id = await cemetery.buried(LogOffset(INBOX.name, 0, 0), b"handbook", b"not json", at_ms=written_ms)
        assert (await cemetery.again(letter_id)).outcome == "redriven"

    @pytest.mark.parametrize("withdrawn", [False, True])
    async def test_something_came_since(self, cemetery, withdrawn):
        letter_id = await cemetery.buried(LogOffset(INBOX.name, 0, 0), b"handbook", b"not json")
        await cemetery.submitted("another")
        assert (await cemetery.again(letter_id, dry=True)).outcome == "redriven"
        await cemetery.submitted(withdrawn=withdrawn)
        assert (await cemetery.again(letter_id)).outcome == "superseded"

    async def test_a_person_wrote_while_the_record_waited(self, cemetery):
        written_ms = int((datetime.now(UTC) - timedelta(minutes=5)).timestamp() * 1000)
        await cemetery.submitted(origin="api")
        letter_id = await cemetery.buried(LogOffset(INBOX.name, 0, 0), b"handbook", b"not json", at_ms=written_ms)
        assert (await cemetery.again(letter_id)).outcome == "superseded"

    async def test_a_newer_record_waits_in_the_inbox(self, cemetery):
        """Named in another way, the document is the same."""
        first = await cemetery.written(INBOX, b"handbook", b"not json")
        letter_id = await cemetery.buried(first, b"handbook", b"not json")
        place = await cemetery.publisher.publish_raw(
            cemetery.settings.kafka.topic_prefix + INBOX.name, b"k", self.event(document_id="handbook"), {}, partition=first.partition
        )
        said = await cemetery.again(letter_id)
        assert said.outcome == "superseded"
        assert str(place.offset) in said.detail

    async def test_a_record_that_is_older_than_the_newest_never(self, cemetery):
        """The newest was read before this one was refused; sent again this would be the newest. ``--force`` sends it."""
        place = await cemetery.submitted()
        letter_id = await cemetery.buried(LogOffset(INBOX.name, 0, 7), b"handbook", b"not json", at_ms=1_000)
        for newest, outcome in (
            (InboxRecord(at_ms=999, partition=1, offset=90), "redriven"),
            (InboxRecord(at_ms=1_001, partition=1, offset=3), "superseded"),
        ):
            await cemetery.visibility.record_submissions([NewVersion(KEY, place.offset, "", newest)])
            assert (await cemetery.again(letter_id, dry=True)).outcome == outcome
        refused = await cemetery.buried(LogOffset(INBOX.name, 0, 8), b"k", None, code="record_superseded")  # k is no document's id
        assert (await cemetery.again(refused)).outcome == "superseded"
        assert (await cemetery.again(refused, force=True)).outcome == "redriven"

    async def test_a_deletion_by_the_key_waits_in_the_inbox(self, cemetery):
        first = await cemetery.written(INBOX, b"k", self.event(document_id="handbook"))
        letter_id = await cemetery.buried(first, b"k", self.event(document_id="handbook"))
        assert (await cemetery.again(letter_id, dry=True)).outcome == "redriven"
        await cemetery.written(INBOX, b"k", None)
        assert (await cemetery.again(letter_id)).outcome == "superseded"

    async def test_of_two_letters_the_last_is_sent(self, cemetery, capsys, monkeypatch):
        """Or the first, sent again, would be newer than the second; other documents and other topics have their own last word."""
        monkeypatch.setattr(connections, "TOPICS", PRESENT)  # a publisher waits seconds for topics that do not exist
        letters = [await cemetery.buried(LogOffset(INBOX.name, 0, n), b"handbook", b"not json") for n in range(3)]
        other = await cemetery.buried(LogOffset(INBOX.name, 0, 3), b"other", b"not json")
        first = await cemetery.letters.get(letters[0])
        assert await cemetery.letters.find_later(first) == letters[2]
        assert await cemetery.letters.find_later(await cemetery.letters.get(letters[2])) == ""
        said = await cemetery.again(letters[0], later=letters[2])
        assert said.outcome == "superseded"
        assert letters[2] in said.detail
        how: dict[str, Any] = {"letter_id": "", "since_s": 60, "limit": 10, "force": False}
        assert await command.run(cemetery.settings, DeadLetterFilter(), dry=True, **how) == 0
        assert "2 redriven, 2 superseded (a dry run" in capsys.readouterr().out
        assert await command.run(cemetery.settings, DeadLetterFilter(), dry=False, **how) == 0
        out = capsys.readouterr().out
        assert f"{letters[2]}\tredriven" in out
        assert f"{other}\tredriven" in out
        assert await command.run(cemetery.settings, DeadLetterFilter(), dry=False, **how) == 0
        assert "2 already_redriven, 2 superseded" in capsys.readouterr().out
        assert await command.run(cemetery.settings, DeadLetterFilter(), dry=False, **(how | {"letter_id": letters[0], "force": True})) == 0
        assert await command.run(cemetery.settings, DeadLetterFilter(), dry=False, **(how | {"letter_id": "0-999"})) == 1

    async def test_what_names_no_document_can_harm_none(self, cemetery):
        letter_id = await cemetery.buried(LogOffset(INBOX.name, 0, 0), None, b"not json")
        assert (await cemetery.again(letter_id)).outcome == "redriven"
