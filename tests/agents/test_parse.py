"""Batches of chunks: bounded, complete, in order; parts of a batch whose vectors are too many for one event."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.children.worker import ParsedDocument, ParserDied
from adapters.parsing.core.source import DocumentSource
from adapters.redis.client import RedisClient
from agents import embed, parse
from domain.documents.lanes import LaneRequest, Lanes
from domain.documents.topics import DOCUMENTS_QUEUED_SLOW
from domain.documents.visibility import Visibility
from schemas.documents import Chunk, Document, DocumentChunked, DocumentQueued, Vectors, Work
from schemas.errors import Refused, Unavailable
from schemas.settings import DocumentSettings, RetrievalSettings
from tests.support.ports import context, header

KEY = "acme/kb/doc"


def queued(**fields) -> DocumentQueued:
    document = Document(**{"knowledge_base_id": "kb", "document_id": "doc", "title": "doc", "text": "x"} | fields)
    return DocumentQueued(**header("q", KEY), data=Work(version=3, lane="bulk", document=document, content_hash="ab", earlier=True))


def outcome(count: int, title: str = "A heading") -> ParsedDocument:
    chunks = [Chunk(ordinal=n, text=f"chunk {n}", hash=f"{n:032x}") for n in range(count)]
    return ParsedDocument(title=title, media_type="text/plain", chars=9, chunks=chunks, vectors=[], notes=())


@given(st.lists(st.integers(1, 90_000), max_size=200))
def test_batches_are_bounded_and_nothing_is_lost(sizes):
    chunks = [Chunk(ordinal=n, text="x" * size) for n, size in enumerate(sizes)]
    parts = list(parse.split(chunks))
    assert [chunk for part in parts for chunk in part] == chunks
    for part in parts:
        assert len(part) <= parse.BATCH_CHUNKS_MAX
        assert len(part) == 1 or sum(len(msgspec.json.encode(chunk)) for chunk in part) <= parse.BATCH_BYTES_MAX


def test_batches_say_where_they_stand():
    outgoing = parse.chunk_events(queued(), outcome(130), context())
    batches = [each.event.data for each in outgoing]
    assert [(b.first, len(b.chunks), b.last, b.total) for b in batches] == [(0, 64, False, 130), (64, 64, False, 130), (128, 2, True, 130)]
    assert {(b.title, b.content_hash, b.earlier) for b in batches} == {("A heading", "ab", True)}  # the id is no title
    assert len({each.event.id for each in outgoing}) == 3


def test_a_document_is_called_what_its_owner_calls_it_then_what_it_calls_itself_then_by_its_file():
    assert next(parse.batches(queued(title="Mine"), outcome(1))).title == "Mine"
    assert next(parse.batches(queued(filename="a.pdf"), outcome(1, title=""))).title == "a.pdf"
    assert next(parse.batches(queued(), outcome(1, title=""))).title == "doc"


@given(count=st.integers(1, 64), dimensions=st.sampled_from([256, 1024, 4096, 8192]), last=st.booleans())
def test_vectors_fit_their_events(count, dimensions, last):
    batch = msgspec.structs.replace(next(parse.batches(queued(), outcome(count))), last=last)
    vectors = [Vectors(dense="A" * (dimensions * 16 // 3), indices="AAAA", values="AAAA")] * count
    parts = list(embed.split_batch(batch, vectors))
    assert [chunk for part, _ in parts for chunk in part.chunks] == list(batch.chunks)
    assert [part.first for part, _ in parts] == [part.chunks[0].ordinal for part, _ in parts]
    assert [part.last for part, _ in parts] == [False] * (len(parts) - 1) + [last]
    assert all(len(rows) == len(part.chunks) for part, rows in parts)
    assert all(sum(len(row.dense) for row in rows) <= embed.EVENT_BYTES_MAX for _, rows in parts)


class _Worker:
    """Children that a document ends."""

    async def parse(self, *_: object, **__: object) -> ParsedDocument:
        raise ParserDied("document_too_complex", "it took too long")


class _Slow:
    """Children that are at work on a document for ever."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    async def parse(self, *_: object, **__: object) -> ParsedDocument:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        raise AssertionError


class _Sources:
    @asynccontextmanager
    async def open_document(self, *_: object, **__: object) -> AsyncIterator[DocumentSource]:
        yield DocumentSource(text="x")


async def test_a_document_that_ends_its_parser_sends_its_tenant_to_the_slow_queue(redis: RedisClient, prefix: str) -> None:
    """With what waits in other queues, too; there it is parsed, and others are not touched."""
    lanes = Lanes(redis, prefix, 60, time.monotonic)
    step = parse.Parse(_Worker(), _Sources(), Visibility(redis, prefix), lanes, RetrievalSettings(), DocumentSettings())  # type: ignore[arg-type]
    await lanes.enter_many([LaneRequest("acme", "acme/kb/next", 3, awaited=False)])
    with pytest.raises(Refused, match="too long"):
        await step.step(queued(), context())
    waiting = msgspec.structs.replace(queued(), subject="acme/kb/next")
    progressed, moved = await step.step(waiting, context())
    assert (progressed.event.data.state, progressed.event.data.slow) == ("queued", True)
    assert (moved.topic, moved.event.data.slow, moved.event.data.version) == (DOCUMENTS_QUEUED_SLOW, True, 3)
    assert await redis.execute_command("ZCARD", f"{prefix}:bulk:{{acme}}") == 0
    with pytest.raises(Refused, match="too long"):
        await step.step(moved.event, context())  # type: ignore[arg-type]  # it is the document once more
    with pytest.raises(Refused, match="too long"):
        await step.step(msgspec.structs.replace(queued(), subject="other/kb/doc", tenant="other"), context())


async def test_a_page_that_is_away_sends_its_version_back_to_the_queue(redis: RedisClient, prefix: str) -> None:
    """Its lane has room meanwhile; the last time it fails, and nobody asks later for work that only fills a hidden collection."""
    lanes, event = Lanes(redis, prefix, 60, time.monotonic), queued()
    await lanes.enter_many([LaneRequest(event.tenant, event.subject, event.data.version, awaited=False)])
    settings = DocumentSettings(retries_max=1)
    step = parse.Parse(_Worker(), _Sources(), Visibility(redis, prefix), lanes, RetrievalSettings(), settings)  # type: ignore[arg-type]
    assert step.agent("parse_bulk", DOCUMENTS_QUEUED_SLOW, 1).postpone == step.postpone
    problem = Unavailable("url_unreachable", "it answers 503").problem()
    later = await step.postpone(event, problem, context())
    assert later is not None
    assert [(each.event.data.state, each.event.data.retries, each.event.data.cause) for each in later] == [("queued", 1, problem)]
    assert await redis.execute_command("ZCARD", f"{prefix}:bulk:{{acme}}") == 0
    for changed in ({"retries": 1}, {"quiet": True}):
        other = msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, **changed))
        assert await step.postpone(other, problem, context()) is None
    again = msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, retries=1))
    batch = next(parse.batches(again, outcome(1)))
    assert batch.retries == 1
    chunked = DocumentChunked(**header("c", KEY), data=batch)
    embedder = embed.EmbedChunks(_Worker(), Visibility(redis, prefix), lanes, 1, settings)  # type: ignore[arg-type]
    assert await embedder.postpone(chunked, problem, context()) is None, "it was retried while it was parsed"
    chunked = msgspec.structs.replace(chunked, data=msgspec.structs.replace(batch, retries=0))
    assert await embedder.postpone(chunked, problem, context()) is not None


@pytest.mark.parametrize("how", ["cancelled", "replaced", "deleted"])
async def test_a_parser_that_nobody_wants_any_more_is_ended(
    redis: RedisClient, prefix: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its version was cancelled, replaced or deleted meanwhile: no event follows, and its lane has room again."""
    monkeypatch.setattr(parse, "WANTED_EVERY_S", 0.02)
    visibility, worker, event = Visibility(redis, prefix), _Slow(), queued()
    lanes = Lanes(redis, prefix, 60, time.monotonic)
    await lanes.enter_many([LaneRequest(event.tenant, event.subject, event.data.version, awaited=False)])
    await visibility.record_submission(event.subject, event.data.version)
    ports = parse.Parse(worker, _Sources(), visibility, lanes, RetrievalSettings(), DocumentSettings())  # type: ignore[arg-type]
    step = asyncio.create_task(ports.step(event, context()))
    await worker.begun.wait()
    if how == "cancelled":
        assert await visibility.cancel(event.subject, event.data.version)
    elif how == "replaced":
        await visibility.record_submission(event.subject, event.data.version + 1)
    else:
        await visibility.record_withdrawal(event.subject, event.data.version + 1)
    assert await step == []
    assert worker.ended.is_set()
    assert await redis.execute_command("ZCARD", f"{prefix}:bulk:{{{event.tenant}}}") == 0
