"""Record keys of inboxes as names of documents: which documents were last written under a key that is not their id.

A record without a value says only its key. The key of a document's last record is on the log (``DOCUMENTS_ALIASED``), so that it outlives
compaction, later versions from elsewhere, and Redis; documents whose key is their id need no entry and have none.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence

from domain.documents.topics import DOCUMENTS_ALIASED
from schemas import ids
from schemas.documents import Document, DocumentAlias, DocumentAliased, DocumentSubmitted
from schemas.events import Event
from streams.log.outgoing import Outgoing, Publisher
from streams.tables.projection import Record, Tables

RECORD_KEYS = Record(
    table="record_keys",
    topic=DOCUMENTS_ALIASED,
    event=DocumentAliased,
    type=DocumentAlias,
    scope=lambda event: f"{event.tenant}/{event.data.knowledge_base_id}",
    id=lambda event: event.data.document_id,
    gone=lambda event: not event.data.key_sha256,
    rank=lambda _event, _offset: 0.0,  # a document has one entry under a key, however often the key changes
    group=lambda event: event.data.key_sha256,
)


def hash_key(key: bytes | None, document_id: str) -> str:
    """The hash of a record's key as a name of the document; "" when it is the document's id, or there is none."""
    if not key or key == document_id.encode():
        return ""
    return hashlib.sha256(key).hexdigest()


def alias_event(cause: Event, agent: str, document: Document, record_key: str) -> Outgoing:
    """``record_key`` is the hash by which the document is known from now on; "" for none."""
    data = DocumentAlias(knowledge_base_id=document.knowledge_base_id, document_id=document.document_id, key_sha256=record_key)
    subject = ids.document_key(cause.tenant, document.knowledge_base_id, document.document_id)
    return Outgoing(DOCUMENTS_ALIASED, DocumentAliased.from_cause(cause, agent, data=data, now=cause.time, subject=subject))


class RecordKeys:
    """The record keys of documents. Every method raises Unavailable("redis_unavailable")."""

    def __init__(self, tables: Tables) -> None:
        self._tables, self._keys = tables, tables.of(RECORD_KEYS)

    async def remember(self, submissions: Sequence[DocumentSubmitted], agent: str, publisher: Publisher) -> None:
        """Make the keys of these submissions names of their documents, before the submissions are on the log.

        What returned is on the log and can be found; nothing is written for a key that is known. Raises Unavailable("kafka_unavailable").
        """
        wanted = {event.subject: (event, event.data.record.key_sha256) for event in submissions if event.data.record is not None}
        known = await self._known([event for event, _ in wanted.values()])
        changed = [alias_event(event, agent, event.data, key) for subject, (event, key) in wanted.items() if known.get(subject, "") != key]
        if changed:
            places = await publisher.publish_all(changed)
            await self._tables.apply_many([(each.event, place) for each, place in zip(changed, places, strict=True)])

    async def documents_under(self, tenant: str, knowledge_base_id: str, key: bytes | None) -> AsyncIterator[Sequence[str]]:
        """The ids of the documents whose last record had this key, some at a time; without the one whose id it is."""
        if not key:
            return
        scope, name = f"{tenant}/{knowledge_base_id}", hashlib.sha256(key).hexdigest()
        async for some in self._keys.group_ids(scope, name):
            rows = await self._keys.get_many(scope, some)  # entries of keys that a document had before stay in the group
            yield [each for each in some if each in rows and rows[each].key_sha256 == name]

    async def _known(self, submissions: Sequence[DocumentSubmitted]) -> Mapping[str, str]:
        scopes: dict[str, list[str]] = {}
        for event in submissions:
            scopes.setdefault(f"{event.tenant}/{event.data.knowledge_base_id}", []).append(event.data.document_id)
        return {
            f"{scope}/{document_id}": row.key_sha256
            for scope, document_ids in scopes.items()
            for document_id, row in (await self._keys.get_many(scope, document_ids)).items()
        }
