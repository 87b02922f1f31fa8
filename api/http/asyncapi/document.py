"""The document as a whole: derived from the areas' topics, so that what is served cannot differ from what is written."""

from collections.abc import Iterator, Sequence
from typing import Any

from api.http.asyncapi import messages, servers, websocket
from api.http.asyncapi.schemas import describe, pascal
from domain.areas import AREAS, TOPICS
from domain.documents.topics import inbox_topic
from schemas.events import Event
from schemas.inbox import ONE_OF, Inbound, InboxEvent
from schemas.settings import KafkaSettings, Settings
from streams.topics import DEAD_LETTERS, Topic

VERSION = "0.1.0"
INBOX = "claw.inbox.tenant.v1"  # the channel of every inbox; its address has the tenant as a parameter
INBOX_TOPIC = inbox_topic("{tenant}")
BINDING_VERSION = "0.5.0"
AREA_OF = {topic.name: area.name for area in AREAS for topic in area.topics} | {
    DEAD_LETTERS.name: "dead letters",
    INBOX_TOPIC.name: "documents",
}

DESCRIPTION = """The topics of Claw and its WebSocket: for analysts who read events, upstream systems that write documents, and clients.

The value of a record is a CloudEvents 1.0 event in structured JSON mode. Delivery is at least once: de-duplicate by `id`. A released field
never changes its meaning, and new ones may be added: ignore fields that you do not know. An inbox is read in the binary content mode too.

`send` and `receive` are said of Claw: it receives from an inbox what an upstream system writes there. What one of its processes sends and
another one receives is open to everybody whom the broker lets read it."""


def document(settings: Settings, *, private: bool = False) -> dict[str, Any]:
    """The whole document for these settings; ``private``: with the topics that analysts may not read."""
    topics = [topic for topic in TOPICS if private or not topic.private]
    carriers = _carriers(topics)
    kinds = [*carriers, InboxEvent, Inbound, *websocket.KINDS]
    references, schemas = describe(kinds)
    payloads = dict(zip(kinds, references, strict=True))
    schemas[Inbound.__name__]["oneOf"] = [{"$id": f"{Inbound.__name__}{pascal(name)}", "required": [name]} for name in ONE_OF]
    websocket.name_bodies(schemas)
    examples = messages.read_examples()
    return {
        "asyncapi": "3.0.0",  # what every tool reads; 3.1 has nothing that is needed here
        "id": "urn:claw",
        "info": {
            "title": "Claw",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "tags": [{"name": name} for name in dict.fromkeys((*AREA_OF.values(), websocket.TAG))],
        },
        "defaultContentType": messages.STRUCTURED,
        "servers": servers.broker_servers(settings.kafka) | servers.websocket_server(settings.node),
        "channels": {
            **{topic.name: _channel(topic, settings.kafka, messages.names_of(topic)) for topic in topics},
            INBOX: _inbox_channel(settings.kafka),
            **websocket.channels(),
        },
        "operations": dict(_operations(topics)) | websocket.operations(),
        "components": {
            "messages": {
                **{event.__name__: messages.event_message(event, topic, payloads[event], examples) for event, topic in carriers.items()},
                **messages.inbox_messages(INBOX_TOPIC, payloads, examples),
                messages.DEAD_LETTER: messages.dead_letter_message(examples),
                messages.TOMBSTONE: messages.tombstone_message(examples),
                **websocket.messages(payloads, examples),
            },
            "schemas": schemas | messages.value_schemas() | messages.header_schemas(),
            "securitySchemes": servers.broker_schemes(settings.kafka) | servers.websocket_schemes(),
        },
    }


def _carriers(topics: Sequence[Topic]) -> dict[type[Event], Topic]:
    """Every event with the first topic that carries it."""
    carriers: dict[type[Event], Topic] = {}
    for topic in topics:
        for event in topic.types() if topic.events is not None else ():
            carriers.setdefault(event, topic)
    return carriers


def _channel(topic: Topic, kafka: KafkaSettings, names: Sequence[str]) -> dict[str, Any]:
    readers = f" Read by {', '.join(topic.readers)}." if topic.readers else ""
    return {
        "address": kafka.topic_prefix + topic.name,
        "title": topic.name,
        "summary": topic.summary,
        "description": f"Key: {topic.key}. Written by {', '.join(topic.owners)}.{readers}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "servers": [{"$ref": f"#/servers/{name}"} for name in servers.broker_servers(kafka)],
        "tags": [{"name": AREA_OF[topic.name]}],
        "bindings": {
            "kafka": {
                "topic": kafka.topic_prefix + topic.name,
                "partitions": topic.partitions(kafka),
                "replicas": kafka.replication_factor,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _inbox_channel(kafka: KafkaSettings) -> dict[str, Any]:
    tenant = {"description": "The tenant that owns the documents: `claw inbox list` names those that have an inbox.", "examples": ["acme"]}
    return _channel(INBOX_TOPIC, kafka, messages.INBOX) | {"parameters": {"tenant": tenant}}


def _configuration(topic: Topic) -> dict[str, Any]:
    """The topic's configuration in the binding's types."""
    return {
        name: value.split(",") if name == "cleanup.policy" else int(value) if value.isdecimal() else value
        for name, value in topic.configuration().items()
    }


def _operations(topics: Sequence[Topic]) -> Iterator[tuple[str, dict[str, Any]]]:
    for topic in topics:
        yield _operation("send", topic, topic.name, topic.owners)
        if topic.readers:
            yield _operation("receive", topic, topic.name, topic.readers)
    yield _operation("receive", INBOX_TOPIC, INBOX, INBOX_TOPIC.readers)


def _operation(action: str, topic: Topic, channel: str, processes: Sequence[str]) -> tuple[str, dict[str, Any]]:
    operation = {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "title": f"{action.capitalize()} {channel}",
        "summary": topic.summary,
        "description": f"By {', '.join(processes)}.",
        "tags": [{"name": AREA_OF[topic.name]}],
    }
    return f"{action}.{channel}", operation
