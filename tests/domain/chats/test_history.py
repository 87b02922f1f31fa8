"""What travels with a question: every bound holds, the newest is there, and a summary stands for exactly what it covers."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from adapters.text.language import estimate_tokens
from domain.chats.history import (
    BranchHistory,
    HistoryBudget,
    build_history,
    count_to_summarise,
    fit_turns,
    needs_summary,
    split_summary,
    truncate,
)
from schemas.chats import Message, Role, Turn
from schemas.settings import LimitSettings

NOON = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = st.text(st.sampled_from("abc 中文。\n"), max_size=60)
TURNS = st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), TEXT.filter(bool)), max_size=12)
BUDGETS = st.builds(HistoryBudget, st.integers(0, 8), st.integers(0, 200), st.integers(0, 60), st.integers(0, 10))


def message(number: int, content: str = "", **more: object) -> Message:
    role: Role = "assistant" if number % 2 else "user"
    return Message(
        id=f"m{number}",
        conversation_id="c",
        user_id="u",
        role=role,
        content=content or f"turn {number}",
        created_at=NOON,
        **more,  # type: ignore[arg-type]
    )


@given(TURNS, BUDGETS)
def test_every_bound_holds_and_the_newest_turns_are_kept(turns: list[Turn], budget: HistoryBudget) -> None:
    """A suffix of what was said; only a lone newest turn is cut, and it is left out only when nothing of it fits."""
    kept = fit_turns(turns, budget)
    assert len(kept) <= budget.messages
    assert sum(len(turn.content.encode()) for turn in kept) <= budget.bytes
    assert sum(estimate_tokens(turn.content) for turn in kept) <= budget.tokens
    if len(kept) == 1 and kept[0] != turns[-1]:
        assert turns[-1].content.startswith(kept[0].content.removesuffix("…"))
    else:
        assert list(kept) == turns[len(turns) - len(kept) :]
    if turns and budget.messages and budget.bytes >= 8 and budget.tokens >= 4:
        assert kept


@given(TEXT, st.integers(0, 80), st.integers(0, 40))
def test_a_cut_keeps_its_bounds_and_loses_nothing_that_fits(text: str, size: int, tokens: int) -> None:
    short = truncate(text, size, tokens)
    assert len(short.encode()) <= size
    assert estimate_tokens(short) <= tokens
    assert (short == text) == (len(text.encode()) <= size and estimate_tokens(text) <= tokens)


def test_a_summary_takes_its_tokens_out_of_the_budget() -> None:
    turns = [Turn("user", "abcd" * 10), Turn("assistant", "abcd" * 10)]
    budget = HistoryBudget(10, 1_000, 20, 10)
    assert len(fit_turns(turns, budget)) == 2
    assert fit_turns(turns, budget, "abcd" * 10) == (turns[1],)


def test_the_newest_summary_stands_for_what_it_covers() -> None:
    """Also when what it covers has slid out of sight; failed answers are not turns."""
    branch = [message(n) for n in range(8)]
    branch[3] = message(3, summary="old", summarised="m1")
    branch[5] = message(5, summary="new", summarised="m3")
    branch[7] = message(7, state="failed")
    summary, rest = split_summary(branch)
    assert summary == "new"
    assert [ident for ident, _ in rest] == ["m4", "m5", "m6"]
    assert [ident for ident, _ in split_summary(branch[4:])[1]] == ["m4", "m5", "m6"]
    assert split_summary(branch[6:]) == ("", [("m6", Turn("user", "turn 6"))])


def test_a_thread_knows_where_it_is() -> None:
    budget = HistoryBudget.from_limits(LimitSettings(history_messages_max=3))
    known = {each.id: each for each in (message(n) for n in range(30))}
    found = build_history(list(known), known, budget)
    assert found.parent_id == "m29"
    assert len(found.ancestors) == 20
    assert [turn.content for turn in found.turns] == ["turn 27", "turn 28", "turn 29"]
    later = found.with_turn("m30", Turn("user", "and?"), budget)
    assert later.with_turn("m30", Turn("user", "and?"), budget) == later
    assert (later.parent_id, later.turns[-1], len(later.ancestors)) == ("m30", Turn("user", "and?"), 20)
    assert BranchHistory().parent_id == ""
    del known["m28"]
    assert build_history([*known, "m30"], known, budget).parent_id == "m30"  # where it is does not hang on what could be read


@given(TURNS, BUDGETS)
def test_a_summary_leaves_the_last_question_and_answer(turns: list[Turn], budget: HistoryBudget) -> None:
    covered = count_to_summarise(turns, budget)
    assert 0 <= covered <= max(0, len(turns) - 2)


def test_growth_is_noticed_by_messages_bytes_and_tokens() -> None:
    budget = HistoryBudget(8, 1_000, 100, 10)
    assert not needs_summary([Turn("user", "x")] * 6, budget)
    assert needs_summary([Turn("user", "x")] * 7, budget)
    assert needs_summary([Turn("user", "x" * 110)] * 3, budget)
    assert needs_summary([Turn("user", "字" * 26)] * 3, budget)
    assert not needs_summary([Turn("user", "字" * 90)] * 2, budget)  # nothing but the last pair: there is nothing to cover
    assert not needs_summary([Turn("user", "x")] * 7, HistoryBudget(8, 1_000, 100, 0))
    assert count_to_summarise([Turn("user", "x")] * 7, budget) == 5
