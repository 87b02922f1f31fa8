"""The data of events: described, of one schema each, and complete."""

import msgspec
import pytest
from msgspec import Struct

from schemas.bodies.streams import NOTICE_EVENTS, PROGRESS_EVENTS, REPLY_EVENTS, SOCKET_EVENTS, ChatCompletionChunk


@pytest.mark.parametrize("events", [REPLY_EVENTS, PROGRESS_EVENTS])
def test_an_event_is_described_under_its_name(events: dict[str, type[Struct]]):
    for name, kind in events.items():
        if kind.__module__ == "schemas.bodies.streams":
            assert str(kind.__doc__).startswith(f"``{name}``: ")


def test_the_socket_sends_every_event():
    sent = {name.partition(".")[2] for name in SOCKET_EVENTS if "." in name}
    assert sent == {*REPLY_EVENTS, *PROGRESS_EVENTS, *NOTICE_EVENTS}
    for name, kind in SOCKET_EVENTS.items():
        schema = msgspec.json.schema(kind)["$defs"]
        assert any(name == each.get("properties", {}).get("type", {}).get("default") for each in schema.values()) or "." in name


def test_a_chunk_leaves_out_what_it_does_not_add():
    chunk = msgspec.json.decode(
        b'{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"f","choices":'
        b'[{"index":0,"delta":{"content":"25"},"logprobs":null,"finish_reason":null}]}',
        type=ChatCompletionChunk,
    )
    assert msgspec.json.encode(chunk.choices[0].delta) == b'{"content":"25"}'
    assert chunk.usage is msgspec.UNSET
