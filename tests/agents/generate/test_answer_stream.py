"""The stream of an answer: how it ends, and what of it stays."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from adapters.models.grounding.citations import CitationResolver
from adapters.models.port import AnswerRequest, EmptyAnswer, Finish, Piece, Speaker
from adapters.models.prompts import NOT_FOUND
from adapters.models.rules import unsourced_note
from agents.generate.answer_stream import check_numbers, run_stream, stream_answer
from agents.generate.reply_events import LOCAL, ReplyDraft
from domain.chats.delta_buffer import DeltaBuffer
from schemas.chats import Citation, Passage, Usage
from schemas.errors import Refused, Unavailable
from tests.support.model_samples import PASSAGES, passage

SPEAKER = Speaker(model="m", provider="p")
USAGE = Usage(prompt_tokens=1, completion_tokens=2)


class Model:
    """Says its pieces, then raises or waits if told to."""

    name, names = "m", ("m",)

    def __init__(self, *pieces: str, error: Exception | None = None, hangs: bool = False) -> None:
        self.pieces, self.error, self.hangs, self.closed = pieces, error, hangs, False

    async def answer(self, request: AnswerRequest) -> AsyncIterator[Piece | Finish]:
        try:
            for text in self.pieces:
                yield Piece(text, SPEAKER)
            if self.hangs:
                await asyncio.sleep(30)
            if self.error is not None:
                raise self.error
            yield Finish(usage=USAGE, reason="stop", speaker=SPEAKER)
        finally:
            self.closed = True


REQUEST = AnswerRequest(question="When was the mill built?")


async def outcome(model: Model, cancelled: asyncio.Event | None = None, request: AnswerRequest = REQUEST, passages: Sequence[Passage] = ()):
    """State and error code, the draft, and the deltas that were sent."""
    draft, sent = ReplyDraft(), []

    async def send(seq: int, text: str, citations: tuple[Citation, ...]) -> None:
        sent.append(text)

    stream = stream_answer(model, request, CitationResolver(passages), DeltaBuffer(send, lambda: 0.0), draft, lambda: 12.0)  # type: ignore[arg-type]
    state, problem = await run_stream(stream, draft, cancelled or asyncio.Event())
    assert model.closed
    return state, problem and problem.code, draft, "".join(sent)


async def test_a_whole_answer_is_complete_and_sent():
    state, code, draft, sent = await outcome(Model("The mill ", "was built in 1771."))
    assert (state, code, draft.text, sent) == ("complete", None, "The mill was built in 1771.", "The mill was built in 1771.")
    assert (draft.usage, draft.finish_reason, draft.speaker, draft.first_text_ms) == (USAGE, "stop", SPEAKER, 12.0)


async def test_an_answer_without_text_is_a_failure():
    state, code, draft, _ = await outcome(Model(" ", "\n"))
    assert (state, code) == ("failed", "model_answer_empty")
    assert draft.usage == USAGE, "its tokens were spent all the same"


async def test_a_refusal_in_the_middle_fails_the_reply_and_keeps_the_text():
    state, code, draft, sent = await outcome(Model("Half of it", error=Refused("model_refused", "no")))
    assert (state, code, draft.text, sent) == ("failed", "model_refused", "Half of it", "Half of it")


async def test_an_empty_answer_of_the_provider_keeps_its_usage():
    error = EmptyAnswer("no text", usage=USAGE, speaker=SPEAKER)
    _, code, draft, _ = await outcome(Model(error=error))
    assert (code, draft.usage, draft.speaker) == ("model_answer_empty", USAGE, SPEAKER)


PASSAGE = (passage(1, "The mill was built in 1771.", "Mill"),)


@pytest.mark.parametrize(
    ("how", "provider", "marked", "note"),
    [("report", "p", ["1772"], ""), ("show", "p", ["1772"], "1772"), ("off", "p", [], ""), ("show", LOCAL, [], "")],
)
def test_numbers_of_no_passage_are_noted_in_the_draft(how: Any, provider: str, marked: list[str], note: str):
    draft = ReplyDraft(text="It was built in 1772 [1].", speaker=Speaker(model="m", provider=provider))
    said = check_numbers(draft, PASSAGE, "When?", how)
    assert [each.text for each in draft.unsupported_numbers] == marked
    assert note in said
    assert bool(said) is bool(note)


async def test_what_the_check_adds_is_the_end_of_the_text():
    draft, sent = ReplyDraft(), []

    async def send(seq: int, text: str, citations: tuple[Citation, ...]) -> None:
        sent.append(text)

    deltas = DeltaBuffer(send, lambda: 0.0)
    check = lambda: f" ({len(draft.text)})"  # noqa: E731
    await stream_answer(Model("Half", " of it"), REQUEST, CitationResolver(()), deltas, draft, lambda: 0.0, check)  # type: ignore[arg-type]
    assert draft.text == "".join(sent) == "Half of it (10)"


async def test_an_outage_is_the_callers_to_repeat():
    with pytest.raises(Unavailable):
        await outcome(Model(error=Unavailable("model_unavailable")))


async def test_a_cancelled_answer_ends_at_once_with_its_text():
    cancelled = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, cancelled.set)
    state, code, draft, sent = await asyncio.wait_for(outcome(Model("The mill", hangs=True), cancelled), 5)
    assert (state, code, draft.text, sent) == ("cancelled", None, "The mill", "The mill")


REFUSAL = NOT_FOUND["en"]


@pytest.mark.parametrize("pieces", [(REFUSAL,), tuple(REFUSAL), (f"{REFUSAL} See [1].",), (*REFUSAL, " See", " [", "1].")])
async def test_an_answer_that_refuses_cites_nothing_however_it_was_cut(pieces: tuple[str, ...]):
    _, _, draft, sent = await outcome(Model(*pieces), passages=PASSAGES)
    assert (draft.outcome, draft.citations, "[" in sent) == ("not_found", [], False)
    assert draft.text == sent
    assert sent.startswith(REFUSAL)


@pytest.mark.parametrize("mode", ["grounded", "assistant"])
async def test_a_cited_answer_is_answered_in_either_mode(mode):
    request = AnswerRequest(question="When?", mode=mode)
    _, _, draft, sent = await outcome(Model("In 2011 [2]."), request=request, passages=PASSAGES)
    assert (draft.outcome, sent, [each.passage for each in draft.citations]) == ("answered", "In 2011 [1].", [2])


async def test_an_assistant_that_cites_nothing_says_so_at_the_end():
    """Also after a marker of no passage; a grounded answer of that kind is recorded, and not changed."""
    assistant = AnswerRequest(question="When?", mode="assistant")
    _, _, draft, sent = await outcome(Model("In 1771 [9]."), request=assistant, passages=PASSAGES)
    assert (draft.outcome, draft.text, sent) == ("unsourced", "In 1771." + unsourced_note("Hm?"), draft.text)
    assert "".join(text for text, _ in draft.spans) == draft.text, "a cached one says it as well"
    _, _, draft, sent = await outcome(Model("In 1771."), passages=PASSAGES)
    assert (draft.outcome, sent) == ("unsourced", "In 1771.")


async def test_a_courtesy_is_no_answer_without_sources():
    request = AnswerRequest(question="Thanks!", mode="assistant", courtesy="thanks")
    _, _, draft, sent = await outcome(Model("You are welcome!"), request=request)
    assert (draft.outcome, sent) == ("courtesy", "You are welcome!")


async def test_an_empty_answer_of_an_assistant_is_still_a_failure():
    state, code, draft, sent = await outcome(Model(" "), request=AnswerRequest(question="When?", mode="assistant"))
    assert (state, code, draft.text.strip(), sent.strip()) == ("failed", "model_answer_empty", "", "")
