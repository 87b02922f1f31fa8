"""What an event loop does with foreign text at once takes little time, however the text is made: else one sender stops everybody's answers.

Each step gets texts of the largest size that its caller allows. CPU time of the thread counts, so a busy machine changes nothing, and the
bound grows with what work of a known size takes on this machine.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from adapters.models.dialogue.condensing import parse_question
from adapters.models.dialogue.courtesies import find_courtesy
from adapters.models.dialogue.follow_ups import drop_pleasantries, read_question, search_background
from adapters.models.dialogue.refusals import RefusalDetector, is_refusal, judge_outcome
from adapters.models.grounding.answerability import find_meant, is_answerable, is_follow_up_answerable
from adapters.models.grounding.citations import CitationResolver
from adapters.models.grounding.numbers import find_unsupported_numbers
from adapters.models.port import AnswerRequest
from adapters.models.prompts import build_messages
from adapters.models.rules import strip_note
from adapters.models.stop_sequences import AnswerTruncator, truncate_to_tokens
from adapters.text.enumerations import listing_of
from adapters.text.invisible import strip_invisible
from adapters.text.keywords import find_keywords
from adapters.text.language import estimate_tokens, fold
from adapters.text.sparse import Bm25Encoder
from domain.chats.history import HistoryBudget, fit_turns
from domain.chats.titles import title_of
from domain.retrieval.tables.answers import QUESTION_CHARS_MAX as TABLE_QUESTION
from domain.retrieval.tables.wording import read_question as read_table_question
from schemas.chats import Passage, Turn
from schemas.settings import LimitSettings

LIMITS = LimitSettings()
QUESTION = LIMITS.message_chars_max
ANSWER = 8_192  # characters of an answer; it comes in pieces, and a loop turns between them
PASSAGE, HITS = 2_500, 30
PIECE = 7  # characters of an answer that come at once
PUMPS = (
    *(" ", "\n", "\t", "a", "a ", "中", "年假", "1", "1,", "-", "<", "<passage>", "[1]", "[", "(", "？", "。", ". ", '"', "“", "ab12-"),
    *(
        "什么",
        "那",
        "who ",
        "the ",
        "\u200d",
        "😀",
        "|",
        "|a|b|\n",
        "# ",
        "* ",
        "`",
        "0x",
        "和",
        "、",
        "not ",
        "一",
        "hi ",
        "呢",
        "=",
        "a.b",
    ),
    *("https://a.b/", "&lt;", "\x01", "1,2;", "……", "<|im_start|>", "[INST]", "謝謝", "e\u0301"),
)
BOUND_S = 0.05
CALIBRATION_S = 0.0025  # what `_reference` takes on the machine where the bound was set
TRIES = 6
BUSY, CROWDED = 1.1, 1.5  # from this slowness on others use the machine, too; then a step may be slower by that factor

Step = Callable[[str], object]


def passage(text: str) -> Passage:
    return Passage(marker=1, chunk_id="c", knowledge_base_id="kb", document_id="d", version=1, ordinal=0, title="t", score=1.0, text=text)


def request(question: str, *, system_prompt: str = "", text: str = "x") -> AnswerRequest:
    return AnswerRequest(
        question=question,
        passages=(passage(text),) * 8,
        history=(Turn(role="user", content=text), Turn(role="assistant", content=text)),
        system_prompt=system_prompt,
        max_tokens=1_024,
        temperature=0.0,
    )


def feed(make: Callable[[], CitationResolver | RefusalDetector | AnswerTruncator], text: str) -> None:
    """One of the pieces of an answer is one step of the loop; here all of them count, so the bound is that of PIECES_S."""
    made = make()
    for at in range(0, len(text), PIECE):
        made.feed(text[at : at + PIECE])
    made.finish()


PASSAGES = [passage(f"{n} The lamp of the lighthouse was lit in 1875. 年假五天。" * 40) for n in range(8)]
FOUND = [(f"{n} The lamp was lit in 1875. 年假五天。" * 70)[:PASSAGE] for n in range(HITS)]
TURNS = [Turn(role="user", content="年假有几天？"), Turn(role="assistant", content="五天。")]

STEPS: dict[str, tuple[int, Step]] = {
    "courtesy": (QUESTION, find_courtesy),
    "question alone": (QUESTION, lambda text: read_question(text, [])),
    "question after an answer": (QUESTION, lambda text: read_question(text, TURNS)),
    "question after long ones": (
        QUESTION,
        lambda text: read_question("那加班呢", [Turn(role="user", content=text), Turn(role="assistant", content=text)]),
    ),
    "background": (QUESTION, lambda text: search_background([Turn(role="user", content=text), Turn(role="assistant", content=text)])),
    "pleasantries": (QUESTION, lambda text: drop_pleasantries([Turn(role="user", content=text), Turn(role="assistant", content=text)])),
    "condensed by a model": (QUESTION, parse_question),
    "listing": (QUESTION, lambda text: listing_of(fold(text))),
    "keywords": (QUESTION, lambda text: find_keywords(text, 8)),
    "terms": (QUESTION, Bm25Encoder().encode_query),
    "table question": (TABLE_QUESTION, lambda text: read_table_question(fold(text), ("金额", "price"))),
    "title": (QUESTION, title_of),
    "gate, question": (QUESTION, lambda text: is_answerable(text, PASSAGES, [3.0, 2.0], FOUND)),
    "gate, follow-up": (QUESTION, lambda text: is_follow_up_answerable((text,), "年假", PASSAGES, [3.0, 2.0], FOUND)),
    "gate, meaning": (QUESTION, lambda text: find_meant(text, [(each, 0.5) for each in FOUND], least=0.3)),
    "gate, passages": (PASSAGE, lambda text: is_answerable("几天年假 lamp lit", [passage(f"{n}{text}") for n in range(8)], [3.0, 2.0])),
    "prompt, question": (QUESTION, lambda text: build_messages(request(text))),
    "prompt, owner's": (QUESTION, lambda text: build_messages(request("x", system_prompt=text))),
    "prompt, passages": (PASSAGE, lambda text: build_messages(request("x", text=text))),
    "history": (
        LIMITS.history_bytes_max // 4,
        lambda text: fit_turns([Turn(role="user", content=text)] * 4, HistoryBudget.from_limits(LIMITS)),
    ),
    "tokens": (LIMITS.history_bytes_max, estimate_tokens),
    "invisible": (ANSWER, strip_invisible),
    "refusal": (ANSWER, is_refusal),
    "outcome": (ANSWER, lambda text: judge_outcome(text, cited=False, found=False)),
    "outcome, short": (400, lambda text: judge_outcome(text[:400], cited=False, found=False)),
    "numbers": (ANSWER, lambda text: find_unsupported_numbers(text, (), PASSAGES, "几天？")),
    "note": (ANSWER, strip_note),
    "truncate": (ANSWER, lambda text: truncate_to_tokens(text, 2_000)),
}
PIECES: dict[str, Step] = {
    "citations": partial(feed, lambda: CitationResolver(PASSAGES)),
    "refusal": partial(feed, RefusalDetector),
    "stops": partial(feed, lambda: AnswerTruncator(("stop", "aaaaab"))),
}
PIECES_S = 0.25  # for the 1,170 pieces of an answer: a fifth of a millisecond each


def texts(chars: int) -> Iterator[tuple[str, str]]:
    for pump in PUMPS:
        whole = (pump * (chars // len(pump) + 1))[:chars]
        yield pump, whole
        yield pump, "x" + whole[:-2] + "ж"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_on_a_loop_is_short_whatever_the_text(name: str) -> None:
    chars, step = STEPS[name]
    assert _faults(step, chars, BOUND_S) == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", PIECES)
def test_an_answer_in_pieces_costs_in_proportion_to_its_length(name: str) -> None:
    assert _faults(PIECES[name], ANSWER, PIECES_S) == []


@pytest.mark.parametrize(
    "step", [lambda text: [sum(map(ord, text[:at])) for at in range(0, len(text), 8)], lambda text: sum(map(ord, text * 200))]
)
def test_the_check_finds_what_is_slow(step: Step) -> None:
    """Quadratic, and merely much."""
    assert _faults(step, QUESTION, BOUND_S)


def _faults(step: Step, chars: int, bound_s: float) -> list[str]:
    step("warm up")
    for pump, text in texts(chars):
        spent_s = _cpu_s(partial(step, text), bound_s)
        allowed_s = bound_s if spent_s <= bound_s else bound_s * _slowness()
        if spent_s > allowed_s:
            return [f"{pump!r}: {spent_s * 1000:.0f} ms for {len(text):,} characters, {allowed_s * 1000:.0f} ms allowed"]
    return []


def _slowness() -> float:
    """How much slower this machine is now than where the bounds were set. Beside busy neighbours, steps that use more memory than the
    reference lose more than it does.
    """
    slowness = _cpu_s(_reference) / CALIBRATION_S
    return max(1.0, slowness * CROWDED if slowness > BUSY else slowness)


def _reference() -> None:
    """Work of a known size: how fast this machine is now."""
    sum(ord(each) for each in "lighthouse" * 6_000)


def _cpu_s(work: Callable[[], object], enough_s: float = 0.0) -> float:
    """CPU seconds of this thread, the least of some tries; below ``enough_s`` one is enough."""
    least_s = float("inf")
    for _ in range(TRIES):
        began = time.thread_time()
        work()
        least_s = min(least_s, time.thread_time() - began)
        if least_s < enough_s:
            break
    return least_s
