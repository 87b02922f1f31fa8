"""What is held against the tasks of a run: a true record passes, every planted lie is found."""

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from ops.faults.evidence import SPEAKER
from ops.faults.history import TopicRecord
from ops.faults.task_checks import AGE_S_MAX, TaskEvidence, WorkedTask, count_ends, find_broken

CREATED = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def view(state: str = "SUCCESS", seconds: float = 5.0) -> dict[str, Any]:
    ended = datetime.fromtimestamp(CREATED.timestamp() + seconds, UTC).isoformat() if state in {"SUCCESS", "FAILURE"} else None
    return {"id": "t", "state": state, "ended_at": ended}


def task(*views: dict[str, Any]) -> WorkedTask:
    return WorkedTask(id="t", kind="vectorize_document", created_at=CREATED, views=views)


TRUE = TaskEvidence(tasks=[task(view())], expected={"document 1": "t"}, effects={"document 1: indexed": 1}, rebuilt={"t": view()})


def test_a_true_record_passes():
    assert list(find_broken(TRUE)) == []
    assert task(view(seconds=7.5)).age_s == 7.5
    later = view() | {"child_ids": ["u"]}
    assert list(find_broken(replace(TRUE, tasks=[task(view(), later)], rebuilt=None))) == [], "a retry is shown later"


def test_every_lie_is_found():
    for lie, words in (
        (replace(TRUE, expected={"document 2": "u"}), "there is no task u"),
        (replace(TRUE, tasks=[task()], rebuilt=None), "has not ended"),
        (replace(TRUE, tasks=[task(view(), view("FAILURE"))], rebuilt=None), "ended as FAILURE, SUCCESS"),
        (replace(TRUE, tasks=[task(view(), view("STARTED"))], rebuilt=None), "ended as STARTED, SUCCESS"),
        (replace(TRUE, tasks=[task(view(seconds=AGE_S_MAX + 1))], rebuilt=None), "took 1801 s"),
        (replace(TRUE, rebuilt={}), "another one after a rebuild"),
        (replace(TRUE, rebuilt={"t": view("FAILURE")}), "another one after a rebuild"),
        (replace(TRUE, effects={"message 3: received": 0}), "happened 0 times"),
        (replace(TRUE, effects={"question 3: charged": 2}), "happened 2 times"),
    ):
        (sentence,) = find_broken(lie)
        assert words in sentence


def record(kind: str, data: dict[str, Any], event_id: str = "1", source: str = SPEAKER) -> TopicRecord:
    value = {"id": event_id, "type": f"claw.{kind}.v1", "source": source, "data": data}
    return TopicRecord(topic="t", partition=0, offset=0, at=0.0, value=value)


def test_ends_count_once_however_often_their_event_is_there():
    indexed = {"state": "indexed", "task_id": "d"}
    message: dict[str, Any] = {"id": "r", "role": "assistant", "content": "x", "attempt": 1}
    ends = count_ends(
        [
            record("document.progressed", indexed),
            record("document.progressed", indexed | {"timings_ms": {"index": 3}}, "9"),
            record("document.progressed", {"state": "queued", "task_id": "d"}, "2"),
            record("document.progressed", {"state": "deleted", "task_id": "g"}, "3"),
            record("message.changed", message, "4"),
            record("message.changed", message | {"attempt": 2}, "5"),
            record("message.changed", message | {"summary": "s"}, "6", source="/claw/summarise"),
            record("usage.recorded", {"reply_id": "r", "purpose": "answer"}, "7"),
            record("usage.recorded", {"reply_id": "r", "purpose": "title"}, "8"),
            TopicRecord(topic="t", partition=0, offset=1, at=0.0),
        ]
    )
    assert ends == {"indexed": {"d": 1}, "deleted": {"g": 1}, "stored": {"r": 1}, "charged": {"r": 1}}
    assert count_ends([record("document.progressed", indexed | {"chunks": each}) for each in (1, 2)])["indexed"] == {"d": 2}
