"""The stream of one answer: model -> citations -> deltas -> log, until it ends, fails or is cancelled.

What the model thinks goes another way, apart from the answer: into events of its own, when a reader asked for it, and into nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import Any

from adapters.models.citations import CitationResolver, CitedText
from adapters.models.port import AnswerModel, AnswerRequest, EmptyAnswer, Finish, Piece, Spent, ThoughtPiece
from agents.generate.reply_events import ReplyDraft
from domain.chats.delta_buffer import DeltaBuffer
from schemas.chats import MessageState
from schemas.errors import Problem, Refused


class ThinkingStream:
    """The thinking of one answer on its way to its readers: at most ``chars_max`` characters, the rest is dropped. Without ``deltas``
    nobody wants it.
    """

    def __init__(self, deltas: DeltaBuffer | None = None, chars_max: int = 0) -> None:
        self._deltas, self._left = deltas, chars_max

    async def add(self, text: str) -> None:
        """More of it."""
        shown, self._left = text[: self._left], max(self._left - len(text), 0)
        if self._deltas is not None:
            await self._deltas.add(shown)

    async def flush(self) -> None:
        """Send what is buffered: the answer begins, and comes after it."""
        if self._deltas is not None:
            await self._deltas.flush()

    async def close(self) -> None:
        """Send the rest."""
        if self._deltas is not None:
            await self._deltas.close()


async def _forget(_: Spent) -> None:
    """For callers that keep no account."""


async def stream_answer(
    model: AnswerModel,
    request: AnswerRequest,
    citations: CitationResolver,
    deltas: DeltaBuffer,
    draft: ReplyDraft,
    elapsed_ms: Callable[[], float],
    *,
    thinking: ThinkingStream | None = None,
    record: Callable[[Spent], Awaitable[None]] = _forget,
) -> None:
    """Stream the model's answer into the draft and the deltas; raises what the model raises.

    ``thinking``: where the thinking goes, None for nowhere. ``record`` is called with what a call cost that gave no answer.
    """
    thoughts = thinking or ThinkingStream()

    async def add(spans: Iterable[CitedText]) -> None:
        for span in spans:
            if span.text and not draft.text:
                draft.first_text_ms = elapsed_ms()
                await thoughts.flush()
            draft.text += span.text
            draft.spans.append((span.text, span.citations))
            draft.citations.extend(span.citations)
            await deltas.add(span.text, span.citations)

    try:
        async with aclosing(model.answer(request)) as pieces:
            async for piece in pieces:
                match piece:
                    case ThoughtPiece():
                        await thoughts.add(piece.text)
                    case Spent():
                        await record(piece)
                    case Finish():
                        draft.speaker, draft.usage, draft.finish_reason = piece.speaker, piece.usage, piece.reason
                    case Piece():
                        draft.speaker = piece.speaker
                        await add(citations.feed(piece.text))
        await add(citations.finish())
    finally:
        await thoughts.close()
        await deltas.close()  # also after a failure or a cancel: the reader keeps the text so far


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
