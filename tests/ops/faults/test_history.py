"""Records as they lie in the file."""

import io

import pytest

from ops.faults.history import ClientOperation, HistoryFullError, HistoryRecorder, content_digest, read_history
from tests.support.fault_histories import true_history

OPERATION = ClientOperation(begin=1.0, end=2.0, client="c", tenant="north", kind="search", outcome="ok")


def test_a_history_is_read_as_it_was_written(tmp_path):
    history, path = true_history(7), tmp_path / "history.jsonl"
    with path.open("wb") as file:
        recorder = HistoryRecorder(file)
        for record in history:
            recorder.add(record)
    assert list(read_history(path)) == list(history) == list(recorder.history)


def test_a_full_file_ends_the_recording():
    recorder = HistoryRecorder(io.BytesIO(), bytes_max=200)
    recorder.add(OPERATION)
    with pytest.raises(HistoryFullError):
        recorder.add(OPERATION)
    assert recorder.history.operations == [OPERATION]


def test_time_is_that_of_the_day_and_never_goes_back():
    ticks = iter((10.0, 11.0, 12.5))
    recorder = HistoryRecorder(io.BytesIO(), clock=lambda: next(ticks))
    first, second = recorder.now(), recorder.now()
    assert second - first == pytest.approx(1.5)
    assert first > 1.7e9


def test_what_is_measured_is_no_content():
    first = {"text": "a", "timings_ms": {"total": 1.0}, "question": {"asked_at": "2026", "id": 1}, "asked": {"partition": 0, "offset": 1}}
    second = {"asked": {"partition": 0, "offset": 9}, "question": {"id": 1, "asked_at": "2027"}, "text": "a", "timings_ms": {"total": 2.0}}
    assert content_digest(first) == content_digest(second)
    assert content_digest(first) != content_digest(first | {"text": "b"})
