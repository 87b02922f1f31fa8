"""The fold of a reply: one story, one end, whatever the log repeats, mixes or lacks."""

from hypothesis import given
from hypothesis import strategies as st

from domain.chats.reply_fold import AHEAD_MAX, FoldStep, ReplyFold, Restarted
from schemas.chats import Answered, Completed, Extended, Failed, Started, Thought
from tests.support.reply_events import cancelled, completed, extended, failed, started, thought, whole_reply

R = "r1"


def fold(events: list[Answered], *, with_thinking: bool = False) -> tuple[ReplyFold, list[FoldStep]]:
    state = ReplyFold(with_thinking=with_thinking)
    return state, [step for event in events for step in state.apply(event)]


def told_text(steps: list[FoldStep]) -> str:
    """What a reader that follows the steps shows just before the end."""
    text = ""
    for step in steps:
        if isinstance(step, Restarted):
            text = ""
        elif isinstance(step, Extended):
            text += step.text
    return text


def test_a_plain_reply_is_told_as_it_is():
    state, steps = fold(whole_reply(R, ["Hello ", "world"]))
    assert [type(step) for step in steps] == [Started, Extended, Extended, Completed]
    assert (state.text, state.seq, state.attempt) == ("Hello world", 2, 1)


def test_a_takeover_is_one_restart():
    """Attempt 7 after attempt 3: what 3 said is void, and what it still says is dropped."""
    state, steps = fold([started(R, 3), extended(R, 1, "old", 3), started(R, 7), extended(R, 2, "late", 3), *whole_reply(R, ["new"], 7)])
    assert [type(step) for step in steps] == [Started, Extended, Restarted, Started, Extended, Completed]
    assert told_text(steps) == state.text == "new"


def test_a_takeover_without_a_start_still_restarts():
    _, steps = fold([started(R, 1), extended(R, 1, "old", 1), completed(R, "whole", 2)])
    assert [type(step) for step in steps] == [Started, Extended, Restarted, Completed]


def test_a_takeover_before_anything_was_said_is_no_restart():
    _, steps = fold([extended(R, 2, "never told", 1), started(R, 2)])
    assert [type(step) for step in steps] == [Started]


def test_nothing_follows_the_first_end():
    """Not even a higher attempt: a reader has been told that this was all."""
    state, steps = fold([started(R, 1), cancelled(R, "so far", 1), *whole_reply(R, ["more"], 9), failed(R, 10)])
    assert [type(step) for step in steps] == [Started, type(cancelled(R, "").data)]
    assert state.text == "so far"


def test_text_behind_a_gap_waits_for_what_is_missing():
    state, steps = fold([started(R), extended(R, 1, "a"), extended(R, 3, "c"), extended(R, 3, "c")])
    assert told_text(steps) == "a"
    assert [step.seq for step in state.apply(extended(R, 2, "b")) if isinstance(step, Extended)] == [2, 3]
    assert state.text == "abc"


def test_a_gap_that_stays_is_closed_by_the_whole_text():
    state, steps = fold([started(R), extended(R, 1, "a"), extended(R, 3, "c"), completed(R, "abc")])
    assert told_text(steps) == "a"
    assert state.text == "abc"


def test_what_waits_behind_a_gap_is_bounded():
    state, _ = fold([extended(R, seq, "x") for seq in range(2, AHEAD_MAX + 100)])
    assert len(state._ahead) == AHEAD_MAX


def test_a_failed_reply_keeps_what_was_said():
    state, steps = fold([started(R), extended(R, 1, "half"), failed(R)])
    assert isinstance(steps[-1], Failed)
    assert state.text == "half"


pieces = st.lists(st.text(min_size=1, max_size=4), min_size=0, max_size=6)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Answered], list[str]]:
    """Attempts one after the other, each but the last broken off, with repeats of old events mixed in anywhere; and the winner's pieces."""
    numbers = sorted(draw(st.sets(st.integers(0, 50), min_size=1, max_size=4)))
    log: list[Answered] = []
    for number in numbers:
        said = draw(pieces)
        events = whole_reply(R, said, number)
        own = events if number == numbers[-1] else events[: draw(st.integers(0, len(events) - 1))]
        for event in own:
            log.append(event)
            log.extend(draw(st.lists(st.sampled_from(log), max_size=2)))
    log.extend(draw(st.lists(st.sampled_from(log), max_size=5)))
    return log, said


@given(stories())
def test_any_story_has_one_end_and_the_winners_text(story: tuple[list[Answered], list[str]]):
    """Repeats at other offsets, late events of lower attempts, broken attempts: the readers' text is the winner's, and it ends once."""
    log, said = story
    state, steps = fold(log)
    ends = [index for index, step in enumerate(steps) if isinstance(step, Completed)]
    assert ends == [len(steps) - 1]
    assert told_text(steps) == state.text == "".join(said)


@given(stories(), st.data())
def test_a_fold_can_be_repeated_from_any_point(story: tuple[list[Answered], list[str]], data: st.DataObject):
    """A producer that starts over repeats a prefix of the log; nothing new is told until it is past it."""
    log, said = story
    cut = data.draw(st.integers(0, len(log)))
    _, once = fold(log)
    state, again = fold(log[:cut] + log)
    assert state.text == "".join(said)
    assert sum(isinstance(step, Completed) for step in again) == 1
    assert again == once


@given(st.lists(st.sampled_from([*whole_reply(R, ["a", "b", "c"], 2), *whole_reply(R, ["d", "e"], 5), failed(R, 1), cancelled(R, "z", 5)])))
def test_in_any_order_at_all_there_is_at_most_one_end(log: list[Answered]):
    _, steps = fold(log)
    ends = [index for index, step in enumerate(steps) if not isinstance(step, Started | Extended | Restarted)]
    assert ends in ([], [len(steps) - 1])


def test_thinking_is_a_step_for_those_who_want_it_and_never_text():
    """Repeats are dropped; a piece that is missing is not waited for, because no record brings it later."""
    thoughts = [thought(R, 1, "hm "), thought(R, 1, "hm "), thought(R, 3, "so"), thought(R, 2, "late")]
    events = [started(R), *thoughts, *whole_reply(R, ["Hello"])[1:]]
    state, steps = fold(events, with_thinking=True)
    assert [type(step) for step in steps] == [Started, Thought, Thought, Extended, Completed]
    assert (state.thinking, state.text) == ("hm so", "Hello")
    state, steps = fold(events)
    assert [type(step) for step in steps] == [Started, Extended, Completed]
    assert (state.thinking, state.text) == ("", "Hello")


def test_a_takeover_voids_the_thinking_as_well():
    state, steps = fold([started(R, 1), thought(R, 1, "old", 1), started(R, 2), thought(R, 1, "new", 2)], with_thinking=True)
    assert [type(step) for step in steps] == [Started, Thought, Restarted, Started, Thought]
    assert state.thinking == "new"
