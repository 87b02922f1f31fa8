"""inbox.<tenant> -> admit -> documents.submitted

Reads what upstream systems publish: CloudEvents in structured JSON mode, null to delete. The tenant is in the topic's name, never in the
event. Anything malformed is refused with the field and the limit, and lies in the dead letters as it came.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from schemas import ids
from schemas.documents import Document, DocumentId, DocumentSubmitted, DocumentWithdrawn, MediaType, Withdrawal
from schemas.errors import FieldError, Refused
from schemas.traces import new_traceparent, valid_traceparent
from streams.agent import Agent, Context, Delivery, Outgoing
from streams.topics import DOCUMENTS_SUBMITTED, TENANT_NAME, Topic

_INBOX = re.compile(rf"claw\.inbox\.({TENANT_NAME.pattern})\.v1$")


class Inbound(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``data`` of an inbox event. ``document_id`` defaults to the record's key, the knowledge base to the tenant's default one."""

    text: Annotated[str, Meta(min_length=1)]
    title: Annotated[str, Meta(max_length=500)] = ""
    document_id: DocumentId | None = None
    knowledge_base_id: Annotated[str, Meta(max_length=36)] = ""
    media_type: MediaType = "text/plain"
    metadata: Annotated[dict[str, Annotated[str, Meta(max_length=1000)]], Meta(max_length=32)] = field(default_factory=dict)


class InboxEvent(Struct, frozen=True, kw_only=True):
    """The CloudEvent an upstream system writes; ``type`` and other attributes are its own affair."""

    specversion: Annotated[str, Meta(pattern=r"^1\.0$")]
    id: Annotated[str, Meta(min_length=1, max_length=500)]
    source: Annotated[str, Meta(min_length=1, max_length=500)]
    type: Annotated[str, Meta(min_length=1, max_length=500)]
    traceparent: str = ""
    data: Inbound


_DECODER = msgspec.json.Decoder(InboxEvent)
_DOCUMENT_ID: msgspec.json.Decoder[str] = msgspec.json.Decoder(DocumentId)


def agent(
    inboxes: tuple[Topic, ...],
    *,
    has_knowledge_base: Callable[[str, str], Awaitable[bool]],
    text_bytes_max: int,
    random_bytes: Callable[[int], bytes],
) -> Agent:
    """``has_knowledge_base(tenant, id)`` guards against documents nobody could ever find."""

    async def step(delivery: Delivery, context: Context) -> Sequence[Outgoing]:
        tenant = tenant_of(delivery.place.topic)
        cause = ids.derived("inbox", *_place(delivery))
        if delivery.value is None:
            document = _document_id(delivery.key)
            knowledge_base = ids.default_knowledge_base(tenant)
            event: DocumentSubmitted | DocumentWithdrawn = DocumentWithdrawn(
                id=cause,
                source="/claw/admit",
                subject=ids.document_key(tenant, knowledge_base, document),
                time=context.clock.now(),
                tenant=tenant,
                traceparent=new_traceparent(random_bytes),
                data=Withdrawal(knowledge_base_id=knowledge_base, document_id=document, origin="inbox"),
            )
            return [Outgoing(DOCUMENTS_SUBMITTED, event)]
        inbound = decode(delivery.value, text_bytes_max=text_bytes_max)
        said = inbound.data
        knowledge_base = said.knowledge_base_id or ids.default_knowledge_base(tenant)
        if said.knowledge_base_id and not await has_knowledge_base(tenant, knowledge_base):
            raise Refused("not_found", f"data.knowledge_base_id: tenant {tenant} has no knowledge base {knowledge_base}")
        document = said.document_id or _document_id(delivery.key)
        event = DocumentSubmitted(
            id=cause,
            source="/claw/admit",
            subject=ids.document_key(tenant, knowledge_base, document),
            time=context.clock.now(),
            tenant=tenant,
            traceparent=inbound.traceparent if valid_traceparent(inbound.traceparent) else new_traceparent(random_bytes),
            causationid=inbound.id,
            data=Document(
                knowledge_base_id=knowledge_base,
                document_id=document,
                title=said.title or document,
                media_type=said.media_type,
                text=said.text,
                origin="inbox",
                metadata=said.metadata,
            ),
        )
        return [Outgoing(DOCUMENTS_SUBMITTED, event)]

    return Agent(name="admit", reads=inboxes, step=step, raw=True)


def tenant_of(topic: str) -> str:
    """The tenant an inbox topic belongs to; the physical name may carry a prefix."""
    match = _INBOX.search(topic)
    if match is None:
        raise Refused("event_malformed", f"{topic} is not the name of an inbox")
    return match[1]


def decode(value: bytes, *, text_bytes_max: int) -> InboxEvent:
    """The event, or Refused naming the field, the limit and so the remedy."""
    try:
        event = _DECODER.decode(value)
    except msgspec.DecodeError as error:
        raise Refused("event_malformed", f"not a CloudEvent 1.0 in structured JSON mode as docs/topics.md shows it: {error}") from error
    except UnicodeDecodeError as error:
        raise Refused("event_malformed", f"not UTF-8 at byte {error.start}") from error
    size = len(event.data.text.encode())
    if size > text_bytes_max:
        limit = f"{text_bytes_max} bytes of UTF-8"
        errors = (FieldError("data.text", "too long", limit),)
        raise Refused("document_too_large", f"data.text has {size} bytes, the limit is {limit}", errors=errors)
    return event


def _document_id(key: bytes | None) -> str:
    try:
        return _DOCUMENT_ID.decode(msgspec.json.encode((key or b"").decode()))
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Refused("event_malformed", f"the key must name the document: 1-200 printable characters, no slash ({error})") from error


def _place(delivery: Delivery) -> tuple[str, int, int]:
    place = delivery.place
    return place.topic, place.partition, place.offset
