"""Parses inbox records: CloudEvents in structured JSON mode and in Kafka's binary mode, into one shape.

Refusals name the field and the accepted values; the sender reads them in the document's progress.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Struct

from domain.documents.topics import TENANT_NAME
from schemas import ids
from schemas.documents import ID_CHARS_MAX, PATH_STEPS, DocumentId, FileType
from schemas.errors import FieldError, Refused
from schemas.inbox import ONE_OF, Attributes, Inbound, InboxEvent

STRUCTURED = "application/cloudevents"
JSON = "application/json"
BOM = b"\xef\xbb\xbf"
REGISTRY_BYTES = 5  # a zero and the schema's number: what serializers of a schema registry put before the JSON
UNTYPED = ("application/octet-stream", "binary/octet-stream")  # type unknown: detected from the content
UTF8 = ("", "utf-8", "utf8", "us-ascii", "ascii")
ACCEPTED: tuple[str, ...] = tuple(filter(None, get_args(FileType)))
PASSWORD_DETAIL = "records on a topic are not encrypted, so a password must not be in one; send encrypted files through the HTTP upload"  # noqa: S105

_INBOX = re.compile(rf"claw\.inbox\.({TENANT_NAME.pattern})\.v1$")
_EVENT = msgspec.json.Decoder(InboxEvent)
_INBOUND = msgspec.json.Decoder(Inbound)
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """Limits in bytes: of text in UTF-8, of a file."""

    text_bytes_max: int
    file_bytes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxDocument:
    """A document as its sender gave it: exactly one of ``text``, ``content`` and ``url``. An empty string: not given."""

    event_id: str
    traceparent: str
    document_id: str
    knowledge_base_id: str
    title: str
    media_type: FileType
    text: str = ""
    content: bytes = b""
    url: str = ""
    filename: str = ""
    charset: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """Which document a record is about; ``event_id`` is the CloudEvent's, as far as it is known."""

    knowledge_base_id: str
    document_id: str
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class WithdrawalRef:
    """What a record without a value deletes. ``document_id`` is "" when the key is no id: ``refusal`` says why, unless the key is the
    record key of a document. ``by_key``: documents with this record key are deleted, too.
    """

    knowledge_base_id: str
    document_id: str
    event_id: str
    by_key: bool
    refusal: Refused | None = None


@dataclass(frozen=True, slots=True)
class RecordNames:
    """The names in a record of either mode, whatever else is malformed: text of its sender, not checked. "": not given."""

    document_id: Any = None  # in ``data``
    subject: Any = ""
    knowledge_base_id: Any = ""
    event_id: Any = ""


def tenant_of(topic: str) -> str:
    """The tenant an inbox topic belongs to; the physical name may carry a prefix. Raises Refused for any other topic."""
    match = _INBOX.search(topic)
    if match is None:
        raise Refused("event_malformed", f"{topic} is not the name of an inbox")
    return match[1]


def is_inbox(topic: str) -> bool:
    """Whether this is the (physical) name of an inbox."""
    return _INBOX.search(topic) is not None


def parse_document(key: bytes | None, value: bytes, headers: Mapping[str, bytes], sizes: SizeLimits) -> InboxDocument:
    """The document in a record that has a value; raises Refused."""
    texts = _text_headers(headers)
    content_type = texts.get("content-type", "")
    if _is_binary(texts, content_type):
        content_type = content_type or texts.get("ce_datacontenttype", "")
        attributes = _convert({name[3:]: text for name, text in texts.items() if name.startswith("ce_")}, Attributes, "ce_")
        attributes = msgspec.structs.replace(attributes, traceparent=attributes.traceparent or texts.get("traceparent", ""))
        _refuse_password(attributes, "ce_password")
        if _is_json(content_type, value):
            return _build_from_json(attributes, _decode_document(value, content_type), key, sizes, "")
        return _build_from_file(attributes, value, content_type, key, sizes, ("content-type", "the value"))
    if _media_type(content_type).startswith(STRUCTURED + "-batch"):
        raise Refused("event_malformed", "content-type: batches of CloudEvents are not read; send one event a record")
    event = _decode(_EVENT, _to_utf8(value, content_type), "a CloudEvent 1.0 in structured JSON mode as docs/upstream.md shows it")
    _refuse_password(event, "password")
    if not event.datacontenttype and not _media_type(content_type).startswith(STRUCTURED):
        # CloudEvents' SDK for Python up to 1.x takes the attribute out of the event and writes it as the record's content type
        event = msgspec.structs.replace(event, datacontenttype=content_type)
    if event.data is not UNSET and event.data_base64 is not UNSET:
        raise _field_refusal("data", "data and data_base64 exclude each other")
    if event.data_base64 is not UNSET:
        if _is_json(event.datacontenttype, event.data_base64):
            return _build_from_json(event, _decode_document(event.data_base64, event.datacontenttype), key, sizes, "data_base64.")
        return _build_from_file(event, event.data_base64, event.datacontenttype, key, sizes, ("datacontenttype", "data_base64"))
    if event.data is UNSET:
        raise _field_refusal("data", "is required: the document; a record without a value deletes")
    if isinstance(event.data, str):
        return _build_from_text(event, event.data, key, sizes)
    return _build_from_json(event, event.data, key, sizes, "data.")


def parse_withdrawal(key: bytes | None, headers: Mapping[str, bytes]) -> WithdrawalRef:
    """What a record without a value deletes: the document ``ce_subject``, else all that the key names, in ``ce_knowledgebaseid`` or the
    default knowledge base. Raises Refused.
    """
    texts = _text_headers(headers)
    attributes = {"specversion": "1.0", "id": "-", "source": "-", "type": "-", "knowledgebaseid": texts.get("ce_knowledgebaseid", "")}
    base, event_id, subject = _convert(attributes, Attributes, "ce_").knowledgebaseid, texts.get("ce_id", ""), texts.get("ce_subject", "")
    try:
        return WithdrawalRef(base, _parse_document_id(None, subject, key), event_id, by_key=not subject)
    except Refused as refusal:
        if subject or not key:
            raise
        return WithdrawalRef(base, "", event_id, by_key=True, refusal=refusal)


def identify_document(tenant: str, key: bytes | None, value: bytes | None, headers: Mapping[str, bytes]) -> DocumentRef | None:
    """The document of ``tenant`` that a record is about, also when it is malformed; None when that is unknown."""
    names = find_names(value, headers)
    try:
        document_id = _parse_document_id(names.document_id, names.subject, key)
        base = msgspec.convert({"knowledge_base_id": names.knowledge_base_id or ""}, Inbound).knowledge_base_id
    except (Refused, msgspec.ValidationError):
        return None
    event_id = names.event_id[:500] if isinstance(names.event_id, str) else ""
    return DocumentRef(base or ids.default_knowledge_base(tenant), document_id, event_id)


def find_names(value: bytes | None, headers: Mapping[str, bytes]) -> RecordNames:
    """The names in a record, as far as it can be read; raises nothing."""
    try:
        texts = _text_headers(headers)
    except Refused:
        texts = {}
    loose = _LooseEvent()
    if value:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            loose = msgspec.json.decode(value.removeprefix(BOM), type=_LooseEvent)
    data = loose.data if isinstance(loose.data, dict) else {"document_id": loose.document_id, "knowledge_base_id": loose.knowledge_base_id}
    binary = _is_binary(texts, texts.get("content-type", ""))
    in_headers = binary or value is None
    return RecordNames(
        document_id=data.get("document_id"),
        subject=texts.get("ce_subject", "") if in_headers else loose.subject,
        knowledge_base_id=data.get("knowledge_base_id") or (texts.get("ce_knowledgebaseid", "") if in_headers else loose.knowledgebaseid),
        event_id=texts.get("ce_id", "") if binary else loose.id,
    )


class _LooseEvent(Struct):
    """The names in an event of either mode, whatever else is malformed."""

    id: Any = ""
    subject: Any = ""
    knowledgebaseid: Any = ""
    data: Any = None
    document_id: Any = None
    knowledge_base_id: Any = None


def _is_binary(texts: Mapping[str, str], content_type: str) -> bool:
    return not _media_type(content_type).startswith(STRUCTURED) and any(name.startswith("ce_") for name in texts)


def _text_headers(headers: Mapping[str, bytes]) -> dict[str, str]:
    """The headers that matter here, as text: names are compared without regard to case."""
    texts = {}
    for name, raw in headers.items():
        lower = name.lower()
        lower = f"ce_{lower[3:]}" if lower.startswith("ce-") else lower  # as HTTP writes them
        if lower.startswith("ce_") or lower in ("content-type", "traceparent"):
            try:
                texts[lower] = (raw or b"").decode()
            except UnicodeDecodeError as error:
                raise Refused("event_malformed", f"header {lower}: not UTF-8 at byte {error.start}") from error
    return texts


def _build_from_json(attributes: Attributes, inbound: Inbound, key: bytes | None, sizes: SizeLimits, at: str) -> InboxDocument:
    _refuse_password(inbound, f"{at}password")
    present = [name for name in ONE_OF if getattr(inbound, name) is not UNSET]
    if len(present) != 1:
        found = f"{' and '.join(present)} exclude each other" if present else "it brings no document"
        raise _field_refusal(f"{at}text", f"{found}; give exactly one of {', '.join(ONE_OF)}")
    text = inbound.text if inbound.text is not UNSET else ""
    content = inbound.content_base64 if inbound.content_base64 is not UNSET else b""
    media_type: FileType = inbound.media_type or ("text/plain" if text else "")
    if text and not media_type.startswith("text/"):
        raise Refused("document_type_unsupported", f"{at}media_type: {media_type} is no text; send the file in {at}content_base64")
    _check_size(f"{at}text", len(text.encode()), sizes.text_bytes_max, "bytes of UTF-8")
    _check_size(f"{at}content_base64", len(content), sizes.file_bytes_max, "bytes")
    return InboxDocument(
        event_id=attributes.id,
        traceparent=attributes.traceparent,
        document_id=_parse_document_id(inbound.document_id, attributes.subject, key),
        knowledge_base_id=inbound.knowledge_base_id or attributes.knowledgebaseid,
        title=inbound.title or attributes.title,
        media_type=media_type,
        text=text,
        content=content,
        url=_check_url(inbound.url, f"{at}url") if inbound.url is not UNSET else "",
        filename=inbound.filename or attributes.filename,
        charset=inbound.charset,
        metadata=inbound.metadata,
    )


def _build_from_text(event: InboxEvent, text: str, key: bytes | None, sizes: SizeLimits) -> InboxDocument:
    """A text is the file when its type is one: what a file in binary mode becomes in structured mode."""
    media_type = _media_type(event.datacontenttype)
    if not media_type.startswith("text/") or _is_json(media_type):
        said = media_type or "missing, so JSON"
        hint = "; it has JSON in a string: send the object itself" if text.lstrip()[:1] == "{" else ""
        raise _field_refusal("data", f"a string is read as the file only with a text type; datacontenttype is {said[:100]}{hint}")
    return _build_from_file(event, text.encode(), f"{media_type}; charset=utf-8", key, sizes, ("datacontenttype", "data"))


def _build_from_file(
    attributes: Attributes, content: bytes, content_type: str, key: bytes | None, sizes: SizeLimits, fields: tuple[str, str]
) -> InboxDocument:
    """``fields``: the names of the content type and of the content in this mode."""
    type_field, content_field = fields
    if not content:
        raise Refused("document_empty", f"{content_field} is empty; a null value deletes the document")
    media_type = _media_type(content_type)
    if media_type not in (*ACCEPTED, *UNTYPED):
        reason = f"{media_type} is not read" if media_type else "is required"
        accepted = ", ".join((*ACCEPTED, UNTYPED[0]))
        error = FieldError(type_field, reason, accepted)
        raise Refused("document_type_unsupported", f"{type_field}: {reason}; accepted: {accepted}, or {JSON}", errors=(error,))
    _check_size(content_field, len(content), sizes.file_bytes_max, "bytes")
    return InboxDocument(
        event_id=attributes.id,
        traceparent=attributes.traceparent,
        document_id=_parse_document_id(None, attributes.subject, key),
        knowledge_base_id=attributes.knowledgebaseid,
        title=attributes.title,
        media_type=msgspec.convert("" if media_type in UNTYPED else media_type, FileType),
        content=content,
        filename=attributes.filename,
        charset=_charset(content_type),
    )


def _parse_document_id(own_id: Any, subject: Any, key: bytes | None) -> str:
    """The first of ``data.document_id``, the subject and the key that is there; raises Refused naming the one that is no id."""
    where, candidate = ("data.document_id", own_id) if own_id is not None else ("subject", subject)
    if not candidate:
        where = "the key"
        try:
            candidate = (key or b"").decode()
        except UnicodeDecodeError as error:
            raise Refused("event_malformed", f"the key must name the document in UTF-8 (byte {error.start} is not)") from error
    try:
        document_id: str = msgspec.convert(candidate, DocumentId)
    except msgspec.ValidationError as error:
        raise _id_refusal(where, candidate) from error
    if not document_id.isprintable():
        raise _id_refusal(where, candidate)
    return document_id


def _id_refusal(where: str, candidate: Any) -> Refused:
    if not isinstance(candidate, str):
        fault = "it is no text"
    elif not candidate:
        fault = "it is missing"
    elif len(candidate) > ID_CHARS_MAX:
        fault = f"it has {len(candidate)} characters"
    elif candidate in PATH_STEPS:
        fault = "it is a step of a path"
    else:
        fault = "it has a slash" if "/" in candidate else "it has a character that is not printable"
    elsewhere = "; any key will do when the event has a subject" if where == "the key" else ""
    return Refused(
        "event_malformed",
        f"{where} must name the document: 1-{ID_CHARS_MAX} printable characters, no slash, not . or ..; {fault}{elsewhere}",
    )


def _check_url(url: str, where: str) -> str:
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or parts.username is not None
    except ValueError as error:
        raise Refused("url_refused", f"{where}: not an address ({error})") from error
    if secret:
        raise Refused("url_refused", f"{where}: {PASSWORD_DETAIL}")
    if not parts.hostname:
        raise Refused("url_refused", f"{where}: names no host")
    return url


def _refuse_password(inbound: Attributes | Inbound, where: str) -> None:
    if inbound.password is not UNSET:
        raise _field_refusal(where, PASSWORD_DETAIL)


def _check_size(where: str, size: int, limit: int, unit: str) -> None:
    if size > limit:
        errors = (FieldError(where, "too long", f"{limit} {unit}"),)
        detail = f"{where} has {size} bytes, the limit is {limit} {unit}; split it, or upload it as a file through the HTTP API"
        raise Refused("document_too_large", detail, errors=errors)


def _field_refusal(where: str, detail: str) -> Refused:
    return Refused("event_malformed", f"{where}: {detail}", errors=(FieldError(where, detail),))


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _is_json(content_type: str, value: bytes = b"") -> bool:
    """Whether ``value`` is JSON; without a type it is when it looks like an object."""
    media_type = _media_type(content_type)
    if not media_type:
        return value.removeprefix(BOM).lstrip()[:1] == b"{"
    return media_type in (JSON, "text/json") or media_type.endswith("+json")


def _decode_document(value: bytes, content_type: str) -> Inbound:
    return _decode(_INBOUND, _to_utf8(value, content_type), "a document in JSON as docs/upstream.md shows it")


def _to_utf8(value: bytes, content_type: str) -> bytes:
    """JSON as it has to be: without a byte order mark, and in UTF-8 where the content type says something else."""
    charset = _charset(content_type).lower()
    if charset in UTF8:
        return value.removeprefix(BOM)
    try:
        return value.decode(charset).removeprefix("\ufeff").encode()
    except (LookupError, UnicodeError) as error:
        raise _field_refusal("content-type", f"the value is not JSON in the charset {charset}; send UTF-8") from error


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")[:40]
    return ""


def _decode(decoder: msgspec.json.Decoder[T], value: bytes, wanted: str) -> T:
    try:
        return decoder.decode(value)
    except msgspec.ValidationError as error:
        raise _validation_refusal(error, "") from error
    except (msgspec.DecodeError, RecursionError) as error:
        if value[:1] == b"\0" and value[REGISTRY_BYTES : REGISTRY_BYTES + 1] == b"{":
            detail = f"the value begins with the {REGISTRY_BYTES} bytes of a schema registry; send the JSON alone, with a plain serializer"
            raise Refused("event_malformed", detail) from error
        raise Refused("event_malformed", f"not {wanted}: {error}") from error
    except UnicodeDecodeError as error:
        raise Refused("event_malformed", f"not UTF-8 at byte {error.start}") from error


def _convert(values: Mapping[str, Any], kind: type[T], prefix: str) -> T:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise _validation_refusal(error, prefix) from error


def _validation_refusal(error: msgspec.ValidationError, prefix: str) -> Refused:
    """What msgspec found, with the field's name in front and, for a type of file, the types there are."""
    match = _PATH.search(str(error))
    where, reason = prefix + match[1] if match and match[1] else "", _reason(error)
    if where.endswith("media_type"):
        accepted = ", ".join(ACCEPTED)
        return Refused(
            "document_type_unsupported", f"{where}: {reason}; accepted: {accepted}", errors=(FieldError(where, reason, accepted),)
        )
    return _field_refusal(where or "the event", f"{reason}, as docs/upstream.md shows it")


def _reason(error: msgspec.ValidationError) -> str:
    return _PATH.sub("", str(error))
