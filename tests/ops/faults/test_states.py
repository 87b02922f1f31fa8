"""The states that a run should have met."""

import msgspec

from ops.faults.history import FaultHistory, FinalReading
from ops.faults.states import STATES, count_states, unreached
from tests.support.fault_histories import true_history

UNKNOWN_TO_THE_MODEL = {
    "a worker joined and left",
    "a lease was lost",
    "a question was searched again",
    "a question was searched again in mid-answer",
    "an answer was generated again",
    "a call failed and the question was answered",
    "a question was refused with 503",
    "a worker died in mid-answer",
    "a document was deleted while it was processed",
    "cancelled before it spoke",
}


def test_an_empty_history_has_met_nothing():
    counts = count_states(FaultHistory())
    assert set(counts.values()) == {0}
    assert len(unreached(counts, short=False)) == len(STATES)


def test_what_happened_is_counted():
    counts = count_states(true_history(3, 400))
    assert {name for name, number in counts.items() if not number} <= UNKNOWN_TO_THE_MODEL


def test_a_short_run_may_miss_what_is_rare():
    counts = {state.name: 0 for state in STATES}
    missing = unreached(counts, short=True)
    assert "a worker was killed" in missing
    assert "a question was searched again in mid-answer" not in missing


def test_a_question_searched_again_in_mid_answer():
    history = true_history(3, 400)
    name = "a question was searched again in mid-answer"
    assert count_states(history)[name] == 0
    said = next(each for each in history.topics if each.type == "reply.extended")
    asked = next(each for each in history.topics if each.type == "chat.asked" and each.data["reply_id"] == said.key)
    again = msgspec.structs.replace(asked, at=said.at + 1, offset=99_999, value=(asked.value or {}) | {"data": asked.data | {"round": 1}})
    history.topics.append(again)
    assert count_states(history)[name] == 1
    assert count_states(history)["a question was searched again"] == 1


def test_lost_leases_are_what_the_workers_logged():
    history = FaultHistory()
    history.add(FinalReading(at=1.0, name="log", subject="chat lease_lost", value=2))
    history.add(FinalReading(at=1.0, name="log", subject="chat Traceback", value=5))
    assert count_states(history)["a lease was lost"] == 2
