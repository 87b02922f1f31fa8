"""The events of an inbox, written by an upstream system: CloudEvents 1.0, in structured JSON mode or in Kafka's binary mode (headers).

An event names a document and brings it as ``text``, as a file (``content_base64``, or the record's value in binary mode), or as the
``url`` of a page. A record without a value deletes.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from schemas.documents import DocumentId, FileType

ONE_OF = ("text", "content_base64", "url")

Title = Annotated[str, Meta(max_length=500)]
KnowledgeBaseId = Annotated[str, Meta(max_length=36, pattern="^[^/]*$")]
Filename = Annotated[str, Meta(max_length=255, description="The type is guessed from it when the content does not show it.")]
Required = Annotated[str, Meta(min_length=1, max_length=500)]
Never = Annotated[
    Any,
    Meta(
        description="Refused: records on a topic are not encrypted. Send encrypted files through the HTTP upload.",
        extra_json_schema={"not": {}},
    ),
]


class Inbound(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``data`` of an inbox event: exactly one of ``text``, ``content_base64`` and ``url``, and the document's metadata.

    ``document_id`` defaults to the event's subject, then to the record's key; ``knowledge_base_id`` to the tenant's default one.
    """

    text: Annotated[str, Meta(min_length=1, description="The document as text.")] | UnsetType = UNSET
    content_base64: Annotated[bytes, Meta(min_length=1, description="The document as a file of the type ``media_type``.")] | UnsetType = (
        UNSET
    )
    url: Annotated[str, Meta(max_length=2_048, pattern="^https?://", description="A public page to fetch.")] | UnsetType = UNSET
    title: Title = ""
    document_id: DocumentId | None = None
    knowledge_base_id: KnowledgeBaseId = ""
    media_type: Annotated[FileType, Meta(description="Empty: text/plain for ``text``, detected for a file.")] = ""
    filename: Filename = ""
    charset: Annotated[str, Meta(max_length=40, description="The charset of a file with text; empty: detected.")] = ""
    metadata: Annotated[
        dict[Annotated[str, Meta(max_length=100)], Annotated[str, Meta(max_length=1_000)]],
        Meta(max_length=32),
    ] = field(default_factory=dict)
    password: Never = UNSET


class Attributes(Struct, frozen=True, kw_only=True):
    """CloudEvents attributes, in binary mode the headers ``ce_<name>``; ``type`` and attributes not listed are ignored.

    ``title``, ``knowledgebaseid`` and ``filename`` are extensions: in binary mode a file has no other place for them.
    """

    specversion: Annotated[str, Meta(pattern=r"^1\.0$")]
    id: Required
    source: Required
    type: Required
    subject: Annotated[str, Meta(description="The document's id, unless ``data.document_id`` is given.")] = ""
    time: Annotated[Any, Meta(description="Not used.", extra_json_schema={"type": "string", "format": "date-time"})] = UNSET
    datacontenttype: str = ""
    traceparent: str = ""
    title: Title = ""
    knowledgebaseid: KnowledgeBaseId = ""
    filename: Filename = ""
    password: Never = UNSET


class InboxEvent(Attributes, frozen=True, kw_only=True):
    """The event in structured mode: ``data``, or a file of the type ``datacontenttype``: a text in ``data``, else in ``data_base64``."""

    data: (
        Inbound
        | Annotated[str, Meta(min_length=1, description="The file itself, when ``datacontenttype`` is a text type such as text/markdown.")]
        | UnsetType
    ) = UNSET
    data_base64: Annotated[bytes, Meta(min_length=1)] | UnsetType = UNSET


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of an inbox event in structured mode; ``$defs`` has ``Inbound``, which is also the value in binary mode
    when its content type is application/json.
    """
    generated = msgspec.json.schema(InboxEvent)
    generated["$defs"]["Inbound"]["oneOf"] = [{"required": [name]} for name in ONE_OF]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Claw inbox event", **generated}
