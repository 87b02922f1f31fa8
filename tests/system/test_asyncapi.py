"""The served AsyncAPI document against the running stack: whoever reads the topics by it finds what it says."""

import json
from collections import Counter
from typing import Any

from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from claw_client import events
from tests.system.conftest import records

INBOX = "claw.inbox.tenant.v1"  # others write there, in other tests also what is malformed
CHECKED_MAX = 40  # of one message: other tests write thousands


async def test_every_record_on_the_log_is_as_the_document_says(up, client):
    """Broker, topics, keys, headers and values, of this test and of all that ran before it."""
    await client.submit("note", "The lighthouse of Amrum is 41.8 metres high.")
    await client.wait_indexed("note")
    conversation = await client.create_conversation()
    async with client.ask(conversation, "How high is the lighthouse of Amrum?") as answer:
        assert [sent.name async for sent in events(answer.content)][-1] == "completed"
    async with client.session.get("/schema/asyncapi.json") as served:
        document = await served.json()

    server = document["servers"]["kafka"]
    (scheme,) = [document["components"]["securitySchemes"][each["$ref"].rpartition("/")[2]] for each in server["security"]]
    assert (server["host"], server["protocol"], scheme["type"]) == (up.kafka.servers, "kafka", "scramSha512")
    topics = {each["address"]: each for each in document["channels"].values() if "kafka" in each["bindings"]}
    del topics[document["channels"][INBOX]["address"]]
    components, checked = document["components"], Counter[str]()
    for record in await records(up, *topics):
        message = components["messages"][_message_of(record, topics[record.topic], components["messages"])]
        checked[message["name"]] += 1
        if checked[message["name"]] > CHECKED_MAX:
            continue
        if record.key is not None:
            assert _mistakes(record.key.decode(errors="replace"), message["bindings"]["kafka"]["key"], components) == []
        headers = {name: value.decode(errors="replace") for name, value in record.headers}
        assert _mistakes(headers, message.get("headers", {}), components) == []
        if message["name"] not in ("Tombstone", "DeadLetter"):
            assert _mistakes(json.loads(record.value), message["payload"], components) == []
    assert {"claw.document.progressed.v1", "claw.chat.asked.v1", "claw.reply.completed.v1", "claw.message.changed.v1"} <= set(checked)


def _message_of(record: Any, channel: dict[str, Any], messages: dict[str, Any]) -> str:
    """The message of the channel that the record is."""
    if "DeadLetter" in channel["messages"]:
        return "DeadLetter"
    name = "Tombstone" if record.value is None else json.loads(record.value)["type"]
    (found,) = [each for each in channel["messages"] if messages[each]["name"] == name]
    return str(found)


def _mistakes(value: Any, schema: dict[str, Any], components: dict[str, Any]) -> list[str]:
    return [f"{each.json_path}: {each.message}" for each in Draft7Validator({**schema, "components": components}).iter_errors(value)]
