"""What is published to remove the records of an erasure: the last state of an entity, then the tombstone of its key.

The last state takes its rows out of the tables of every process at once; the tombstone lets compaction remove all states from the disk.
What is removed already is not found again, so a round that was broken off is simply done once more.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.eraser.log_scan import Owned, TopicScan
from schemas import ids
from schemas.documents import DocumentSubmitted, DocumentWithdrawn, Withdrawal
from schemas.erasures import Erasure
from schemas.records import KnowledgeBaseChanged
from streams.log.outgoing import Outgoing, Publisher
from streams.topics import Topic

SOURCE = "/claw/erase"
BATCH = 500  # tombstones on their way at once


def last_states(scan: TopicScan, erasure: Erasure, now: datetime) -> Sequence[Outgoing]:
    """The last state of every record that is to go, where the topic knows one."""
    ended = scan.place.ended
    if ended is None:
        return ()
    return [
        Outgoing(
            scan.place.topic,
            msgspec.structs.replace(
                owned.event, id=_id(erasure, scan.place.topic, owned), source=SOURCE, time=now, data=ended(owned.event.data, now)
            ),
            key=owned.key.decode(),
            partition=owned.partition,
        )
        for owned in scan.owned.values()
        if owned.event is not None and ended(owned.event.data, owned.event.time) != owned.event.data
    ]


def withdrawals(scan: TopicScan, erasure: Erasure, now: datetime) -> Sequence[Outgoing]:
    """The deletion of every document that was submitted and not deleted since."""
    found = []
    for owned in scan.owned.values():
        event = owned.event
        if isinstance(event, DocumentSubmitted):
            data = Withdrawal(knowledge_base_id=event.data.knowledge_base_id, document_id=event.data.document_id)
            withdrawn = DocumentWithdrawn(
                id=_id(erasure, DOCUMENTS_SUBMITTED, owned),
                source=SOURCE,
                subject=event.subject,
                time=now,
                tenant=event.tenant,
                traceparent=event.traceparent,
                data=data,
            )
            found.append(Outgoing(DOCUMENTS_SUBMITTED, withdrawn))
    return found


def handover(event: KnowledgeBaseChanged, erasure: Erasure, successor: str, now: datetime) -> KnowledgeBaseChanged:
    """A shared knowledge base as that of another member of the organisation."""
    changed = msgspec.structs.replace(event.data, user_id=successor, updated_at=now, revision=event.data.revision + 1)
    event_id = ids.derive("erasure", erasure.id, "handover", changed.id, changed.revision)
    return msgspec.structs.replace(event, id=event_id, source=SOURCE, time=now, data=changed)


async def publish_tombstones(publisher: Publisher, topic: Topic, keys: Sequence[tuple[int, bytes]]) -> None:
    """Publish tombstones for these keys, given with their partitions. Raises Unavailable("kafka_unavailable")."""
    for start in range(0, len(keys), BATCH):
        some = keys[start : start + BATCH]
        for acknowledgement in [
            await publisher.publish_tombstone(topic, key.decode(errors="replace"), partition) for partition, key in some
        ]:
            await acknowledgement


def document_of(key: bytes) -> str:
    """The document behind a key of a document topic, also of one that was refused."""
    return key.decode(errors="replace").removesuffix("/refused")


def pending_documents(scan: TopicScan, deleted: Mapping[str, int]) -> set[str]:
    """The documents whose deletion dispatch has not read yet; ``deleted`` has the version that it has deleted, by document."""
    return {
        document_of(owned.key)
        for owned in scan.owned.values()
        if owned.event is not None
        and (isinstance(owned.event, DocumentSubmitted) or deleted.get(document_of(owned.key), -1) < owned.offset)
    }


def _id(erasure: Erasure, topic: Topic, owned: Owned) -> str:
    """A repeat of a round has the same id for the same record."""
    return ids.derive("erasure", erasure.id, topic.name, owned.partition, owned.offset)
