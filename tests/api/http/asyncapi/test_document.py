"""The document as a whole: valid, complete for every topic, nothing in it that is not asked for."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from api.http.asyncapi.document import INBOX, document
from domain.areas import TOPICS
from domain.documents.topics import inbox_topic
from schemas.settings import KafkaSettings, Settings, WorkerSettings
from schemas.settings.section import Secret
from streams.topics import DEAD_LETTERS, Topic
from tests.support.asyncapi_document import DOCUMENT, MESSAGES, SETTINGS, follow, references

SPECIFICATION = json.loads(Path(__file__).with_name("asyncapi-3.0.0.json").read_bytes())
LATER_THAN_DRAFT_07 = {"$defs", "prefixItems", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems"}


def names(node: Any) -> set[str]:
    """Every name of a member in it."""
    if isinstance(node, dict):
        return {*node} | {name for value in node.values() for name in names(value)}
    return {name for value in node for name in names(value)} if isinstance(node, list) else set()


@pytest.mark.parametrize("private", [False, True])
def test_it_follows_the_specification(private: bool):
    found = Draft7Validator(SPECIFICATION).iter_errors(document(Settings(), private=private))
    assert [f"{error.json_path}: {error.message[:300]}" for error in found] == []


def test_every_reference_leads_somewhere_and_every_component_is_used():
    pointed = set(references(DOCUMENT))
    for reference in pointed:
        follow(reference)
    for kind in ("messages", "schemas", "securitySchemes"):
        unused = {name for name in DOCUMENT["components"][kind] if f"#/components/{kind}/{name}" not in pointed}
        assert unused == set()


def test_schemas_are_of_the_dialect_of_asyncapi():
    """JSON Schema draft-07, in which a reference hides its neighbours."""
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft7Validator.check_schema(schema)
        assert not names(schema) & LATER_THAN_DRAFT_07, name
        assert not re.search(r'"\$ref": "[^"]*", |, "\$ref"', json.dumps(schema)), name
        assert name.isidentifier(), "generators of code make a type of it"
        assert '"propertyName"' not in json.dumps(schema), f"{name} has a discriminator of OpenAPI"


@pytest.mark.parametrize("topic", [*TOPICS, inbox_topic("{tenant}")], ids=lambda topic: topic.name)
class TestTopic:
    def channel(self, topic: Topic) -> dict[str, Any]:
        channel: dict[str, Any]
        (channel,) = [each for each in DOCUMENT["channels"].values() if each["address"] == f"eu.{topic.name}"]
        return channel

    def test_has_its_configuration(self, topic: Topic):
        """Partitions, replicas and every line of the configuration, in the binding's types."""
        binding = self.channel(topic)["bindings"]["kafka"]
        assert (binding["partitions"], binding["replicas"]) == (topic.partitions(SETTINGS.kafka), SETTINGS.kafka.replication_factor)
        configured = {
            name: ",".join(value) if isinstance(value, list) else str(value) for name, value in binding["topicConfiguration"].items()
        }
        assert configured == topic.configuration()

    def test_has_a_message_with_schema_key_and_example_for_every_event(self, topic: Topic):
        """And no other message but for records without a value; the example's type is the event's."""
        found = {follow(each["$ref"])["name"]: follow(each["$ref"]) for each in self.channel(topic)["messages"].values()}
        events = () if topic.events is None else topic.types()
        assert {event.type_name() for event in events} <= set(found)
        assert ("Tombstone" in found) == (topic.tombstones and topic.events is not None)
        for event in events:
            message = found[event.type_name()]
            assert follow(message["payload"]["$ref"])["properties"]["type"]["const"] == event.type_name()
            assert {each["payload"]["type"] for each in message["examples"]} == {event.type_name()}
        for message in found.values():
            assert message["summary"]
            assert message["examples"]
            assert message["payload"]
            assert topic.key in message["bindings"]["kafka"]["key"]["description"] or message["name"] == "Tombstone"

    def test_has_an_operation_for_each_direction_that_names_its_processes(self, topic: Topic):
        """Of an inbox Claw is the reader only."""
        channel = self.channel(topic)
        found = {
            each["action"]: each["description"] for each in DOCUMENT["operations"].values() if follow(each["channel"]["$ref"]) is channel
        }
        expected = {"receive": f"By {', '.join(topic.readers)}."} | {"send": f"By {', '.join(topic.owners)}."}
        assert found == {action: text for action, text in expected.items() if text != "By upstream."}


def test_an_inbox_has_both_content_modes_and_its_tenant_as_a_parameter():
    channel = DOCUMENT["channels"][INBOX]
    assert channel["address"] == "eu.claw.inbox.{tenant}.v1"
    assert set(channel["parameters"]) == {"tenant"}
    assert set(channel["messages"]) == {"InboxEvent", "InboxDocument", "InboxFile", "InboxDeletion"}
    binary = follow(MESSAGES["InboxFile"]["headers"]["$ref"])
    assert {"ce_specversion", "ce_id", "ce_source", "ce_type"} == set(binary["required"])
    assert {"ce_title", "ce_filename", "ce_knowledgebaseid", "content-type"} <= set(binary["properties"])
    assert len(DOCUMENT["components"]["schemas"]["Inbound"]["oneOf"]) == 3


def test_dead_letters_have_headers():
    (message,) = DOCUMENT["channels"][DEAD_LETTERS.name]["messages"].values()
    assert "code" in follow(follow(message["$ref"])["headers"]["$ref"])["required"]


def test_private_topics_and_settings_stay_out():
    """Neither credentials of the broker nor the names of tenants are for everybody who may read the document."""
    kafka = KafkaSettings(
        bootstrap="broker:9092", security_protocol="SASL_SSL", sasl_username="claw-user", sasl_password=Secret("hunter2-secret")
    )
    public = json.dumps(document(Settings(kafka=kafka, lanes=WorkerSettings(inbox_tenants="default,acme-secret-tenant"))))
    for hidden in ("claw-user", "hunter2", "acme-secret-tenant", "secret_hash", "claw.credential", "claw.invitation"):
        assert hidden not in public
    assert {topic.name for topic in TOPICS if topic.private} <= set(DOCUMENT["channels"])
