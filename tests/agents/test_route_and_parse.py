from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agents import parse, route
from schemas.documents import Chunk, Document, DocumentQueued, DocumentSubmitted, DocumentWithdrawn, Withdrawal, Work
from streams.agent import Agent
from streams.topics import DOCUMENTS_EMBEDDED, DOCUMENTS_PROGRESSED, DOCUMENTS_QUEUED_BULK, DOCUMENTS_QUEUED_EXPRESS
from tests.agents.ports import context, header

KEY = "acme/kb/doc"


@dataclass
class Records:
    """The visibility record's calls."""

    in_flight: int = 1
    calls: list[tuple[str, str, int]] = field(default_factory=list)

    async def submitted(self, key: str, version: int) -> None:
        self.calls.append(("submitted", key, version))

    async def withdrawn(self, key: str, version: int) -> None:
        self.calls.append(("withdrawn", key, version))

    async def enter(self, tenant: str, key: str, version: int) -> int:
        return self.in_flight


def _agent(records: Any) -> Agent:
    return route.agent(records)


def _submitted(origin: Any = "api") -> DocumentSubmitted:
    document = Document(knowledge_base_id="kb", document_id="doc", title="t", text="正文", origin=origin)
    return DocumentSubmitted(**header("s", KEY), data=document)


async def test_the_offset_is_the_version_and_people_go_first():
    records = Records()
    progressed, queued = await _agent(records).step(_submitted(), context(offset=41))
    assert records.calls == [("submitted", KEY, 41)]
    assert progressed.topic is DOCUMENTS_PROGRESSED
    assert progressed.event.data.state == "queued"
    assert queued.topic is DOCUMENTS_QUEUED_EXPRESS
    assert queued.event.data.version == 41
    assert queued.event.data.task_id == progressed.event.data.task_id


async def test_machines_and_crowds_go_to_bulk():
    _, by_machine = await _agent(Records()).step(_submitted("inbox"), context())
    _, of_crowd = await _agent(Records(in_flight=65)).step(_submitted(), context())
    _, at_the_limit = await _agent(Records(in_flight=64)).step(_submitted(), context())
    assert by_machine.topic is DOCUMENTS_QUEUED_BULK
    assert of_crowd.topic is DOCUMENTS_QUEUED_BULK
    assert at_the_limit.topic is DOCUMENTS_QUEUED_EXPRESS


async def test_a_withdrawal_hides_at_once_and_asks_for_the_removal():
    records = Records()
    event = DocumentWithdrawn(**header("w", KEY), data=Withdrawal(knowledge_base_id="kb", document_id="doc"))
    progressed, removal = await _agent(records).step(event, context(offset=50))
    assert records.calls == [("withdrawn", KEY, 50)]
    assert progressed.event.data.state == "deleted"
    assert removal.topic is DOCUMENTS_EMBEDDED
    assert removal.event.data.version == 50


@given(st.lists(st.integers(1, 90_000), max_size=200))
def test_batches_are_bounded_and_nothing_is_lost(sizes):
    chunks = [Chunk(ordinal=n, text="x" * size) for n, size in enumerate(sizes)]
    parts = list(parse.split(chunks))
    assert [chunk for part in parts for chunk in part] == chunks
    for part in parts:
        assert len(part) <= parse.BATCH_CHUNKS_MAX
        assert len(part) == 1 or sum(len(msgspec.json.encode(chunk)) for chunk in part) <= parse.BATCH_BYTES_MAX


def test_batches_say_where_they_stand():
    document = Document(knowledge_base_id="kb", document_id="doc", title="doc", text="x")
    event = DocumentQueued(**header("q", KEY), data=Work(version=3, lane="bulk", document=document))
    chunks = [Chunk(ordinal=n, text=f"chunk {n}") for n in range(130)]
    outgoing = parse.batches(event, "A heading", chunks, context())
    batches = [each.event.data for each in outgoing]
    assert [(b.first, len(b.chunks), b.last, b.total) for b in batches] == [(0, 64, False, 130), (64, 64, False, 130), (128, 2, True, 130)]
    assert {b.title for b in batches} == {"A heading"}  # the id is no title
    assert len({each.event.id for each in outgoing}) == 3
