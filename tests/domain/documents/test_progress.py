"""Progress: the bytes that each constructor puts on the log. They are released: a reader of today's log must find them unchanged."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from domain.documents import progress
from schemas import ids
from schemas.documents import (
    Chunk,
    ChunkBatch,
    Document,
    DocumentSubmitted,
    DocumentWithdrawn,
    Note,
    Progress,
    Removal,
    Withdrawal,
    Work,
)
from schemas.errors import ClawError
from schemas.events import encode

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TRACE = "00-11111111111111111111111111111111-2222222222222222-01"
PROBLEM = ClawError("why", code="event_failed").problem()
DOCUMENT = Document(knowledge_base_id="kb", document_id="d", title="T", text="four", media_type="text/markdown")
ENVELOPE: dict[str, Any] = {"id": "e", "source": "/claw/test", "subject": "acme/kb/d", "time": NOW, "tenant": "acme", "traceparent": TRACE}
SUBMITTED = DocumentSubmitted(**ENVELOPE, data=DOCUMENT)
WITHDRAWN = DocumentWithdrawn(**ENVELOPE, data=Withdrawal(knowledge_base_id="kb", document_id="d"))
WORK = Work(version=7, lane="bulk", task_id="task", document=DOCUMENT, visible=3)
BATCH = ChunkBatch(
    knowledge_base_id="kb",
    document_id="d",
    version=7,
    lane="bulk",
    title="T",
    media_type="text/markdown",
    bytes=4,
    task_id="task",
    first=0,
    total=2,
    last=True,
    chunks=(Chunk(ordinal=0, text="four"),),
    notes=(Note("page_unreadable", "pages 3"),),
    visible=3,
)
TASK = ids.task_id("e")
EMPTY = {
    "title": "",
    "media_type": "",
    "lane": "express",
    "bytes": 0,
    "chunks": 0,
    "removed": 0,
    "task_id": "",
    "cause": None,
    "done": 0,
    "notes": [],
    "visible": -1,
    "slow": False,
    "retries": 0,
    "retry_at": None,
}
CAUSE = msgspec.to_builtins(PROBLEM)
KNOWN = {"title": "T", "media_type": "text/markdown", "lane": "bulk", "bytes": 4}


@pytest.mark.parametrize(
    ("made", "fields"),
    [
        (progress.refusal("kb", "d", PROBLEM), {"version": -1, "state": "failed", "lane": "bulk", "cause": CAUSE}),
        (
            progress.dispatch_failure(SUBMITTED, 7, PROBLEM),
            {"version": 7, "state": "failed", "title": "T", "task_id": TASK, "cause": CAUSE},
        ),
        (progress.dispatch_failure(WITHDRAWN, 7, PROBLEM), {"version": 7, "state": "failed", "task_id": TASK, "cause": CAUSE}),
        (progress.stall(SUBMITTED, 7, "bulk", PROBLEM), {"version": 7, "state": "failed", **KNOWN, "task_id": TASK, "cause": CAUSE}),
        (progress.deletion(WITHDRAWN, 7), {"version": 7, "state": "deleted", "task_id": TASK}),
        (
            progress.points_removal(Removal(knowledge_base_id="kb", document_id="d", version=7, blobs=("b",)), 5),
            {"version": 7, "state": "deleted", "removed": 5},
        ),
        (progress.work_progress(WORK, "queued"), {"version": 7, "state": "queued", **KNOWN, "task_id": "task", "visible": 3}),
        (
            progress.work_progress(WORK, "unchanged", chunks=2, done=2, cause=PROBLEM),
            {"version": 7, "state": "unchanged", **KNOWN, "chunks": 2, "task_id": "task", "cause": CAUSE, "done": 2, "visible": 3},
        ),
        (
            progress.batch_progress(BATCH, "indexed", removed=1, done=2, cause=PROBLEM),
            {
                "version": 7,
                "state": "indexed",
                **KNOWN,
                "chunks": 2,
                "removed": 1,
                "task_id": "task",
                "cause": CAUSE,
                "done": 2,
                "notes": [{"code": "page_unreadable", "detail": "pages 3"}],
                "visible": 3,
            },
        ),
    ],
)
def test_every_constructor_sets_its_fields_and_no_other(made: Progress, fields: dict[str, object]):
    expected = {"knowledge_base_id": "kb", "document_id": "d", "version": None, "state": None, **EMPTY, **fields}
    assert msgspec.json.encode(made) == msgspec.json.encode(expected)


def test_the_event_comes_from_its_cause_and_a_repeat_has_the_same_id():
    said = progress.deletion(WITHDRAWN, 7)
    first, repeat, other = (progress.progress_event(WITHDRAWN, "route", said, NOW, ordinal=n) for n in (0, 0, 9))
    assert encode(first.event) == encode(repeat.event)
    assert first.event.id != other.event.id
    assert (first.topic.name, first.event.source, first.event.causationid) == ("claw.documents.progressed.v1", "/claw/route", "e")
    assert (first.event.subject, first.event.tenant, first.event.traceparent) == ("acme/kb/d", "acme", TRACE)


@pytest.mark.parametrize(
    ("title", "filename", "shown", "explicit"),
    [("Handbook", "h.pdf", "Handbook", "Handbook"), ("d", "h.pdf", "h.pdf", ""), ("d", "", "d", "")],
)
def test_what_a_document_is_called_before_it_was_read(title: str, filename: str, shown: str, explicit: str) -> None:
    """A failed document keeps the name of its file."""
    document = msgspec.structs.replace(DOCUMENT, title=title, filename=filename)
    assert (progress.shown_title(document), progress.explicit_title(document)) == (shown, explicit)
    failed = progress.work_progress(msgspec.structs.replace(WORK, document=document), "failed", cause=PROBLEM)
    assert failed.title == shown
