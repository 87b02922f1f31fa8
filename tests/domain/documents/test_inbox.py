"""What upstream systems may send: the schema and the decoder agree."""

from pathlib import Path

import msgspec

from domain.documents.inbox import ACCEPTED
from schemas.inbox import schema

ROOT = Path(__file__).parents[3]


def test_the_schema_says_what_the_decoder_takes():
    """Every field with its limits, the accepted types, that one of three is needed, that a password never is."""
    written = schema()
    inbound = written["$defs"]["Inbound"]["properties"]
    assert set(written["$defs"]["InboxEvent"]["required"]) == {"specversion", "id", "source", "type"}
    assert set(ACCEPTED) <= set(inbound["media_type"]["enum"])
    assert inbound["password"]["not"] == {}
    assert len(written["$defs"]["Inbound"]["oneOf"]) == 3
    assert {each.get("type", each.get("$ref")) for each in written["$defs"]["InboxEvent"]["properties"]["data"]["anyOf"]} == {
        "string",
        "#/$defs/Inbound",
    }
    committed = ROOT / "docs" / "inbox.schema.json"
    assert msgspec.json.decode(committed.read_bytes()) == msgspec.json.decode(msgspec.json.encode(written)), "run `claw inbox schema`"
