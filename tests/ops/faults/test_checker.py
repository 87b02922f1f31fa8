"""The checker against histories of a model that keeps every promise, and against the same with one lie planted in each."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.faults.checker import PROMISES, check_history
from ops.faults.evidence import ReplyEvidence, RunEvidence
from ops.faults.history import (
    ClientOperation,
    FaultHistory,
    HistoryRecord,
    InjectedFault,
    ProviderCall,
    ReadinessSample,
    Sighting,
    StreamFrame,
    TopicRecord,
    content_digest,
)
from tests.support.fault_histories import Model, true_history

SEEDS = (1, 2)

change = msgspec.structs.replace
Lie = Callable[[FaultHistory], None]
LIES: dict[Lie, str] = {}


@cache
def true_records(seed: int) -> tuple[HistoryRecord, ...]:
    return tuple(true_history(seed, 150))


def breaks(promise: str) -> Callable[[Lie], Lie]:
    """The function falsifies one thing of a true history: this promise must name it."""

    def register(lie: Lie) -> Lie:
        LIES[lie] = promise
        return lie

    return register


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.integers(0, 80))
def test_a_true_history_has_no_violation(chance: Any, steps: int) -> None:
    assert check_history(Model(chance).run(steps)) == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_lie_is_caught_by_its_promise(lie: Lie, seed: int) -> None:
    history = FaultHistory.of(true_records(seed))
    lie(history)
    found = check_history(history)
    assert LIES[lie] in {violation.promise for violation in found}, found
    assert all(violation.records for violation in found), "each shows its records"


def test_every_promise_has_a_lie() -> None:
    assert {promise.name for promise in PROMISES} == set(LIES.values())


# no false alarms


def test_not_ready_while_a_part_restarts_is_honest() -> None:
    """A probe needs no worker of ``tables``: it succeeds long before that one is back."""
    history = FaultHistory.of(true_records(1))
    fault = InjectedFault(
        number=9_999, begin=9e4, end=9e4, kind="kill", target="tables", down_until=9e4 + 9, question_s=1.0, document_s=1.0
    )
    history.faults.append(fault)
    history.readiness += [ReadinessSample(at=9e4 + n, end=9e4 + n + 0.1, status=503, down=("lane.tables",)) for n in range(2, 11)]
    assert check_history(history) == []
    history.readiness += [ReadinessSample(at=9e4 + n, end=9e4 + n + 0.1, status=503, down=("lane.tables",)) for n in range(12, 20)]
    assert [violation.promise for violation in check_history(history)] == ["readiness_honest"]


def test_a_probe_that_gave_up_is_no_reader_without_an_end() -> None:
    history = FaultHistory.of(true_records(1))
    ask = next(each for each in history.operations if each.kind == "ask" and each.reader)
    frame = next(each for each in history.frames if each.reply == ask.reply and each.name == "retrieved")
    history.operations.append(change(ask, reader="probe-1", probe=3))
    history.frames.append(change(frame, reader="probe-1"))
    assert check_history(history) == []


# where to lie


def replace(records: list[Any], old: Any, new: Any) -> None:
    records[next(index for index, each in enumerate(records) if each is old)] = new


def remove(records: list[Any], *old: Any) -> None:
    records[:] = [each for each in records if not any(each is one for one in old)]


def with_data(record: TopicRecord, **fields: Any) -> TopicRecord:
    data = record.data | fields
    return change(record, value=(record.value or {}) | {"data": data}, digest=content_digest(data))


def completed(history: FaultHistory, attempts: int = 1) -> ReplyEvidence:
    """A completed reply, of at least that many attempts."""
    for reply in RunEvidence(history).replies.values():
        if reply.end is not None and reply.end.type == "reply.completed" and reply.end.data["attempt"] >= attempts:
            return reply
    raise AssertionError("the model made none")


def reader_of(reply: ReplyEvidence) -> list[StreamFrame]:
    return next(iter(reply.readers.values()))


def searches(history: FaultHistory) -> Iterator[ClientOperation]:
    return (each for each in history.operations if each.kind == "search" and each.seen)


# the lies


@breaks("question_on_log")
def question_lost(history: FaultHistory) -> None:
    remove(history.topics, *completed(history).asked)


@breaks("reply_ends")
def end_lost(history: FaultHistory) -> None:
    remove(history.topics, *completed(history).ends)


@breaks("reply_ends")
def end_of_a_lower_attempt(history: FaultHistory) -> None:
    end = completed(history, attempts=2).ends[0]
    replace(history.topics, end, with_data(end, attempt=1))


@breaks("reply_ends")
def reader_left_without_an_end(history: FaultHistory) -> None:
    remove(history.frames, reader_of(completed(history))[-1])


@breaks("one_end")
def end_shown_twice(history: FaultHistory) -> None:
    end = reader_of(completed(history))[-1]
    history.frames.append(change(end, id=end.id.replace(".1", ".2")))


@breaks("one_end")
def two_ends_on_the_topic(history: FaultHistory) -> None:
    end = completed(history).ends[0]
    history.topics.append(change(with_data(end, text="Something else"), offset=end.offset + 1))


@breaks("one_end")
def reader_was_told_another_end(history: FaultHistory) -> None:
    end = reader_of(completed(history))[-1]
    replace(history.frames, end, change(end, name="cancelled"))


@breaks("stream_in_order")
def event_shown_twice(history: FaultHistory) -> None:
    frames = [frame for frame in reader_of(completed(history)) if frame.name == "delta"]
    history.frames.insert(next(i for i, frame in enumerate(history.frames) if frame is frames[1]), frames[0])


@breaks("stream_in_order")
def delta_left_out(history: FaultHistory) -> None:
    frames = [frame for frame in reader_of(completed(history)) if frame.name == "delta"]
    remove(history.frames, frames[-2])


@breaks("same_text")
def delta_of_another_text(history: FaultHistory) -> None:
    delta = next(frame for frame in reversed(reader_of(completed(history))) if frame.name == "delta")
    replace(history.frames, delta, change(delta, data=delta.data | {"text": "other "}))


@breaks("same_text")
def message_of_another_text(history: FaultHistory) -> None:
    stored = completed(history).stored[0]
    replace(history.topics, stored, with_data(stored, content="other"))


@breaks("same_text")
def read_of_another_text(history: FaultHistory) -> None:
    read = next(each for each in history.operations if each.kind == "reply" and each.state == "complete")
    replace(history.operations, read, change(read, text="other"))


@breaks("same_text")
def topic_lacks_a_piece(history: FaultHistory) -> None:
    remove(history.topics, [each for each in completed(history).answered if each.type == "reply.extended"][-1])


@breaks("one_speech")
def two_speeches_of_one_attempt(history: FaultHistory) -> None:
    piece = next(each for each in completed(history).answered if each.type == "reply.extended")
    history.topics.append(change(with_data(piece, text="again "), offset=piece.offset + 10_000))


@breaks("one_speech")
def restart_left_out(history: FaultHistory) -> None:
    frames = reader_of(completed(history, attempts=2))
    remove(history.frames, *(frame for frame in frames if frame.name in ("restart", "retrieved") and frame is not frames[0]))


@breaks("stored_once")
def stored_twice(history: FaultHistory) -> None:
    stored = completed(history).stored[0]
    again = change(stored, offset=stored.offset + 10_000, value=(stored.value or {}) | {"id": "another"})
    history.topics.append(again)


@breaks("stored_once")
def message_lost(history: FaultHistory) -> None:
    remove(history.topics, *completed(history).stored)


@breaks("stored_once")
def stored_as_failed(history: FaultHistory) -> None:
    for stored in completed(history).stored:
        replace(history.topics, stored, with_data(stored, state="failed"))


@breaks("charged_once")
def charged_twice(history: FaultHistory) -> None:
    charge = completed(history).charged[0]
    history.topics.append(change(charge, offset=charge.offset + 10_000, value=(charge.value or {}) | {"id": "another"}))


@breaks("charged_once")
def given_away(history: FaultHistory) -> None:
    remove(history.topics, *completed(history).charged)


@breaks("one_reply_per_key")
def key_answered_twice(history: FaultHistory) -> None:
    asks = [each for each in history.operations if each.kind == "ask" and each.outcome == "ok"]
    history.operations.append(change(asks[0], reply=asks[-1].reply))


@breaks("accepted_reply_found")
def reply_not_found(history: FaultHistory) -> None:
    resume = next(each for each in history.operations if each.kind == "resume")
    replace(history.operations, resume, change(resume, outcome="failed", status=404, code="not_found"))


@breaks("busy_is_open")
def busy_long_after_the_end(history: FaultHistory) -> None:
    frame = reader_of(completed(history))[-1]
    ask = completed(history).accepted[0]
    late = change(ask, begin=frame.at + 16, end=frame.at + 17, outcome="failed", status=409, code="conversation_busy", key="late")
    history.operations.append(late)


@breaks("answered_not_dead")
def dead_letter_of_an_answer(history: FaultHistory) -> None:
    asked = completed(history).asked[0]
    history.topics.append(change(asked, topic="claw.dead-letters.v1"))


@breaks("answer_explained")
def message_names_another_question(history: FaultHistory) -> None:
    stored = completed(history).stored[0]
    replace(history.topics, stored, with_data(stored, asked={"partition": 0, "offset": 99_999}))


@breaks("write_on_log")
def document_lost(history: FaultHistory) -> None:
    write = next(each for each in history.operations if each.kind == "submit" and each.outcome == "ok")
    topic = RunEvidence(history).documents[write.knowledge_base, write.document].submitted
    remove(history.topics, *(each for each in topic if each.offset == write.version))


@breaks("write_on_log")
def inbox_record_lost(history: FaultHistory) -> None:
    write = next(each for each in history.operations if each.kind == "inbox")
    document = RunEvidence(history).documents[write.knowledge_base, write.document]
    remove(history.topics, *(each for each in document.submitted if document.tokens.get(each.offset) == write.token))


@breaks("write_on_log")
def deletion_lost(history: FaultHistory) -> None:
    for document in RunEvidence(history).documents.values():
        if any(write.kind == "delete" for write in document.writes):
            return remove(history.topics, *document.deletions)
    raise AssertionError("the model made none")


@breaks("deleted_is_gone")
def deleted_document_found(history: FaultHistory) -> None:
    deletion = next(each for each in history.operations if each.kind == "delete")
    document = RunEvidence(history).documents[deletion.knowledge_base, deletion.document]
    version = max(each for each in document.tokens if each < max(gone.offset for gone in document.deletions if gone.at <= deletion.end))
    sighting = Sighting(document=deletion.document, version=version, token=document.tokens[version])
    history.operations.append(change(deletion, kind="search", begin=deletion.end + 0.1, end=deletion.end + 0.2, seen=(sighting,)))


@breaks("versions_go_up")
def older_version_shown(history: FaultHistory) -> None:
    search = max(searches(history), key=lambda each: each.seen[0].version)
    document = RunEvidence(history).documents[search.knowledge_base, search.seen[0].document]
    older = min(document.tokens)
    sighting = Sighting(document=search.seen[0].document, version=older, token=document.tokens[older])
    history.operations.append(change(search, begin=search.end + 100, end=search.end + 101, seen=(sighting,)))


@breaks("whole_document")
def two_versions_in_one_response(history: FaultHistory) -> None:
    search = next(searches(history))
    replace(history.operations, search, change(search, seen=(*search.seen, change(search.seen[0], version=99_999, token=""))))


@breaks("whole_document")
def text_of_another_version(history: FaultHistory) -> None:
    search = next(searches(history))
    replace(history.operations, search, change(search, seen=(change(search.seen[0], token="code-north-1-9999"),)))


@breaks("whole_document")
def half_a_document(history: FaultHistory) -> None:
    chunks = next(each for each in history.operations if each.kind == "chunks" and each.seen)
    replace(history.operations, chunks, change(chunks, seen=chunks.seen[1:]))


@breaks("indexed_is_found")
def indexed_document_not_found(history: FaultHistory) -> None:
    read = [each for each in history.operations if each.kind == "document" and each.state == "indexed"][-1]
    history.operations.append(change(read, kind="search", begin=read.end + 0.1, end=read.end + 0.2, seen=(), client="reader"))


@breaks("last_write_stays")
def last_write_undone(history: FaultHistory) -> None:
    final = next(each for each in history.operations if each.kind == "chunks" and each.client == "final" and each.seen)
    document = RunEvidence(history).documents[final.knowledge_base, final.document]
    older = document.tokens[min(document.tokens)]
    replace(history.operations, final, change(final, seen=tuple(change(each, token=older) for each in final.seen)))


@breaks("last_write_stays")
def document_vanished(history: FaultHistory) -> None:
    final = next(each for each in history.operations if each.kind == "document" and each.client == "final" and each.state == "indexed")
    replace(history.operations, final, change(final, outcome="failed", status=404, state=""))


@breaks("repeat_harmless")
def repeat_written_again(history: FaultHistory) -> None:
    for document in RunEvidence(history).documents.values():
        writes = [each for each in document.writes if each.kind == "submit" and each.outcome == "ok"]
        if len(writes) > 1 and writes[0].token != writes[-1].token:
            first = next(each for each in document.submitted if each.offset == writes[0].version)
            return history.topics.append(change(first, offset=99_999))
    raise AssertionError("the model made none")


@breaks("progress_newest")
def progress_goes_back(history: FaultHistory) -> None:
    for document in RunEvidence(history).documents.values():
        if document.progressed[0].data["version"] < document.progressed[-1].data["version"]:
            return history.topics.append(change(document.progressed[0], offset=99_999))
    raise AssertionError("the model made none")


@breaks("tenant_wall")
def foreign_passage(history: FaultHistory) -> None:
    search = next(each for each in searches(history) if each.tenant == "north")
    replace(history.operations, search, change(search, tenant="south"))


@breaks("tenant_wall")
def trespass_let_in(history: FaultHistory) -> None:
    trespass = next(each for each in history.operations if each.kind == "trespass")
    replace(history.operations, trespass, change(trespass, outcome="ok", status=200))


@breaks("tenant_wall")
def event_of_another_tenant(history: FaultHistory) -> None:
    record = next(each for each in history.topics if each.type == "reply.completed" and "code-" in str(each.data))
    replace(history.topics, record, change(record, value=(record.value or {}) | {"tenant": "t-other"}))


@breaks("one_content_per_id")
def event_id_with_two_contents(history: FaultHistory) -> None:
    record = next(each for each in history.topics if each.type == "document.progressed")
    history.topics.append(change(with_data(record, version=12_345), offset=record.offset + 10_000))


@breaks("key_order")
def work_out_of_order(history: FaultHistory) -> None:
    for document in RunEvidence(history).documents.values():
        if len(document.tokens) > 1:
            queued = [each for each in history.topics if each.type == "document.queued" and each.key == document.submitted[0].key]
            first = change(queued[0], offset=99_999)
            remove(history.topics, *(each for each in queued if (each.value or {})["id"] == (first.value or {})["id"]))
            return history.topics.append(first)
    raise AssertionError("the model made none")


@breaks("key_order")
def questions_out_of_order(history: FaultHistory) -> None:
    grounded = [each for each in history.topics if each.type == "chat.grounded"]
    second = next(each for each in grounded[1:] if each.key == grounded[0].key)
    replace(history.topics, grounded[0], change(grounded[0], offset=second.offset))
    replace(history.topics, second, change(second, offset=grounded[0].offset))


@breaks("recovers")
def never_recovered(history: FaultHistory) -> None:
    replace(history.faults, history.faults[-1], change(history.faults[-1], question_s=None))


@breaks("recovers")
def late_recovery(history: FaultHistory) -> None:
    replace(history.faults, history.faults[-1], change(history.faults[-1], document_s=31.0))


@breaks("readiness_honest")
def ready_while_a_part_is_away(history: FaultHistory) -> None:
    history.faults.append(
        InjectedFault(
            number=9_999, begin=9e4, end=9e4 + 9, kind="pause", target="tables", down_until=9e4 + 9, question_s=1.0, document_s=1.0
        )
    )
    history.readiness.append(ReadinessSample(at=9e4 + 5, end=9e4 + 5.1, status=200))


@breaks("readiness_honest")
def never_ready_again(history: FaultHistory) -> None:
    last = max(history.faults, key=lambda each: each.number)
    for n in range(6):
        history.readiness.append(ReadinessSample(at=last.end + 20 + n, end=last.end + 20.1 + n, status=503, down=("lane.chat",)))


@breaks("ready_means_served")
def ready_and_refusing(history: FaultHistory) -> None:
    for n in range(30):
        at = 9e4 + n / 2
        history.readiness.append(ReadinessSample(at=at, end=at + 0.1, status=200))
        ask = completed(history).accepted[0]
        history.operations.append(
            change(ask, begin=at, end=at + 0.2, outcome="unknown", status=503, code="kafka_unavailable", key="", reply="")
        )


@breaks("paid_once")
def paid_again_and_again(history: FaultHistory) -> None:
    call = completed(history).calls[0]
    history.calls += [change(call, number=100_000 + n) for n in range(10)]


@breaks("paid_once")
def paid_twice_without_a_reason(history: FaultHistory) -> None:
    history.faults.clear()
    history.calls[:] = [each for each in history.calls if not each.fault]
    history.calls += [ProviderCall(at=each.at, end=each.end, number=each.number + 100_000, trace=each.trace) for each in history.calls]


@breaks("figures_agree")
def counters_differ(history: FaultHistory) -> None:
    reading = history.readings[0]
    replace(history.readings, reading, change(reading, value=3))
