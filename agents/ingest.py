"""inbox.<tenant> -> admit -> documents.submitted, documents.aliased, and documents.progressed of what is refused

Reads records of upstream systems: CloudEvents in structured JSON mode or in Kafka's binary mode, null to delete. The tenant is in the
topic's name, never in the event. A malformed record is refused with the field and the limit and becomes a dead letter; its sender finds the
cause in the document's progress.

A document's id is the event's subject, and the record's key another name of it: a record without a value deletes what either names. Kafka
orders the records of one key only. A record that is older than one of its document that was handled already is refused; should both be
under way at once, ``dispatch`` decides.
"""

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from adapters.blobs import blob_folder
from domain import composition
from domain.document_caps import DocumentSize
from domain.documents import inbox
from domain.documents.progress import order_detail, refusal
from domain.documents.record_keys import hash_key
from domain.documents.topics import DOCUMENTS_PROGRESSED, DOCUMENTS_SUBMITTED, inbox_topic
from schemas import ids
from schemas.documents import (
    Blob,
    Document,
    DocumentProgressed,
    DocumentSubmitted,
    DocumentWithdrawn,
    FileType,
    InboxRecord,
    Withdrawal,
)
from schemas.errors import Problem, Refused
from schemas.traces import new_traceparent, valid_traceparent
from streams.log.delivery import Delivery
from streams.log.outgoing import Outgoing, Publisher
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.topics import Topic

NAME, WORKER_GROUP = "admit", "tables"
SUPERSEDED = "record_superseded"
WITHDRAWALS_MAX = 1_000  # of one record, published together; a key may name more documents
UTF8_CHARSETS = ("", "utf-8", "utf8", "us-ascii", "ascii")  # charsets whose text needs no conversion
CONTROL_CHARACTERS = frozenset(map(chr, range(32))) - set(
    "\t\n\r\f"
)  # control characters: text that has them is something else, or in another encoding

_encode = msgspec.json.Encoder().encode


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent of the inboxes in the settings."""
    settings, tables = ports.settings, ports.get(composition.read_models).knowledge_bases

    async def has_knowledge_base(tenant: str, knowledge_base: str) -> bool:
        if knowledge_base == ids.default_knowledge_base(tenant):
            return True
        return await tables.get(tenant, knowledge_base) is not None

    step = Ingest(
        has_knowledge_base=has_knowledge_base,
        caps=ports.get(composition.document_caps),
        newest=ports.get(composition.visibility),
        record_keys=ports.get(composition.record_keys),
        blobs=ports.get(composition.blob_store),
        sizes=inbox.SizeLimits(settings.limits.document_inline_bytes_max, settings.documents.file_bytes_max),
        random_bytes=secrets.token_bytes,
    )
    return (step.agent(tuple(inbox_topic(tenant) for tenant in settings.lanes.inboxes)),)


class InboxCaps(Protocol):
    """The caps on documents."""

    async def reserve_for_inbox(self, documents: Sequence[DocumentSize]) -> None:
        """Raises Refused("documents_full" or "storage_full")."""
        ...


class NewestRecords(Protocol):
    """The newest inbox records of documents; raises Unavailable("redis_unavailable")."""

    async def newest_records(self, keys: Sequence[str]) -> Mapping[str, InboxRecord]: ...


class Aliases(Protocol):
    """The record keys of documents (``domain.documents.record_keys.RecordKeys``); raises Unavailable."""

    async def remember(self, submissions: Sequence[DocumentSubmitted], agent: str, publisher: Publisher) -> None: ...

    def documents_under(self, tenant: str, knowledge_base_id: str, key: bytes | None) -> AsyncIterator[Sequence[str]]: ...


class Blobs(Protocol):
    """The file store; raises Unavailable("blobs_unavailable")."""

    async def create(self, path: str, data: bytes) -> bool:
        """Write the file; False when there is one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """The agent's ports. ``has_knowledge_base(tenant, id)`` rejects documents of knowledge bases that do not exist."""

    has_knowledge_base: Callable[[str, str], Awaitable[bool]]
    caps: InboxCaps
    newest: NewestRecords
    record_keys: Aliases
    blobs: Blobs
    sizes: inbox.SizeLimits
    random_bytes: Callable[[int], bytes]

    def agent(self, inboxes: tuple[Topic, ...]) -> Agent:
        """Reads the inboxes of these topics."""
        return Agent(
            name=NAME, reads=inboxes, step=self.step, failed=self.report_failure, raw=True, step_many=self.step_many, together_max=256
        )

    async def step(self, delivery: Delivery, context: Context) -> Sequence[Outgoing]:
        """The submission, or the withdrawals; their ids follow from the record's offset, so a repeat has the same."""
        try:
            if delivery.value is None:
                return await self._withdrawals(delivery, context)
            (outgoing,) = await self.step_many([(delivery, context)])
        except Refused as refusal:
            if refusal.code == SUPERSEDED and context.replayed:
                return []  # it was handled, and so was a newer one, before a process died: nobody needs to be told
            raise
        return outgoing

    async def step_many(self, deliveries: Sequence[tuple[Delivery, Context]]) -> Sequence[Sequence[Outgoing]]:
        """Records with a value: many at once share the look at what is known of their documents, and one publish."""
        parsed = [(await self._parse(delivery), delivery, context) for delivery, context in deliveries]
        known = await self.newest.newest_records([document.key for document, _, _ in parsed])
        for document, delivery, context in parsed:
            _check_order(_record_of(delivery, context, document.given.document_id), known.get(document.key))
        await self.caps.reserve_for_inbox([document.size for document, _, _ in parsed])
        events = [await self._submission(document, delivery, context) for document, delivery, context in parsed]
        await self.record_keys.remember(events, NAME, deliveries[0][1].publisher)
        return [[Outgoing(DOCUMENTS_SUBMITTED, event)] for event in events]

    async def report_failure(self, delivery: Delivery, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """The refusal as progress, when the record names its document.

        It has no version and must not replace a version when the log is compacted: hence a key of its own, in the document's partition.
        """
        tenant = inbox.tenant_of(delivery.place.topic)
        name = inbox.identify_document(tenant, delivery.key, delivery.value, delivery.headers)
        if name is None:
            return []
        subject = ids.document_key(tenant, name.knowledge_base_id, name.document_id)
        event = DocumentProgressed(
            id=ids.event_id(_cause_id(delivery), f"{NAME}:refused", 0),
            source=f"/claw/{NAME}",
            subject=subject,
            time=context.clock.now(),
            tenant=tenant,
            traceparent=self._trace(""),
            causationid=name.event_id,
            data=refusal(name.knowledge_base_id, name.document_id, problem),
        )
        partition = context.publisher.partition_for(DOCUMENTS_PROGRESSED, subject)
        return [Outgoing(DOCUMENTS_PROGRESSED, event, key=f"{subject}/refused", partition=partition)]

    async def _parse(self, delivery: Delivery) -> "_Parsed":
        tenant = inbox.tenant_of(delivery.place.topic)
        given = inbox.parse_document(delivery.key, delivery.value or b"", delivery.headers, self.sizes)
        return _Parsed(tenant, await self._knowledge_base(tenant, given.knowledge_base_id), given)

    async def _submission(self, document: "_Parsed", delivery: Delivery, context: Context) -> DocumentSubmitted:
        return DocumentSubmitted(
            id=_cause_id(delivery),
            source=f"/claw/{NAME}",
            subject=document.key,
            time=context.clock.now(),
            tenant=document.tenant,
            traceparent=self._trace(document.given.traceparent),
            causationid=document.given.event_id,
            data=await self._document(document, delivery, context),
        )

    async def _withdrawals(self, delivery: Delivery, context: Context) -> Sequence[Outgoing]:
        """Of the document that the record names, and of those that were last written under its key.

        Raises Refused when it names none, and when all that it names were written anew by a newer record.
        """
        tenant, named = inbox.tenant_of(delivery.place.topic), inbox.parse_withdrawal(delivery.key, delivery.headers)
        base = await self._knowledge_base(tenant, named.knowledge_base_id)
        refusal, outgoing = named.refusal, list[Outgoing]()
        async for some in self._withdrawn_documents(tenant, base, named, delivery.key):
            subjects = {document: ids.document_key(tenant, base, document) for document in some}
            known = await self.newest.newest_records([*subjects.values()])
            for document, subject in subjects.items():
                record = _record_of(delivery, context, document)
                try:
                    _check_order(record, known.get(subject))
                except Refused as error:
                    refusal = error
                    continue
                event = DocumentWithdrawn(
                    id=_cause_id(delivery) if document == named.document_id else ids.event_id(_cause_id(delivery), document, 0),
                    source=f"/claw/{NAME}",
                    subject=subject,
                    time=context.clock.now(),
                    tenant=tenant,
                    traceparent=self._trace(""),
                    causationid=named.event_id,
                    data=Withdrawal(knowledge_base_id=base, document_id=document, origin="inbox", record=record),
                )
                outgoing.append(Outgoing(DOCUMENTS_SUBMITTED, event))
            if len(outgoing) > WITHDRAWALS_MAX:
                await context.publisher.publish_all(outgoing[:-1])
                outgoing = outgoing[-1:]
                context.alive()
        if not outgoing and refusal is not None:
            raise refusal
        return outgoing

    async def _withdrawn_documents(
        self, tenant: str, base: str, named: inbox.WithdrawalRef, key: bytes | None
    ) -> AsyncIterator[Sequence[str]]:
        if named.document_id:
            yield (named.document_id,)
        if named.by_key:
            async for some in self.record_keys.documents_under(tenant, base, key):
                yield [each for each in some if each != named.document_id]

    async def _document(self, document: "_Parsed", delivery: Delivery, context: Context) -> Document:
        """Small valid text is part of the event; everything else is a file in the file store."""
        tenant, base, given = document.tenant, document.base, document.given
        text = given.text or plain_text(given.content, given.media_type, given.charset)
        blob, charset = None, given.charset
        if text and len(_encode(text)) > self.sizes.text_bytes_max:
            content, text, charset = given.content or text.encode(), "", charset or "utf-8"
        else:
            content = b"" if text else given.content
        if content:
            blob = await self._store_file(blob_folder(tenant, base), content, delivery)
        return Document(
            knowledge_base_id=base,
            document_id=given.document_id,
            title=given.title or given.document_id,
            media_type=given.media_type,
            text=text,
            blob=blob,
            url=given.url,
            filename=given.filename,
            charset="" if text else charset,
            origin="inbox",
            metadata=given.metadata,
            record=_record_of(delivery, context, given.document_id),
        )

    async def _store_file(self, home: str, content: bytes, delivery: Delivery) -> Blob:
        """The file's path follows from the record's offset, so a repeat finds it, and from its content, should a topic be recreated."""
        sha256 = hashlib.sha256(content).hexdigest()
        name = ids.derive("inbox file", _cause_id(delivery), sha256).replace("-", "")
        path = f"{home}/{name[:2]}/{name}"
        await self.blobs.create(path, content)
        return Blob(path=path, bytes=len(content), sha256=sha256)

    async def _knowledge_base(self, tenant: str, requested: str) -> str:
        if requested and not await self.has_knowledge_base(tenant, requested):
            raise Refused("not_found", f"knowledge_base_id: tenant {tenant} has no knowledge base {requested}")
        return requested or ids.default_knowledge_base(tenant)

    def _trace(self, traceparent: str) -> str:
        return traceparent if valid_traceparent(traceparent) else new_traceparent(self.random_bytes)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A document of an inbox, and where it belongs."""

    tenant: str
    base: str
    given: inbox.InboxDocument

    @property
    def key(self) -> str:
        """Its key on the log."""
        return ids.document_key(self.tenant, self.base, self.given.document_id)

    @property
    def size(self) -> DocumentSize:
        """What it takes of the caps."""
        given = self.given
        return DocumentSize(self.tenant, self.base, given.document_id, len(given.content) or len(given.text.encode()))


def _record_of(delivery: Delivery, context: Context, document_id: str) -> InboxRecord:
    """A timestamp in the future would keep later records away."""
    at_ms = min(max(0, delivery.timestamp_ms), int(context.clock.now().timestamp() * 1000))
    place = delivery.place
    return InboxRecord(at_ms=at_ms, partition=place.partition, offset=place.offset, key_sha256=hash_key(delivery.key, document_id))


def _check_order(record: InboxRecord, newest: InboxRecord | None) -> None:
    """Raises Refused("record_superseded")."""
    if newest is not None and record.is_older_than(newest):
        raise Refused(SUPERSEDED, order_detail(newest))


def plain_text(content: bytes, media_type: FileType, charset: str) -> str:
    """The text of a file in plain UTF-8 that declares no other charset; "" for everything else, which the parser decodes."""
    if not media_type.startswith("text/") or charset.lower() not in UTF8_CHARSETS:
        return ""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""
    return "" if CONTROL_CHARACTERS.intersection(text) else text


def _cause_id(delivery: Delivery) -> str:
    place = delivery.place
    return ids.derive("inbox", place.topic, place.partition, place.offset)
