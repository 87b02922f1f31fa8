"""Real events of the product, as the checker sees them: names and fields that it reads are those of the schemas."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from ops.faults.collect import TOPICS, collect_records
from ops.faults.evidence import RunEvidence
from ops.faults.history import FaultHistory
from schemas.chats import (
    ChatAsked,
    ChatGrounded,
    Completed,
    Consumption,
    Extended,
    Grounding,
    Message,
    MessageChanged,
    Question,
    ReplyCompleted,
    ReplyExtended,
    UsageRecorded,
)
from schemas.documents import (
    Chunk,
    ChunkBatch,
    Document,
    DocumentChunked,
    DocumentEmbedded,
    DocumentProgressed,
    DocumentSubmitted,
    DocumentWithdrawn,
    EmbeddedBatch,
    Progress,
    Vectors,
    Withdrawal,
)
from schemas.events import Event, encode

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUESTION = Question(
    conversation_id="c",
    message_id="m",
    reply_id="r",
    user_id="u",
    content="?",
    knowledge_base_ids=("kb",),
    reply_partition=0,
    asked_at=NOW,
)
TEXT = "The lighthouse shows code-north-1-1 to the ships."


@dataclass
class Raw:
    """A record as the client library gives it."""

    topic: str
    value: bytes | None
    key: bytes = b"k"
    offset: int = 0
    partition: int = 0
    timestamp: int = 1_000
    headers: tuple[tuple[str, bytes], ...] = ()


def raw(topic: str, kind: type[Event], data: Any, subject: str, source: str = "/claw/generate", offset: int = 0) -> Raw:
    event = kind(id=f"{topic}-{offset}", source=source, subject=subject, time=NOW, tenant="t", traceparent="", data=data)
    return Raw(f"claw.{topic}.v1", encode(event), offset=offset)


@pytest.fixture
def evidence() -> RunEvidence:
    reply: dict[str, Any] = {"conversation_id": "c", "attempt": 1}
    document: dict[str, Any] = {"knowledge_base_id": "kb", "document_id": "d"}
    answer = Message(id="r", conversation_id="c", user_id="u", role="assistant", content=TEXT, created_at=NOW)
    usage = Consumption(user_id="u", conversation_id="c", reply_id="r", model="m", prompt_tokens=1, completion_tokens=1)
    found = [
        raw("chats.asked", ChatAsked, QUESTION, "c"),
        raw("chats.grounded", ChatGrounded, Grounding(question=QUESTION, query="?", keywords=(), passages=()), "c"),
        raw("chats.answered", ReplyExtended, Extended(seq=1, text=TEXT, **reply), "r"),
        raw("chats.answered", ReplyCompleted, Completed(text=TEXT, **reply), "r", offset=1),
        raw("messages.changed", MessageChanged, answer, "r"),
        raw("messages.changed", MessageChanged, answer, "r", source="/claw/digest", offset=1),
        raw("usage.recorded", UsageRecorded, usage, "u"),
        raw("dead-letters", ChatAsked, QUESTION, "c"),
        raw("documents.submitted", DocumentSubmitted, Document(title="d", text=TEXT, **document), "t/kb/d"),
        raw("documents.submitted", DocumentWithdrawn, Withdrawal(**document), "t/kb/d", offset=1),
        raw("documents.progressed", DocumentProgressed, Progress(version=0, state="indexed", **document), "t/kb/d"),
        Raw("claw.messages.changed.v1", None, offset=2),
        Raw("claw.dead-letters.v1", b"\xff no event", offset=1),
    ]
    return RunEvidence(FaultHistory.of(collect_records(found)))


def test_a_reply_is_gathered_from_all_its_topics(evidence: RunEvidence) -> None:
    reply = evidence.replies["r"]
    assert reply.end is not None
    assert (reply.end.type, reply.end.data["text"]) == ("reply.completed", TEXT)
    counts = [len(each) for each in (reply.asked, reply.grounded, reply.answered, reply.stored, reply.charged, reply.dead)]
    assert counts == [1, 1, 2, 1, 1, 1], "the summary that another agent added is no second message"


def test_a_document_is_gathered_with_the_tokens_of_its_versions(evidence: RunEvidence) -> None:
    document = evidence.documents["kb", "d"]
    assert document.tokens == {0: "code-north-1-1"}
    assert [each.offset for each in document.deletions] == [1]
    assert [each.data["state"] for each in document.progressed] == ["indexed"]


def test_batches_are_kept_without_texts_and_vectors() -> None:
    batch = ChunkBatch(
        knowledge_base_id="kb",
        document_id="d",
        version=3,
        lane="express",
        title="d",
        first=0,
        total=2,
        last=True,
        chunks=(Chunk(ordinal=0, text=TEXT), Chunk(ordinal=1, text=TEXT)),
    )
    vectors = (Vectors(dense="AAAA", indices="", values=""), Vectors(dense="", indices="", values=""))
    embedded = EmbeddedBatch(batch=batch, model="m", vectors=vectors)
    chunked, record = collect_records(
        [raw("documents.chunked", DocumentChunked, batch, "k"), raw("documents.embedded", DocumentEmbedded, embedded, "k")]
    )
    assert chunked.data == {"document_id": "d", "version": 3, "first": 0, "total": 2, "again": False, "earlier": False, "visible": -1}
    assert record.data == chunked.data | {"reused": 1}
    assert TEXT not in str(record)
    again = raw("documents.embedded", DocumentEmbedded, EmbeddedBatch(batch=batch, model="m", vectors=vectors[1:] * 2), "k")
    assert next(iter(collect_records([again]))).digest == record.digest, "a vector that is left out is that of an earlier version"
    assert chunked.digest != record.digest


def test_every_topic_that_the_checker_reads_is_collected() -> None:
    names = {topic.name for topic in TOPICS}
    read = "documents.submitted documents.queued.express documents.queued.bulk documents.queued.slow documents.progressed chats.asked"
    read += " chats.grounded chats.answered messages.changed usage.recorded dead-letters"
    assert {f"claw.{name}.v1" for name in read.split()} <= names
