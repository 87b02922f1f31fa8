"""The stream of one answer: model -> citations -> deltas -> log, until it ends, fails or is cancelled.

What the model thinks goes another way, apart from the answer: into events of its own, when a reader asked for it, and into nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Literal

from adapters.models.dialogue.refusals import RefusalDetector, judge_outcome
from adapters.models.grounding.citations import CitationResolver, CitedText
from adapters.models.grounding.numbers import find_unsupported_numbers, note_on
from adapters.models.port import AnswerModel, AnswerRequest, EmptyAnswer, Finish, Piece, Spent, ThoughtPiece
from adapters.models.rules import unsourced_note
from adapters.text.markup import MarkupFilter, Policy
from agents.generate.reply_events import LOCAL, ReplyDraft
from domain.chats.delta_buffer import DeltaBuffer
from schemas.chats import MessageState, Outcome, Passage
from schemas.errors import Problem, Refused


class ThinkingStream:
    """The thinking of one answer on its way to its readers: at most ``chars_max`` characters, the rest is dropped. Without ``deltas``
    nobody wants it.
    """

    def __init__(self, deltas: DeltaBuffer | None = None, chars_max: int = 0, markup: Policy = "mark") -> None:
        self._deltas, self._left = deltas, chars_max
        self._markup = MarkupFilter(markup)

    async def add(self, text: str) -> None:
        """More of it."""
        if self._deltas is not None:
            await self._send(self._deltas, self._markup.feed(text))

    async def _send(self, deltas: DeltaBuffer, text: str) -> None:
        shown, self._left = text[: self._left], max(self._left - len(text), 0)
        await deltas.add(shown)

    async def flush(self) -> None:
        """Send what is buffered: the answer begins, and comes after it."""
        if self._deltas is not None:
            await self._deltas.flush()

    async def close(self) -> None:
        """Send the rest."""
        if self._deltas is not None:
            await self._send(self._deltas, self._markup.finish())
            await self._deltas.close()


class _CitedStream:
    """The text of one answer on its way into the draft and to its readers. An answer that begins by saying that the passages do not hold it
    cites nothing. What the model thought before the first word goes out before it.
    """

    def __init__(
        self,
        citations: CitationResolver,
        deltas: DeltaBuffer,
        draft: ReplyDraft,
        elapsed_ms: Callable[[], float],
        thoughts: ThinkingStream,
        markup: Policy,
    ) -> None:
        self._citations, self._deltas, self._draft = citations, deltas, draft
        self._elapsed_ms, self._thoughts = elapsed_ms, thoughts
        self._refusal = RefusalDetector()
        self._markup = MarkupFilter(markup)

    @property
    def is_refusal(self) -> bool:
        return self._refusal.found

    async def feed(self, text: str) -> None:
        """More of the model's text, with its markers."""
        await self._read(self._refusal.feed(self._markup.feed(text)))

    async def finish(self) -> None:
        """The rest of it."""
        await self._read(self._refusal.feed(self._markup.finish()))
        await self._read(self._refusal.finish())
        await self.add(self._citations.finish())

    async def add(self, spans: Iterable[CitedText]) -> None:
        """Text as it is shown."""
        draft = self._draft
        for span in spans:
            if span.text and not draft.text:
                draft.first_text_ms = self._elapsed_ms()
                await self._thoughts.flush()
            draft.text += span.text
            draft.spans.append((span.text, span.citations))
            draft.citations.extend(span.citations)
            await self._deltas.add(span.text, span.citations)

    async def _read(self, text: str) -> None:
        if self._refusal.found:
            self._citations.withdraw()
        if text:
            await self.add(self._citations.feed(text))


async def _forget(_: Spent) -> None:
    """For callers that keep no account."""


async def stream_answer(
    model: AnswerModel,
    request: AnswerRequest,
    citations: CitationResolver,
    deltas: DeltaBuffer,
    draft: ReplyDraft,
    elapsed_ms: Callable[[], float],
    check: Callable[[], str] = str,
    *,
    thinking: ThinkingStream | None = None,
    record: Callable[[Spent], Awaitable[None]] = _forget,
    markup: Policy = "mark",
) -> None:
    """Stream the model's answer into the draft and the deltas; raises what the model raises.

    An answer that begins by saying that the passages do not hold it cites nothing; one of an assistant that cites nothing ends with a note.
    ``check`` looks at the whole draft and returns what is to be added at its end. ``thinking``: where the thinking goes, None for nowhere.
    ``record`` is called with what a call cost that gave no answer. ``markup``: what happens to images and raw HTML.
    """
    thoughts = thinking or ThinkingStream()
    text = _CitedStream(citations, deltas, draft, elapsed_ms, thoughts, markup)
    try:
        async with aclosing(model.answer(request)) as pieces:
            async for piece in pieces:
                match piece:
                    case ThoughtPiece():
                        draft.add_thinking(piece)
                        await thoughts.add(piece.text)
                    case Spent():
                        draft.thinking_tokens.pop(piece.speaker, None)
                        await record(piece)
                    case Finish():
                        draft.speaker, draft.usage, draft.finish_reason = piece.speaker, piece.usage, piece.reason
                    case Piece():
                        draft.speaker = piece.speaker
                        await text.feed(piece.text)
        await text.finish()
        for note in _closing_notes(request, draft, check, found=text.is_refusal):
            await text.add([CitedText(note)])
    finally:
        await thoughts.close()
        await deltas.close()  # also after a failure or a cancel: the reader keeps the text so far


def _closing_notes(request: AnswerRequest, draft: ReplyDraft, check: Callable[[], str], *, found: bool) -> Iterator[str]:
    """What is added at the end of the text, one after the other: the outcome is judged in between."""
    if note := check():
        yield note
    draft.outcome = _judge(request, draft, found=found)
    if note := _closing_note(request, draft):
        yield note


def check_numbers(draft: ReplyDraft, passages: Sequence[Passage], question: str, how: Literal["report", "show", "off"]) -> str:
    """Note in the draft which numbers of a language model stand in no cited passage; returns the sentence that shows them, if wanted."""
    if how == "off" or draft.speaker.provider == LOCAL:
        return ""
    draft.unsupported_numbers = find_unsupported_numbers(draft.text, draft.citations, passages, question)
    return note_on(draft.unsupported_numbers, question) if how == "show" else ""


def _judge(request: AnswerRequest, draft: ReplyDraft, *, found: bool) -> Outcome:
    return "courtesy" if request.courtesy is not None else judge_outcome(draft.text, cited=bool(draft.citations), found=found)


def _closing_note(request: AnswerRequest, draft: ReplyDraft) -> str:
    """What is added to an assistant's text without citations; "" below any other answer."""
    if request.mode != "assistant" or draft.outcome != "unsourced" or not draft.text.strip():
        return ""
    return unsourced_note(request.question)


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
