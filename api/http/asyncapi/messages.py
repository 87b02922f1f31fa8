"""The messages of the AsyncAPI document: of every event, of an inbox in both content modes, of dead letters and of tombstones.

Examples are recordings of released events (tests/golden): `claw reference` copies them into ``examples.json``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from api.http.asyncapi.schemas import Schema, summary_of
from schemas.events import Event
from schemas.inbox import Attributes, Inbound, InboxEvent
from streams.dead_letters.writer import HEADERS, OPTIONAL_HEADERS
from streams.log.publisher import CONTENT_TYPE
from streams.topics import DEAD_LETTERS, Topic

STRUCTURED = "application/cloudevents+json"
INBOX_EVENT, INBOX_DOCUMENT, INBOX_FILE, INBOX_DELETION = "InboxEvent", "InboxDocument", "InboxFile", "InboxDeletion"
INBOX = (INBOX_EVENT, INBOX_DOCUMENT, INBOX_FILE, INBOX_DELETION)
DEAD_LETTER, TOMBSTONE = "DeadLetter", "Tombstone"
BINDING = {"bindingVersion": "0.5.0"}
TEXT: Schema = {"type": "string"}

Message = dict[str, Any]
Examples = Mapping[str, Sequence[Mapping[str, Any]]]


def read_examples() -> Examples:
    """Name, headers and payload of every example, by its message."""
    return msgspec.json.decode(Path(__file__).with_name("examples.json").read_bytes(), type=dict[str, list[dict[str, Any]]])


def names_of(topic: Topic) -> tuple[str, ...]:
    """The messages of a topic's records."""
    if topic is DEAD_LETTERS:
        return (DEAD_LETTER,)
    return (*(event.__name__ for event in topic.types()), *((TOMBSTONE,) if topic.tombstones else ()))


def event_message(event: type[Event], topic: Topic, payload: Schema, examples: Examples) -> Message:
    """The message of an event; every topic that carries it has the same key."""
    recorded = examples.get(event.__name__, ())
    return {
        "name": event.type_name(),
        "title": event.__name__,
        "summary": summary_of(event),
        "contentType": STRUCTURED,
        "headers": _reference("EventHeaders"),
        "payload": payload,
        "bindings": {"kafka": {"key": _key(topic, [each["payload"]["subject"] for each in recorded[:1]]), **BINDING}},
        "examples": list(recorded),
    }


def inbox_messages(topic: Topic, payloads: Mapping[type, Schema], examples: Examples) -> dict[str, Message]:
    """What an upstream system may write: an event in structured mode, or in binary mode a document in JSON or a file, or a deletion."""
    structured = "In structured mode: the event with its attributes is the value."
    document = "In binary mode, with a content type of JSON: the attributes are headers, the value is what `data` is in structured mode."
    file = "In binary mode, with any other content type: the attributes are headers, the value is the file."
    deletion = "A record without a value deletes the document that its key, or `ce_subject`, names."
    messages = {
        INBOX_EVENT: (structured, STRUCTURED, "InboxEventHeaders", payloads[InboxEvent]),
        INBOX_DOCUMENT: (document, "application/json", "InboxBinaryHeaders", payloads[Inbound]),
        INBOX_FILE: (file, "application/octet-stream", "InboxBinaryHeaders", _reference(INBOX_FILE)),
        INBOX_DELETION: (deletion, "application/octet-stream", "InboxDeletionHeaders", _reference(TOMBSTONE)),
    }
    return {
        name: {
            "name": name,
            "title": name,
            "summary": summary,
            "contentType": content_type,
            "headers": _reference(headers),
            "payload": payload,
            "bindings": {"kafka": {"key": _key(topic, ["article-17"]), **BINDING}},
            "examples": list(examples.get(name, ())),
        }
        for name, (summary, content_type, headers, payload) in messages.items()
    }


def dead_letter_message(examples: Examples) -> Message:
    """A dead letter, whose value is whatever could not be processed."""
    return {
        "name": DEAD_LETTER,
        "title": DEAD_LETTER,
        "summary": "A record that could not be processed: its origin and the cause are in the headers.",
        "contentType": "application/octet-stream",
        "headers": _reference("DeadLetterHeaders"),
        "payload": _reference(DEAD_LETTER),
        "bindings": {"kafka": {"key": {"description": f"Byte for byte: {DEAD_LETTERS.key}; null where the record had none."}, **BINDING}},
        "examples": list(examples.get(DEAD_LETTER, ())),
    }


def tombstone_message(examples: Examples) -> Message:
    """A null value on a compacted topic."""
    return {
        "name": TOMBSTONE,
        "title": TOMBSTONE,
        "summary": "A record without a value: the record of its key was deleted, and compaction removes what the topic still has of it.",
        "contentType": "application/octet-stream",
        "payload": _reference(TOMBSTONE),
        "bindings": {"kafka": {"key": {**TEXT, "description": "The key of the deleted record."}, **BINDING}},
        "examples": list(examples.get(TOMBSTONE, ())),
    }


def value_schemas() -> dict[str, Schema]:
    """The schemas of values that are no struct."""
    described = {
        INBOX_FILE: {"type": "string", "format": "binary", "description": "The file, byte for byte."},
        DEAD_LETTER: {"description": "The value of the original record, byte for byte: any content, or null."},
        TOMBSTONE: {"type": "null", "description": "No value."},
    }
    return {name: {"title": name, **schema} for name, schema in described.items()}


def header_schemas() -> dict[str, Schema]:
    """The schemas of record headers; a header's value is text in UTF-8."""
    name, value = CONTENT_TYPE
    binary, required = _binary_headers()
    structured = {"content-type": {**TEXT, "description": f"`{STRUCTURED}`, with any parameters; without the header it is the same."}}
    return {
        "EventHeaders": _headers({name: {**TEXT, "const": value.decode()}}, [name]),
        "InboxEventHeaders": _headers(structured, []),
        "InboxBinaryHeaders": _headers(binary, required),
        "InboxDeletionHeaders": _headers({each: binary[each] for each in ("ce_subject", "ce_knowledgebaseid", "ce_id")}, []),
        "DeadLetterHeaders": {
            **_headers(
                {header: {**TEXT, "description": detail} for header, detail in (*HEADERS.items(), *OPTIONAL_HEADERS.items())}, [*HEADERS]
            ),
            "patternProperties": {"^original-": {**TEXT, "description": "A header of the original record."}},
        },
    }


def _binary_headers() -> tuple[dict[str, Schema], list[str]]:
    attributes = msgspec.json.schema(Attributes)["$defs"]["Attributes"]
    properties = {f"ce_{name}": schema for name, schema in attributes["properties"].items()}
    properties["content-type"] = {
        **TEXT,
        "description": "The type of the value, with any parameters; or else `ce_datacontenttype`. Without both only a JSON object is read.",
    }
    return properties, [f"ce_{name}" for name in attributes["required"]]


def _headers(properties: dict[str, Schema], required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _key(topic: Topic, examples: list[str]) -> Schema:
    """``tenant/kb[/more]`` and the like are joined parts that have no slash themselves; what stands in brackets may follow."""
    joined = {"pattern": _joined(topic.key)} if topic.key.startswith("tenant/") else {}
    return {**TEXT, "description": f"In UTF-8: {topic.key}.", **joined, "examples": examples}


def _joined(key: str) -> str:
    parts, _, optional = key.removesuffix("]").partition("[")
    return "^" + "/".join(["[^/]+"] * len(parts.split("/"))) + (f"({optional})?" if optional else "") + "$"


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
