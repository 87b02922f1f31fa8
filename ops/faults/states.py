"""What a run should have met at least once: a promise that was never put to the test was not kept. Pure, like the promises."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ops.faults.evidence import ASKS, SUBMISSIONS, ReplyEvidence, RunEvidence
from ops.faults.history import FaultHistory
from ops.faults.plan import StepKind
from ops.faults.promises.running import groups_of

WORKING = frozenset({"queued", "parsing", "embedding"})
READY = 200


@dataclass(frozen=True, slots=True)
class InterestingState:
    """A state and how often a history reached it. ``rare``: a short run may miss it."""

    name: str
    count: Callable[[RunEvidence], int]
    rare: bool = True


def count_states(history: FaultHistory) -> dict[str, int]:
    """How often each state was reached."""
    evidence = RunEvidence(history)
    return {state.name: state.count(evidence) for state in STATES}


def unreached(counts: dict[str, int], *, short: bool) -> list[str]:
    """The states that were never reached; of a short run those that it cannot miss."""
    return [state.name for state in STATES if not counts[state.name] and not (short and state.rare)]


def _replies(holds: Callable[[ReplyEvidence], bool]) -> Callable[[RunEvidence], int]:
    return lambda evidence: sum(1 for reply in evidence.replies.values() if reply.accepted and holds(reply))


def _attempts(reply: ReplyEvidence) -> set[int]:
    return {record.data.get("attempt", 0) for record in reply.answered}


def _text_events(reply: ReplyEvidence) -> list[float]:
    return [record.at for record in reply.answered if record.type == "reply.extended"]


def _searched_again(reply: ReplyEvidence) -> bool:
    return any(record.data.get("round") for record in reply.asked)


def _searched_again_in_mid_answer(reply: ReplyEvidence) -> bool:
    said = _text_events(reply)
    return any(record.data.get("round") and any(at <= record.at for at in said) for record in reply.asked)


def _resumed_across_an_attempt(reply: ReplyEvidence) -> bool:
    """A reader came back after an event of one attempt and was told to restart."""
    resumed = {each.reader for each in reply.operations if each.kind == "resume" and each.after}
    return any(frame.name == "restart" for reader in resumed for frame in reply.readers.get(reader, ()))


def _resumed(reply: ReplyEvidence) -> bool:
    return any(each.kind == "resume" and each.after and each.status == READY for each in reply.operations)


def _saw(name: str) -> Callable[[ReplyEvidence], bool]:
    return lambda reply: any(frame.name == name for frames in reply.readers.values() for frame in frames)


def _ended_as(kind: str, *, with_text: bool | None = None) -> Callable[[ReplyEvidence], bool]:
    def holds(reply: ReplyEvidence) -> bool:
        end = reply.end
        return end is not None and end.type == f"reply.{kind}" and with_text in (None, bool(_text_events(reply)))

    return holds


def _asked_again_after_a_lost_response(reply: ReplyEvidence) -> bool:
    return any(each.outcome == "unknown" for each in reply.asks)


def _asked_twice(reply: ReplyEvidence) -> bool:
    return len(reply.accepted) > 1


def _failed_over(reply: ReplyEvidence) -> bool:
    """The provider failed a call, and the question was answered all the same."""
    return any(call.fault for call in reply.calls) and _ended_as("completed")(reply)


def _operations(**wanted: object) -> Callable[[RunEvidence], int]:
    def count(evidence: RunEvidence) -> int:
        return sum(all(getattr(each, name) == value for name, value in wanted.items()) for each in evidence.history.operations)

    return count


def _died_in_mid_answer(evidence: RunEvidence) -> int:
    """Answers that spoke when their worker was killed."""
    kills = evidence.faults_of(("kill",), ("chat", "up"))
    spans = [(min(said), max(said)) for reply in evidence.replies.values() if (said := _text_events(reply))]
    return sum(begin < kill.begin < end for kill in kills for begin, end in spans)


def _deleted_at_work(evidence: RunEvidence) -> int:
    """Versions that were deleted while they were processed."""
    return sum(1 for _ in _ended_at_work(evidence, "document.withdrawn"))


def _replaced_at_work(evidence: RunEvidence) -> int:
    """Versions that were replaced while they were processed."""
    return sum(1 for _ in _ended_at_work(evidence, "document.submitted"))


def _ended_at_work(evidence: RunEvidence, by: str) -> Iterator[int]:
    for document in evidence.documents.values():
        finished = {record.data["version"]: record.at for record in document.progressed if record.data["state"] not in WORKING}
        for record, after in zip(document.submitted, document.submitted[1:], strict=False):
            if record.type == "document.submitted" and after.type == by and finished.get(record.offset, float("inf")) > after.at:
                yield record.offset


def _inbox_documents(evidence: RunEvidence) -> int:
    return sum(
        1
        for document in evidence.documents.values()
        for record in document.progressed
        if record.data["state"] == "indexed" and any(write.kind == "inbox" for write in document.writes)
    )


def _late_repeats(evidence: RunEvidence) -> int:
    """Accepted writes that were sent again after a later one."""
    number = 0
    for document in evidence.documents.values():
        keys: list[str] = []
        for write in document.writes:
            if write.kind in SUBMISSIONS and write.outcome == "ok" and write.key:
                number += write.key in keys[:-1]
                keys.append(write.key)
    return number


def _pairs(evidence: RunEvidence) -> int:
    return sum(len(group) > 1 for group in groups_of(evidence.history.faults))


def _faults(kind: StepKind) -> Callable[[RunEvidence], int]:
    return lambda evidence: sum(fault.kind == kind for fault in evidence.history.faults)


def _failed_calls(evidence: RunEvidence) -> int:
    return sum(bool(call.fault) for call in evidence.history.calls)


def _not_ready(evidence: RunEvidence) -> int:
    return sum(sample.status != READY for sample in evidence.history.readiness)


def _lost_leases(evidence: RunEvidence) -> int:
    logged = [
        each for each in evidence.history.readings if each.name == "log" and each.subject.endswith(("lease_lost", "event_superseded"))
    ]
    return sum(int(each.value) for each in logged)


def _regenerated(evidence: RunEvidence) -> int:
    return sum(each.kind == "regenerate" and each.outcome == "ok" for each in evidence.history.operations)


def _refused(evidence: RunEvidence) -> int:
    return sum(each.kind in ASKS and each.status == 503 for each in evidence.history.operations)  # noqa: PLR2004


STATES = (
    InterestingState("a worker was killed", _faults("kill"), rare=False),
    InterestingState("a part was stopped and went on", _faults("pause"), rare=False),
    InterestingState("the provider failed", _failed_calls, rare=False),
    InterestingState("a worker joined and left", _faults("add")),
    InterestingState("two faults at once", _pairs, rare=False),
    InterestingState("a worker died in mid-answer", _died_in_mid_answer),
    InterestingState("another attempt took over", _replies(lambda reply: len(_attempts(reply)) > 1)),
    InterestingState("a reader was told to restart", _replies(_saw("restart"))),
    InterestingState("a reader resumed", _replies(_resumed), rare=False),
    InterestingState("a reader resumed across an attempt", _replies(_resumed_across_an_attempt)),
    InterestingState("a lease was lost", _lost_leases),
    InterestingState("a question was searched again", _replies(_searched_again)),
    InterestingState("a question was searched again in mid-answer", _replies(_searched_again_in_mid_answer)),
    InterestingState("an answer was completed", _replies(_ended_as("completed")), rare=False),
    InterestingState("an answer was generated again", _regenerated, rare=False),
    InterestingState("a reply failed", _replies(_ended_as("failed")), rare=False),
    InterestingState("a call failed and the question was answered", _replies(_failed_over)),
    InterestingState("cancelled while it spoke", _replies(_ended_as("cancelled", with_text=True)), rare=False),
    InterestingState("cancelled before it spoke", _replies(_ended_as("cancelled", with_text=False)), rare=False),
    InterestingState("a question was refused with 503", _refused),
    InterestingState("a question was asked again after its response was lost", _replies(_asked_again_after_a_lost_response)),
    InterestingState("a question was asked twice with one key", _replies(_asked_twice), rare=False),
    InterestingState("a deletion was acknowledged", _operations(kind="delete", status=204), rare=False),
    InterestingState("a document was deleted while it was processed", _deleted_at_work),
    InterestingState("a document was replaced while it was processed", _replaced_at_work),
    InterestingState("a write had no known outcome", _operations(kind="submit", outcome="unknown")),
    InterestingState("a write was repeated after a later one", _late_repeats),
    InterestingState("a document of the inbox was searchable", _inbox_documents, rare=False),
    InterestingState("readiness said not ready", _not_ready, rare=False),
)
