import json

import pytest

from agents import admit
from schemas import ids
from schemas.documents import DocumentSubmitted, DocumentWithdrawn
from schemas.errors import Refused
from streams.agent import Delivery, Place
from streams.topics import inbox
from tests.agents.ports import context

KNOWN = "6f1b8a52-6a5a-5d0e-9a2c-0d6ad1f1a111"


async def _has(tenant: str, knowledge_base: str) -> bool:
    return (tenant, knowledge_base) == ("acme", KNOWN)


AGENT = admit.agent((inbox("acme"),), has_knowledge_base=_has, text_bytes_max=1000, random_bytes=bytes)


def _delivery(value: bytes | None, key: bytes | None = b"handbook", topic: str = "x.claw.inbox.acme.v1") -> Delivery:
    return Delivery(place=Place(topic, 1, 42), key=key, value=value, timestamp_ms=0, headers={})


def _event(**data: object) -> bytes:
    return json.dumps({"specversion": "1.0", "id": "1", "source": "/wiki", "type": "saved", "data": {"text": "正文", **data}}).encode()


async def test_the_tenant_is_in_the_topics_name_never_in_the_event():
    """A field that anyone can write does not choose the tenant."""
    value = json.loads(_event())
    value["tenant"] = "victim"
    (out,) = await AGENT.step(_delivery(json.dumps(value).encode()), context())
    event = out.event
    assert isinstance(event, DocumentSubmitted)
    assert event.tenant == "acme"
    assert event.subject == ids.document_key("acme", ids.default_knowledge_base("acme"), "handbook")
    assert event.data.origin == "inbox"
    assert event.causationid == "1"


async def test_a_repeat_gives_the_same_event():
    """The id comes from the record's place, so a redelivery is recognisable."""
    first = await AGENT.step(_delivery(_event()), context())
    second = await AGENT.step(_delivery(_event()), context())
    assert first[0].event.id == second[0].event.id


async def test_null_deletes():
    (out,) = await AGENT.step(_delivery(None), context())
    assert isinstance(out.event, DocumentWithdrawn)
    assert out.event.data.document_id == "handbook"


@pytest.mark.parametrize(
    ("value", "key", "code", "named"),
    [
        (b"not json", b"k", "event_malformed", "CloudEvent"),
        (b"\xff\xfe", b"k", "event_malformed", ""),
        (_event(tenant="x"), b"k", "event_malformed", "tenant"),
        (_event(text=""), b"k", "event_malformed", "data.text"),
        (_event(text="x" * 1001), b"k", "document_too_large", "1000 bytes"),
        (_event(media_type="image/png"), b"k", "event_malformed", "media_type"),
        (_event(document_id="a/b"), b"k", "event_malformed", "document_id"),
        (_event(), None, "event_malformed", "key"),
        (_event(), b"a/b", "event_malformed", "key"),
        (_event(knowledge_base_id=ids.default_knowledge_base("other")), b"k", "not_found", "knowledge_base_id"),
        (_event().replace(b'"1.0"', b'"0.3"'), b"k", "event_malformed", "specversion"),
    ],
)
async def test_what_is_malformed_is_refused_by_name(value, key, code, named):
    with pytest.raises(Refused) as refused:
        await AGENT.step(_delivery(value, key), context())
    assert refused.value.code == code
    assert named in refused.value.detail


async def test_a_known_knowledge_base_is_taken():
    (out,) = await AGENT.step(_delivery(_event(knowledge_base_id=KNOWN)), context())
    assert out.event.data.knowledge_base_id == KNOWN


async def test_a_topic_that_is_no_inbox_is_refused():
    with pytest.raises(Refused):
        await AGENT.step(_delivery(_event(), topic="claw.chats.asked.v1"), context())
