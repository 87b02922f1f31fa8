"""Replies: each is accepted once, speaks once, ends once, is stored once and is charged once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ops.faults.evidence import ASKS, OWN_WORDS, TERMINAL, ReplyEvidence, RunEvidence, texts_by_attempt
from ops.faults.history import ClientOperation, HistoryRecord, StreamFrame, TopicRecord, content_digest
from ops.faults.promises.promise import Promise

NO_PLACE = (0, 0, 0)  # the id of events made from the stored message
BUSY_S_MAX = 3.0  # after the end of a reply was shown, its conversation is free

Found = Iterator[tuple[str, str, Iterable[HistoryRecord]]]


def _question_is_on_the_log(evidence: RunEvidence) -> Found:
    for reply in evidence.replies.values():
        if reply.accepted and not reply.asked:
            yield reply.id, "a question was accepted and is not on chats.asked", reply.records


def _reply_ends(evidence: RunEvidence) -> Found:
    for reply in evidence.replies.values():
        if not reply.accepted:
            continue
        if reply.end is None:
            how = f"none of its {len(reply.ends)} terminal events is of its highest attempt" if reply.ends else "it has no terminal event"
            yield reply.id, f"on the topic the reply never ends: {how}", reply.records
        gave_up = {each.reader for each in reply.operations if each.probe >= 0}  # a probe waits only so long
        for reader, frames in reply.readers.items():
            if frames[-1].name not in TERMINAL and reader not in gave_up:
                yield reply.id, f"reader {reader} never saw an end; its last event is {frames[-1].name} {frames[-1].id}", reply.records


def _one_end(evidence: RunEvidence) -> Found:
    for reply in evidence.replies.values():
        for reader, frames in reply.readers.items():
            ends = [frame for frame in frames if frame.name in TERMINAL]
            if len(ends) > 1 or (ends and frames[-1] is not ends[-1]):
                yield reply.id, f"reader {reader} saw {[frame.name for frame in ends]}, or something after the end", frames
        on_topic = {(record.type, record.digest) for record in reply.valid_ends}
        if len(on_topic) > 1:
            yield reply.id, f"the topic has {len(on_topic)} different ends of one reply", reply.ends
        shown = {frame.name for frame in reply.end_frames}
        end = reply.end
        if end is not None and shown - {end.type.removeprefix("reply.")}:
            yield reply.id, f"readers saw {sorted(shown)}, the topic says {end.type}", [end, *reply.end_frames]


def _stream_is_in_order(evidence: RunEvidence) -> Found:
    for reply in evidence.replies.values():
        for reader, frames in reply.readers.items():
            on_log = [frame for frame in frames if frame.name not in OWN_WORDS]
            if not _is_in_order(on_log):
                yield reply.id, f"reader {reader} saw events twice or out of order", on_log
            elif (gap := _gap_in(on_log)) is not None:
                yield reply.id, f"reader {reader}: {gap}", on_log


def _is_in_order(frames: Sequence[StreamFrame]) -> bool:
    """Whether each event has a higher id than the one before. A snapshot may have any, and of a reply that the log no longer has its end
    has the same.
    """
    last: tuple[int, ...] = ()
    for frame in frames:
        place = _place_of(frame)
        if frame.name != "snapshot" and not (place > last or (place == last == NO_PLACE)):
            return False
        last = place
    return True


def _place_of(frame: StreamFrame) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else -1 for part in frame.id.split("."))


def _gap_in(frames: Sequence[StreamFrame]) -> str | None:
    """What is wrong with the numbers of the deltas; None when each follows the one before."""
    seq = 0
    for frame in frames:
        if frame.name == "delta":
            if frame.data["seq"] != seq + 1:
                return f"delta {frame.data['seq']} follows {seq}"
            seq += 1
        elif frame.name == "snapshot":
            seq = frame.data["seq"]
        elif frame.name in ("restart", "retrieved"):
            seq = 0
    return None


def text_of(frames: Sequence[StreamFrame]) -> str:
    """The text that a reader has put together."""
    text = ""
    for frame in frames:
        if frame.name == "delta":
            text += frame.data["text"]
        elif frame.name == "snapshot":
            text = frame.data["text"]
        elif frame.name in ("restart", "retrieved"):
            text = ""
    return text


def _same_text(evidence: RunEvidence) -> Found:
    for reply in evidence.replies.values():
        end = reply.end
        if end is not None and end.type == "reply.completed":
            for detail, records in (*_differing_streams(reply, end.data["text"]), *_differing_records(reply, end)):
                yield reply.id, detail, [end, *records]


def _differing_streams(reply: ReplyEvidence, whole: str) -> Iterator[tuple[str, Sequence[HistoryRecord]]]:
    for reader, frames in reply.readers.items():
        if frames[-1].name != "completed":
            continue
        if text_of(frames) != frames[-1].data["text"]:
            yield f"reader {reader}: the deltas are not the completed text", frames
        if frames[-1].data["text"] != whole:
            yield f"the completed text of reader {reader} is not that of the topic", frames[-1:]


def _differing_records(reply: ReplyEvidence, end: TopicRecord) -> Iterator[tuple[str, Sequence[HistoryRecord]]]:
    whole, attempt = end.data["text"], end.data["attempt"]
    pieces = texts_by_attempt(reply.answered).get(attempt, {})
    if "".join(pieces[seq].data["text"] for seq in sorted(pieces)) != whole:
        yield f"on the topic the text events of attempt {attempt} are not its completed text", reply.answered
    for record in reply.stored:
        if record.data["content"] != whole:
            yield "the stored message is not the completed text", [record]
    for operation in reply.operations:
        if operation.kind == "reply" and operation.state == "complete" and operation.text != whole:
            yield "GET of the reply is not the completed text", [operation]


def _one_speech(evidence: RunEvidence) -> Found:
    """Within an attempt the same place has one text, for readers and on the topic."""
    for reply in evidence.replies.values():
        texts: dict[tuple[int, int], HistoryRecord] = {}
        for record in reply.answered:
            if record.type != "reply.extended":
                continue
            place = (record.data["attempt"], record.data["seq"])
            before = texts.setdefault(place, record)
            if before.data["text"] != record.data["text"]:  # type: ignore[union-attr]
                yield reply.id, f"attempt {place[0]} has two texts at place {place[1]}", reply.answered
                break
        yield from _restart_between_attempts(reply)


def _restart_between_attempts(reply: ReplyEvidence) -> Found:
    """A reader that has text of one attempt is told ``restart`` before text of the next."""
    attempt_at = {(record.partition, record.offset): record.data.get("attempt", 0) for record in reply.answered}
    for reader, frames in reply.readers.items():
        speaking: int | None = None
        for frame in frames:
            if frame.name in ("restart", "snapshot", "retrieved"):
                speaking = None
            elif frame.name == "delta":
                attempt = attempt_at.get(_place_of(frame)[:2])  # type: ignore[arg-type]
                if speaking is not None and attempt is not None and attempt != speaking:
                    yield reply.id, f"reader {reader} was shown text of attempt {attempt} after {speaking} without a restart", frames
                speaking = attempt


def _stored_once(evidence: RunEvidence) -> Found:
    """A worker that takes over a reply stores the message it finds again, under its own attempt: with the same content."""
    for reply in evidence.replies.values():
        end = reply.end
        if end is None:
            continue
        contents = {content_digest({**record.data, "attempt": 0}) for record in reply.stored}
        ids = {(record.data.get("attempt"), (record.value or {}).get("id")) for record in reply.stored}
        if len(contents) > 1 or len(ids) > len({attempt for attempt, _ in ids}):
            yield reply.id, f"stored as {len(reply.stored)} different messages", reply.stored
        if not reply.stored:
            yield reply.id, f"it ended as {end.type} and its message is not stored", reply.records
        elif (state := reply.stored[-1].data["state"]) != {"completed": "complete"}.get(kind := end.type.removeprefix("reply."), kind):
            yield reply.id, f"it ended as {kind}, its message is {state}", [end, *reply.stored]


def _charged_once(evidence: RunEvidence) -> Found:
    for reply in evidence.replies.values():
        bills = {(record.value or {}).get("id") for record in reply.charged}
        if len(bills) > 1:
            yield reply.id, f"charged {len(bills)} times", reply.charged
        elif not bills and reply.end is not None and reply.end.type == "reply.completed":
            yield reply.id, "a completed reply was not charged", reply.records


def _one_reply_per_key(evidence: RunEvidence) -> Found:
    by_key: dict[tuple[str, str], list[ClientOperation]] = defaultdict(list)
    by_reply: dict[str, set[str]] = defaultdict(set)
    for operation in evidence.history.operations:
        if operation.kind in ASKS and operation.outcome == "ok" and operation.key:
            by_key[operation.tenant, operation.key].append(operation)
            by_reply[operation.reply].add(operation.key)
    for (_, key), operations in by_key.items():
        if len(replies := {operation.reply for operation in operations}) > 1:
            related = [record for reply in replies if reply in evidence.replies for record in evidence.replies[reply].asked]
            yield key, f"one Idempotency-Key was given {len(replies)} replies", [*operations, *related]
    for reply, keys in by_reply.items():
        if len(keys) > 1:
            yield reply, f"{len(keys)} questions were given one reply", evidence.replies[reply].asks


def _accepted_reply_is_found(evidence: RunEvidence) -> Found:
    for reply in evidence.replies.values():
        accepted_s = min((each.end for each in reply.accepted), default=None)
        for operation in reply.operations:
            if operation.status == 404 and accepted_s is not None and operation.begin > accepted_s:  # noqa: PLR2004
                yield reply.id, f"{operation.kind} of an accepted reply was answered 404", [*reply.accepted, operation, *reply.asked]


def _busy_is_open(evidence: RunEvidence) -> Found:
    for operation in evidence.history.operations:
        reply = evidence.replies.get(operation.reply) if operation.code == "conversation_busy" else None
        ended_s = min((frame.at for frame in reply.end_frames), default=None) if reply is not None else None
        if reply is not None and ended_s is not None and operation.begin > ended_s + BUSY_S_MAX:
            late_s = operation.begin - ended_s
            yield reply.id, f"its conversation was refused as busy {late_s:.1f} s after its end was shown", [operation, *reply.end_frames]


def _answered_is_not_dead(evidence: RunEvidence) -> Found:
    for reply in evidence.replies.values():
        if reply.dead and reply.end is not None and reply.end.type == "reply.completed":
            yield reply.id, f"the question was answered and has {len(reply.dead)} dead letters", reply.records


def _answer_is_explained(evidence: RunEvidence) -> Found:
    places = {(record.topic, record.partition, record.offset): record for record in evidence.history.topics}
    for reply in evidence.replies.values():
        for record in reply.stored:
            if record.data["state"] != "complete":
                continue
            for name, found in (("asked", reply.asked), ("grounded", reply.grounded)):
                place = record.data.get(name)
                if not place or not any((each.partition, each.offset) == (place["partition"], place["offset"]) for each in found):
                    other = places.get((f"claw.chats.{name}.v1", *place.values())) if place else None
                    yield reply.id, f"its message names no {name} event of this reply", [record, *found, *([other] if other else [])]


PROMISES = (
    Promise("question_on_log", "A question that was accepted is on the log.", _question_is_on_the_log),
    Promise("reply_ends", "Every reply ends, on the topic and for every reader.", _reply_ends),
    Promise("one_end", "A reply has one terminal event, and nothing follows it.", _one_end),
    Promise("stream_in_order", "A reader sees no event twice, none out of order, and no gap in the text.", _stream_is_in_order),
    Promise("same_text", "Deltas, completed text, topic, stored message and GET agree.", _same_text),
    Promise("one_speech", "An attempt says one text, and a restart separates attempts.", _one_speech),
    Promise("stored_once", "A reply is stored as one message, in the state in which it ended.", _stored_once),
    Promise("charged_once", "A completed reply is charged once, another at most once.", _charged_once),
    Promise("one_reply_per_key", "The same Idempotency-Key has one reply, and a reply one key.", _one_reply_per_key),
    Promise("accepted_reply_found", "A reply that was accepted can be found.", _accepted_reply_is_found),
    Promise("busy_is_open", "A conversation that is refused as busy has an open reply.", _busy_is_open),
    Promise("answered_not_dead", "A question that was answered has no dead letter.", _answered_is_not_dead),
    Promise("answer_explained", "A stored answer names the events that it was made from.", _answer_is_explained),
)
