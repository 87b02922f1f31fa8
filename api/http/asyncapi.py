"""The topics and the WebSocket as an AsyncAPI 3.0 document, generated from ``streams.topics`` and the structs of frames: what is served
cannot differ from what is written.
"""

from typing import Any

import msgspec

from api.http import asyncapi_socket
from domain.areas import TOPICS
from domain.documents.topics import inbox_topic
from schemas.inbox import EVENT as INBOX_EVENT
from schemas.inbox import InboxEvent
from schemas.settings import KafkaSettings
from streams.topics import Topic

VERSION = "0.1.0"
CONTENT_TYPE = "application/cloudevents+json"


def document(kafka: KafkaSettings, inbox_tenants: tuple[str, ...]) -> dict[str, Any]:
    """The whole document; topics that analysts may not read are left out, addresses carry the installation's prefix."""
    public = [topic for topic in TOPICS if not topic.private]
    events = [event for topic in public if topic.events is not None for event in topic.types()]
    schemas, components = msgspec.json.schema_components(events, ref_template="#/components/schemas/{name}")
    names = {event: _name(schema) for event, schema in zip(events, schemas, strict=True)}
    channels = {
        topic.name: _channel(topic, kafka, [names[e] for e in topic.types()] if topic.events is not None else []) for topic in public
    }
    for tenant in inbox_tenants:
        channels[inbox_topic(tenant).name] = _channel(inbox_topic(tenant), kafka, [INBOX_EVENT])
    socket = asyncapi_socket.describe()
    inbound = msgspec.json.schema_components([InboxEvent], ref_template="#/components/schemas/{name}")[1]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Claw topics",
            "version": VERSION,
            "description": "Every value is a CloudEvents 1.0 event in structured JSON mode. De-duplicate by `id`.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": channels | socket["channels"],
        "operations": _operations(public) | socket["operations"],
        "components": {
            "messages": {
                name: {
                    "name": event.type_name(),
                    "summary": _summary(event),
                    "contentType": CONTENT_TYPE,
                    "payload": {"$ref": f"#/components/schemas/{name}"},
                }
                for event, name in names.items()
            }
            | {INBOX_EVENT: _inbox_message()}
            | socket["messages"],
            "schemas": components | inbound | socket["schemas"],
        },
    }


def _inbox_message() -> dict[str, Any]:
    """In binary mode the attributes are headers ``ce_*`` and the value is ``data``, or the file itself."""
    return {
        "name": INBOX_EVENT,
        "summary": "A document from an upstream system, in structured mode; in binary mode the value is `data` in JSON or the file itself.",
        "contentType": CONTENT_TYPE,
        "payload": {"$ref": f"#/components/schemas/{INBOX_EVENT}"},
    }


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[-1]


def _summary(event: type) -> str:
    return (event.__doc__ or "").strip().split("\n", maxsplit=1)[0]


def _channel(topic: Topic, kafka: KafkaSettings, messages: list[str]) -> dict[str, Any]:
    return {
        "address": kafka.topic_prefix + topic.name,
        "description": f"{topic.summary} Key: {topic.key}. Written by {', '.join(topic.owners)}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions(kafka),
                "replicas": kafka.replication_factor,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": "0.5.0",
            }
        },
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    """The part of the topic's configuration that the Kafka binding knows."""
    configuration: dict[str, Any] = {"max.message.bytes": topic.message_bytes_max}
    if topic.retention_ms is None:
        return configuration | {"cleanup.policy": ["compact"]}
    return configuration | {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms}


def _operations(topics: list[Topic]) -> dict[str, Any]:
    return {
        f"{owner.replace(' ', '-')}:{topic.name}": {"action": "send", "channel": {"$ref": f"#/channels/{topic.name}"}}
        for topic in topics
        for owner in topic.owners
    }
