"""Which dead letters of documents may be sent again.

Where offsets are versions, a record sent again would become the newest version of its document. So a submission or an inbox record is
only sent again while nothing newer is known of its document, on the log as in the visibility record. Dead letters of work topics carry
their version: their agents drop what is superseded.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from adapters.kafka import StoredRecord, TopicPartition
from domain.documents import inbox
from domain.documents.progress import order_detail
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.documents.visibility import NO_VERSION, VisibilitySource
from schemas import ids
from schemas.documents import InboxRecord, Submitted
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.dead_letters.reader import DeadLetter
from streams.log.reader import LogReader, open_log_reader, read_group_offsets
from streams.topics import Topic

WORKER_GROUP = "tables"  # whose consumer group reads inboxes and submissions
WAITING_MAX = 5_000  # records not yet read by that group that are looked through; with more, it has to catch up first

_SUBMITTED: msgspec.json.Decoder[Submitted] = msgspec.json.Decoder(Submitted)


class Partitioner(Protocol):
    """The part of a publisher that knows where a key lies."""

    def partition_for(self, topic: Topic, key: str) -> int: ...


class DocumentStates(VisibilitySource, Protocol):
    """The versions of documents, and their newest inbox records; raises Unavailable("redis_unavailable")."""

    async def newest_records(self, keys: Sequence[str]) -> Mapping[str, InboxRecord]: ...


class DocumentRedriveGuard:
    """Implements ``streams.dead_letters.redrive.RedriveGuard`` for the topics ``names`` and every inbox."""

    def __init__(self, kafka: KafkaSettings, publisher: Partitioner, states: DocumentStates, names: Sequence[str]) -> None:
        self._kafka, self._publisher, self._states = kafka, publisher, states
        self._names = frozenset(names)

    def is_known(self, topic: str) -> bool:
        """Part of ``RedriveGuard``."""
        return topic in self._names or inbox.is_inbox(topic)

    def has_order(self, topic: str) -> bool:
        """Part of ``RedriveGuard``."""
        return topic == DOCUMENTS_SUBMITTED.name or inbox.is_inbox(topic)

    async def find_newer(self, letter: DeadLetter) -> str:
        """Part of ``RedriveGuard``."""
        if letter.topic == DOCUMENTS_SUBMITTED.name:
            return await self._find_newer_version(letter)
        if letter.code == "record_superseded":  # sent again it would be the newest
            return letter.detail
        if inbox.is_inbox(letter.topic):
            return await self._find_newer_record(letter)
        return ""

    async def _find_newer_version(self, letter: DeadLetter) -> str:
        key, version = (letter.key or b"").decode(errors="replace"), letter.original_offset
        state = (await self._states.version_states((key,)))[key]
        if state.supersedes(version):
            return _newer_detail(state.deleted >= version, max(state.latest, state.deleted))
        async with open_log_reader(self._kafka) as log:
            place = log.topic_partition(DOCUMENTS_SUBMITTED, letter.original_partition)
            for record in await self._read_waiting(log, place, after=version):
                if record.key == letter.key:
                    return _newer_detail(deleted=False, version=record.offset)
        return ""

    async def _find_newer_record(self, letter: DeadLetter) -> str:
        """An inbox record has no version: what counts is what was submitted since it (or, from inboxes, its letter) was written, and any
        record of the document that is newer, whenever it was read.
        """
        tenant = inbox.tenant_of(letter.topic)
        name = inbox.identify_document(tenant, letter.key, letter.value, letter.headers)
        if name is None:
            return ""
        key = ids.document_key(tenant, name.knowledge_base_id, name.document_id)
        state = (await self._states.version_states((key,)))[key]
        version = max(state.latest, state.deleted)
        newest = (await self._states.newest_records((key,))).get(key)
        if newest is not None and _record_of(letter).is_older_than(newest):
            return order_detail(newest)
        async with open_log_reader(self._kafka) as log:
            place = log.topic_partition(DOCUMENTS_SUBMITTED, self._publisher.partition_for(DOCUMENTS_SUBMITTED, key))
            if version != NO_VERSION:
                known = await log.read_record(place, version)
                if known is None or _is_newer(known, letter):
                    return _newer_detail(state.deleted >= version, version)
            for record in await self._read_waiting(log, place, after=version):
                if record.key == key.encode() and _is_newer(record, letter):
                    return _newer_detail(deleted=False, version=record.offset)
            for record in await self._read_waiting(
                log, log.topic_partition(letter.topic, letter.original_partition), after=letter.original_offset
            ):
                headers = {header: value or b"" for header, value in record.headers}
                other = inbox.identify_document(tenant, record.key, record.value, headers)
                same = other and (other.knowledge_base_id, other.document_id) == (name.knowledge_base_id, name.document_id)
                if same or (record.value is None and record.key == letter.key):  # or deletes all that was written under the key
                    return f"a newer record of the document waits in its inbox at offset {record.offset}"
        return ""

    async def _read_waiting(self, log: LogReader, place: TopicPartition, *, after: int) -> list[StoredRecord]:
        """Records behind ``after`` that their agent may not have handled; what it has handled shows in the visibility record."""
        begin, end = (await log.bounds([place]))[place]
        begin = max(begin, after + 1, (await read_group_offsets(self._kafka, (WORKER_GROUP,))).get(place, 0))
        if end - begin > WAITING_MAX:
            raise Unavailable(
                "overloaded", f"{end - begin} records wait in {place.topic}[{place.partition}]: let the {WORKER_GROUP} workers catch up"
            )
        return await log.read_range(place, begin, end) if begin < end else []


def _record_of(letter: DeadLetter) -> InboxRecord:
    return InboxRecord(at_ms=letter.original_at_ms, partition=letter.original_partition, offset=letter.original_offset)


def _is_newer(record: StoredRecord, letter: DeadLetter) -> bool:
    """Whether the submission or withdrawal came after the inbox record that the letter holds."""
    try:
        origin = _SUBMITTED.decode(record.value or b"").data.origin
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True
    letter_ms = int(letter.at.timestamp() * 1000)
    return bool(record.timestamp > (letter_ms if origin == "inbox" else min(letter.original_at_ms, letter_ms)))


def _newer_detail(deleted: bool, version: int) -> str:  # noqa: FBT001
    return f"the document was {'deleted' if deleted else 'submitted again'} since, as version {version}"
