"""Every example is a record: it has the schema that is written beside it, and the product's own decoders read it."""

from email.message import Message
from typing import Any

import msgspec
import pytest
from aiokafka import ConsumerRecord

from api.http.asyncapi.messages import read_examples
from domain.areas import TOPICS
from domain.dead_letters import dead_letter_reader
from domain.documents.inbox import InboxDocument, SizeLimits, parse_document, parse_withdrawal
from schemas.bodies.socket import FRAMES
from schemas.bodies.streams import SOCKET_EVENTS
from schemas.events import encode
from schemas.settings import KafkaSettings
from streams.dead_letters.writer import HEADERS
from streams.topics import decoder
from tests.support.asyncapi_document import MESSAGES, mistakes

SIZES = SizeLimits(1_000_000, 1_000_000)
CARRIED = [(event.__name__, topic) for topic in TOPICS if topic.events is not None for event in topic.types()]


def examples(*names: str) -> list[Any]:
    return [
        pytest.param(name, example, id=f"{name}-{example['name']}") for name in names or MESSAGES for example in MESSAGES[name]["examples"]
    ]


def record_of(example: dict[str, Any]) -> tuple[bytes, dict[str, bytes]]:
    """Value and headers as they lie on the topic."""
    headers, payload = example.get("headers", {}), example["payload"]
    kind = Message()
    kind["content-type"] = headers.get("content-type", "application/json")
    if isinstance(payload, str) and kind.get_content_type() != "application/json":
        value = payload.encode(kind.get_content_charset("utf-8"))
    else:
        value = msgspec.json.encode(payload)
    return value, {name: text.encode() for name, text in headers.items()}


@pytest.mark.parametrize(("name", "example"), examples())
def test_an_example_has_the_schema_of_its_message(name: str, example: dict[str, Any]):
    message = MESSAGES[name]
    assert mistakes(example["payload"], message["payload"]) == []
    if "headers" in message:
        assert mistakes(example.get("headers", {}), message["headers"]) == []
    else:
        assert "headers" not in example
    for key in message.get("bindings", {}).get("kafka", {}).get("key", {}).get("examples", ()):
        assert mistakes(key, message["bindings"]["kafka"]["key"]) == []


@pytest.mark.parametrize(("name", "topic"), CARRIED)
def test_events_are_read_by_their_topic_and_written_as_the_schema_says(name, topic):
    """Also what is written today, with all its defaults, and its key; all topics of an event have the same key."""
    message = MESSAGES[name]
    assert topic.key in message["bindings"]["kafka"]["key"]["description"]
    for example in message["examples"]:
        event = decoder(topic).decode(msgspec.json.encode(example["payload"]))
        assert type(event).__name__ == name
        assert decoder(topic).decode(encode(event)) == event
        assert mistakes(msgspec.json.decode(encode(event)), message["payload"]) == []
        assert mistakes(event.subject, message["bindings"]["kafka"]["key"]) == []


def test_a_refusal_at_the_inbox_has_a_key_of_its_own():
    """It would replace the state of the document's versions on the compacted topic."""
    key = MESSAGES["DocumentProgressed"]["bindings"]["kafka"]["key"]
    assert mistakes("acme/base/article-17/refused", key) == []
    assert mistakes("acme/base/article-17/more", key) != []
    assert mistakes("acme/base/article-17/refused", MESSAGES["DocumentQueued"]["bindings"]["kafka"]["key"]) != []


@pytest.mark.parametrize(("name", "example"), examples("InboxEvent", "InboxDocument", "InboxFile"))
def test_the_inbox_takes_its_examples(name: str, example: dict[str, Any]):
    value, headers = record_of(example)
    document = parse_document(b"article-17", value, headers, SIZES)
    assert isinstance(document, InboxDocument)
    assert document.document_id == "article-17"
    assert bool(document.text) + bool(document.content) + bool(document.url) == 1
    if name == "InboxFile":
        assert (document.content, document.title) == (value, example["headers"]["ce_title"])


def test_an_inbox_record_without_a_value_deletes():
    (example,) = MESSAGES["InboxDeletion"]["examples"]
    assert example["payload"] is None
    assert parse_withdrawal(b"article-17", {}).document_id == "article-17"


def test_a_dead_letter_is_read_with_its_cause():
    (example,) = MESSAGES["DeadLetter"]["examples"]
    value, headers = record_of(example)
    reader = dead_letter_reader(KafkaSettings())
    record = ConsumerRecord("claw.dead-letters.v1", 0, 0, 0, 0, b"article-17", value, None, 10, len(value), tuple(headers.items()))
    letter = reader._parse(record)
    assert (letter.tenant, letter.agent, letter.code, letter.attempts) == ("acme", "admit", "event_malformed", 1)
    assert set(letter.headers) == {"content-type"}
    assert set(HEADERS) <= set(headers)


@pytest.mark.parametrize(("name", "kind"), list((FRAMES | SOCKET_EVENTS).items()))
def test_frames_are_read_and_written_as_the_schema_says(name: str, kind: Any):
    message = MESSAGES[f"socket.{name}"]
    assert message["examples"]
    for example in message["examples"]:
        frame = msgspec.json.decode(msgspec.json.encode(example["payload"]), type=kind)
        assert mistakes(msgspec.json.decode(msgspec.json.encode(frame)), message["payload"]) == []


def test_examples_belong_to_messages():
    assert set(read_examples()) == set(MESSAGES)
