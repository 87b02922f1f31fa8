"""Sends dead letters again: original bytes, key and headers to the original place, where that can do no harm.

What goes back to a topic gets a new place there, and with it, where places are versions, a new version. So a submission or an inbox
record is only sent again while nothing newer is known of its document, on the log as in the visibility record. The letters of work topics
carry their version: their agents drop what is superseded.

That a letter was sent is noted afterwards. A death in between sends it once more, which is harmless: effects happen once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import msgspec
from aiokafka import ConsumerRecord as Record
from aiokafka import TopicPartition

from adapters.redis.client import RedisClient
from domain.areas import TOPICS
from domain.documents import inbox
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.documents.visibility import NO_VERSION, VisibilitySource
from schemas import ids
from schemas.documents import Submitted
from schemas.errors import Refused, Unavailable
from schemas.settings import KafkaSettings
from streams.clock import Clock
from streams.dead_letters.reader import DeadLetter
from streams.dead_letters.topic import DEAD_LETTERS
from streams.log.outgoing import LogOffset
from streams.log.reader import LogReader, open_log_reader, read_group_offsets
from streams.topics import Topic

LANE = "tables"  # whose group reads inboxes and submissions
WAITING_MAX = 5_000  # records not yet read by that lane that are looked through; with more, the lane has to catch up first
KEPT_S = (DEAD_LETTERS.retention_ms or 0) // 1000

RedriveOutcome = Literal["redriven", "superseded", "already_redriven", "gone"]

_SUBMITTED: msgspec.json.Decoder[Submitted] = msgspec.json.Decoder(Submitted)
_NAMES = frozenset(topic.name for topic in TOPICS if topic is not DEAD_LETTERS)


class RawPublisher(Protocol):
    """What this publishes with; raises Unavailable and, for a record that is too large, Refused."""

    async def publish_raw(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, bytes], *, partition: int | None = None
    ) -> LogOffset: ...

    def partition_for(self, topic: Topic, key: str) -> int: ...


@dataclass(frozen=True, slots=True)
class RedriveResult:
    """What became of one letter; ``detail`` says why it was not sent."""

    letter: str
    outcome: RedriveOutcome
    detail: str = ""
    place: LogOffset | None = None


class Redrive:
    """Methods raise Unavailable when Kafka or Redis cannot be asked: nothing is sent unchecked."""

    def __init__(
        self, kafka: KafkaSettings, publisher: RawPublisher, standings: VisibilitySource, redis: RedisClient, prefix: str, clock: Clock
    ) -> None:
        self._kafka, self._publisher, self._standings = kafka, publisher, standings
        self._redis, self._prefix, self._clock = redis, prefix, clock

    async def send(
        self, letter_id: str, letter: DeadLetter | None, *, later: str = "", force: bool = False, dry: bool = False
    ) -> RedriveResult:
        """Send ``letter`` (None: it is gone) again, or say why not. ``later`` is the id of a later letter with its key and topic ("" for
        none, see ``Letters.later``): the last word is sent, not the first. ``force`` sends what is superseded or was sent before; ``dry``
        only says what would happen. Raises Refused("not_found") for a letter from a topic that this installation has not.
        """
        if letter is None:
            return RedriveResult(letter_id, "gone", "retention has removed it, or there never was one")
        if letter.topic not in _NAMES and not inbox.is_inbox(letter.topic):
            raise Refused("not_found", f"letter {letter_id} came from {letter.topic[:200]!r}, which is no topic of this installation")
        if not force:
            sent_at = (await self.redrive_times([letter.id])).get(letter.id)
            if sent_at is not None:
                return RedriveResult(letter.id, "already_redriven", f"at {sent_at.isoformat(timespec='seconds')}")
            if newer := (
                f"letter {later} is a newer one of the document" if later and _has_order(letter) else await self._find_newer(letter)
            ):
                return RedriveResult(letter.id, "superseded", newer)
        if dry:
            return RedriveResult(letter.id, "redriven", "not sent: a dry run")
        topic = self._kafka.topic_prefix + letter.topic
        place = await self._publisher.publish_raw(topic, letter.key, letter.value, letter.headers, partition=letter.original_partition)
        await self._redis.execute_command("SET", self._mark_key(letter.id), self._clock.now().isoformat(), "EX", KEPT_S)
        return RedriveResult(letter.id, "redriven", "", place)

    async def redrive_times(self, letters: Sequence[str]) -> dict[str, datetime]:
        """When those of these letters that were sent again were."""
        if not letters:
            return {}
        batch = self._redis.pipeline()
        for letter in letters:
            batch.execute_command("GET", self._mark_key(letter))
        found = zip(letters, await batch.execute(), strict=True)
        return {letter: datetime.fromisoformat(at.decode()) for letter, at in found if at is not None}

    def _mark_key(self, letter: str) -> str:
        return f"{self._prefix}:redriven:{letter}"

    async def _find_newer(self, letter: DeadLetter) -> str:
        """What makes it wrong to send this letter; "" for nothing."""
        if letter.topic == DOCUMENTS_SUBMITTED.name:
            return await self._find_newer_version(letter)
        if inbox.is_inbox(letter.topic):
            return await self._find_newer_record(letter)
        return ""

    async def _find_newer_version(self, letter: DeadLetter) -> str:
        key, version = (letter.key or b"").decode(errors="replace"), letter.original_offset
        standing = (await self._standings.version_states((key,)))[key]
        if standing.supersedes(version):
            return _newer_detail(standing.deleted >= version, max(standing.latest, standing.deleted))
        async with open_log_reader(self._kafka) as log:
            place = log.topic_partition(DOCUMENTS_SUBMITTED, letter.original_partition)
            for record in await self._read_waiting(log, place, after=version):
                if record.key == letter.key:
                    return _newer_detail(deleted=False, version=record.offset)
        return ""

    async def _find_newer_record(self, letter: DeadLetter) -> str:
        """An inbox record has no version: what counts is what was submitted since it was written or, from inboxes, since it was buried."""
        tenant = inbox.tenant_of(letter.topic)
        name = inbox.identify_document(tenant, letter.key, letter.value, letter.headers)
        if name is None:
            return ""
        key = ids.document_key(tenant, name.knowledge_base_id, name.document_id)
        standing = (await self._standings.version_states((key,)))[key]
        version = max(standing.latest, standing.deleted)
        async with open_log_reader(self._kafka) as log:
            place = log.topic_partition(DOCUMENTS_SUBMITTED, self._publisher.partition_for(DOCUMENTS_SUBMITTED, key))
            if version != NO_VERSION:
                known = await log.read_record(place, version)
                if known is None or _is_newer(known, letter):
                    return _newer_detail(standing.deleted >= version, version)
            for record in await self._read_waiting(log, place, after=version):
                if record.key == key.encode() and _is_newer(record, letter):
                    return _newer_detail(deleted=False, version=record.offset)
            for record in await self._read_waiting(
                log, log.topic_partition(letter.topic, letter.original_partition), after=letter.original_offset
            ):
                headers = {header: value or b"" for header, value in record.headers}
                other = inbox.identify_document(tenant, record.key, record.value, headers)
                if other and (other.knowledge_base_id, other.document_id) == (name.knowledge_base_id, name.document_id):
                    return f"a newer record of the document waits in its inbox at offset {record.offset}"
        return ""

    async def _read_waiting(self, log: LogReader, place: TopicPartition, *, after: int) -> list[Record]:
        """Records behind ``after`` that their agent may not have done: what is done shows in the visibility record."""
        begin, end = (await log.bounds([place]))[place]
        begin = max(begin, after + 1, (await read_group_offsets(self._kafka, (LANE,))).get(place, 0))
        if end - begin > WAITING_MAX:
            raise Unavailable("overloaded", f"{end - begin} records wait in {place.topic}[{place.partition}]: let the {LANE} lane catch up")
        return await log.read_range(place, begin, end) if begin < end else []


def _has_order(letter: DeadLetter) -> bool:
    """Whether the place on its topic says which of two is newer."""
    return letter.topic == DOCUMENTS_SUBMITTED.name or inbox.is_inbox(letter.topic)


def _is_newer(record: Record, letter: DeadLetter) -> bool:
    """Whether the submission or withdrawal came after the inbox record that the letter holds."""
    try:
        origin = _SUBMITTED.decode(record.value or b"").data.origin
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True
    buried_ms = int(letter.at.timestamp() * 1000)
    return bool(record.timestamp > (buried_ms if origin == "inbox" else min(letter.original_at_ms, buried_ms)))


def _newer_detail(deleted: bool, version: int) -> str:  # noqa: FBT001
    return f"the document was {'deleted' if deleted else 'submitted again'} since, as version {version}"
