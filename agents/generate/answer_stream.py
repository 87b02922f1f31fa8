"""The stream of one answer: model -> citations -> deltas -> log, until it ends, fails or is cancelled."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Literal

from adapters.models.citations import CitationResolver, CitedText
from adapters.models.numbers import find_unsupported_numbers, note_on
from adapters.models.port import AnswerModel, AnswerRequest, EmptyAnswer, Finish
from agents.generate.reply_events import ReplyDraft
from domain.chats.delta_buffer import DeltaBuffer
from schemas.chats import MessageState, Passage
from schemas.errors import Problem, Refused

LOCAL = "local"  # the provider of quotes, which are literal


async def stream_answer(
    model: AnswerModel,
    request: AnswerRequest,
    citations: CitationResolver,
    deltas: DeltaBuffer,
    draft: ReplyDraft,
    elapsed_ms: Callable[[], float],
    check: Callable[[], str] = str,
) -> None:
    """Stream the model's answer into the draft and the deltas; raises what the model raises.

    ``check`` looks at the whole draft and returns what is to be added at its end.
    """

    async def add(spans: Iterable[CitedText]) -> None:
        for span in spans:
            if span.text and not draft.text:
                draft.first_text_ms = elapsed_ms()
            draft.text += span.text
            draft.spans.append((span.text, span.citations))
            draft.citations.extend(span.citations)
            await deltas.add(span.text, span.citations)

    try:
        async with aclosing(model.answer(request)) as pieces:
            async for piece in pieces:
                draft.speaker = piece.speaker
                if isinstance(piece, Finish):
                    draft.usage, draft.finish_reason = piece.usage, piece.reason
                else:
                    await add(citations.feed(piece.text))
        await add(citations.finish())
        await add([CitedText(note)] if (note := check()) else ())
    finally:
        await deltas.close()  # also after a failure or a cancel: the reader keeps the text so far


def check_numbers(draft: ReplyDraft, passages: Sequence[Passage], question: str, how: Literal["report", "show", "off"]) -> str:
    """Note in the draft which numbers of a language model stand in no cited passage; returns the sentence that shows them, if wanted."""
    if how == "off" or draft.speaker.provider == LOCAL:
        return ""
    draft.unsupported_numbers = find_unsupported_numbers(draft.text, draft.citations, passages, question)
    return note_on(draft.unsupported_numbers, question) if how == "show" else ""


async def run_stream(stream: Coroutine[Any, Any, None], draft: ReplyDraft, cancelled: asyncio.Event) -> tuple[MessageState, Problem | None]:
    """Run the stream until it ends, fails or is cancelled; raises Unavailable when the model sent no text and may do so later.

    An answer without text is a failure, whatever its finish reason: all it had may have been markers of no passage.
    """
    streaming = asyncio.create_task(stream)
    stopping = asyncio.create_task(cancelled.wait())
    try:
        await asyncio.wait({streaming, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not streaming.done():
            streaming.cancel()
            await asyncio.wait({streaming})
    if streaming.cancelled():
        return "cancelled", None
    try:
        streaming.result()
    except Refused as error:  # the model's own end: an outcome of this reply, not an event that could not be handled
        if isinstance(error, EmptyAnswer):
            draft.usage, draft.speaker = error.usage, error.speaker
        return "failed", error.problem()
    if not draft.text.strip():
        return "failed", Refused("model_answer_empty", "Nothing that can be shown was left of the answer.").problem()
    return "complete", None
