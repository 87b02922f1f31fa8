"""Reply events: pure functions from the event, the context and the draft to outgoing events."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

import msgspec

from adapters.models.port import NO_SPEAKER, Speaker, Spent, ThoughtPiece
from adapters.text.language import estimate_tokens
from domain.chats.topics import CHATS_ANSWERED, CHATS_ASKED
from domain.usage.topics import USAGE_RECORDED
from schemas import ids
from schemas.chats import (
    Cancelled,
    ChatAsked,
    ChatGrounded,
    Citation,
    Completed,
    Consumption,
    Extended,
    Failed,
    LogPlace,
    Message,
    MessageState,
    Outcome,
    Passage,
    Purpose,
    ReplyCancelled,
    ReplyCompleted,
    ReplyFailed,
    Source,
    Started,
    Thought,
    UnsupportedNumber,
    Usage,
    UsageRecorded,
)
from schemas.errors import Problem
from schemas.events import Event
from streams.log.outgoing import LogOffset, Outgoing
from streams.runtime.agent import Context

NAME = "generate"
LOCAL = "local"  # the provider of quotes, which are literal and cost nothing

ReplyData = Started | Extended | Thought | Completed | Failed | Cancelled


@dataclass(slots=True)
class ReplyDraft:
    """The reply of one attempt so far. Times are milliseconds since the step began.

    ``spans`` are the pieces of its text with their citations. ``cached``: it came from the answer cache, rests on ``versions``, and cost
    nothing.
    """

    text: str = ""
    citations: list[Citation] = field(default_factory=list)
    acknowledgements: list[Awaitable[LogOffset]] = field(default_factory=list)
    usage: Usage | None = None
    finish_reason: str = ""
    first_text_ms: float = 0.0
    speaker: Speaker = NO_SPEAKER
    spans: list[tuple[str, tuple[Citation, ...]]] = field(default_factory=list)
    cached: bool = False
    failed_calls: int = 0  # that cost something
    thinking_tokens: dict[Speaker, int] = field(default_factory=dict)  # estimated, of calls whose cost is not recorded
    versions: dict[str, int] = field(default_factory=dict)
    unsupported_numbers: tuple[UnsupportedNumber, ...] = ()
    outcome: Outcome | None = None
    is_started: bool = False  # its start was published
    is_ended: bool = False  # its message is being stored

    async def wait_acknowledged(self) -> None:
        """Wait until the log has everything that was published. Raises Unavailable."""
        for acknowledgement in self.acknowledgements:
            await acknowledgement

    def add_thinking(self, piece: ThoughtPiece) -> None:
        """Count thinking, which costs also when the answer never comes."""
        self.speaker = piece.speaker
        self.thinking_tokens[piece.speaker] = self.thinking_tokens.get(piece.speaker, 0) + estimate_tokens(piece.text)


def terminal_events(event: ChatGrounded, context: Context, message: Message) -> list[Outgoing]:
    """The end of the reply as its message has it, and its usage; the usage has the same id whatever the attempt, so it is charged once."""
    return [terminal_event(event, context, message), usage_event(event, context, message)]


def terminal_event(event: ChatGrounded, context: Context, message: Message) -> Outgoing:
    """The end of the reply as its message has it, under the message's attempt."""
    conversation, attempt = message.conversation_id, message.attempt
    if message.state == "failed":
        failed = Failed(conversation_id=conversation, attempt=attempt, problem=message.problem or Problem())
        return reply_event(event, context, ReplyFailed, failed, 0)
    if message.state == "cancelled":
        cancelled = Cancelled(conversation_id=conversation, attempt=attempt, text=message.content)
        return reply_event(event, context, ReplyCancelled, cancelled, 0)
    completed = Completed(
        conversation_id=conversation,
        attempt=attempt,
        text=message.content,
        citations=message.citations,
        usage=message.usage,
        finish_reason=message.finish_reason,
        cached=message.cached,
        model=message.model,
        unsupported_numbers=message.unsupported_numbers,
        outcome=message.outcome,
    )
    return reply_event(event, context, ReplyCompleted, completed, 0)


def usage_event(event: ChatGrounded, context: Context, message: Message) -> Outgoing:
    """Usage of the reply, and how it ended, also of one that ended without a model: it was asked. The same id whatever the attempt and
    however often it was searched again, so it is charged once.
    """
    data = Consumption.of(
        message.usage,
        user_id=message.user_id,
        conversation_id=message.conversation_id,
        reply_id=message.id,
        model=message.model,
        cached=message.cached,
        reserved=event.data.question.reserved,
        api_key_id=event.data.question.api_key_id,
        provider=message.provider,
        cost_micros=message.cost_micros,
        ended=(message.outcome or "answered") if message.state == "complete" else message.state,
        knowledge_base_ids=event.data.question.knowledge_base_ids,
    )
    made = UsageRecorded.from_cause(event, NAME, subject=message.user_id, data=data, now=context.clock.now())
    return Outgoing(USAGE_RECORDED, msgspec.structs.replace(made, id=ids.derive("usage", message.id, "answer")))


def spent_event(event: ChatGrounded, context: Context, spent: Spent, number: int) -> Outgoing:
    """Usage of a call that gave no answer, the ``number``th of this attempt."""
    return _spent_event(event, context, spent, "failed_answer", "spent", number)


def unshown_events(event: ChatGrounded, context: Context, draft: ReplyDraft, passages: Sequence[Passage]) -> list[Outgoing]:
    """Usage of a draft that is not the answer, because another attempt is; none when nobody was paid for it."""
    if draft.cached or draft.speaker.provider in ("", LOCAL):
        return []
    usage = draft.usage or estimate_usage(draft.text, event.data.question.content, passages, draft.thinking_tokens.get(draft.speaker, 0))
    if not usage.prompt_tokens + usage.completion_tokens:
        return []
    return [_spent_event(event, context, Spent(usage=usage, speaker=draft.speaker), "unshown_answer", "unshown", 0)]


def _spent_event(event: ChatGrounded, context: Context, spent: Spent, purpose: Purpose, distinction: str, number: int) -> Outgoing:
    question, usage, speaker = event.data.question, spent.usage, spent.speaker
    data = Consumption.of(
        usage,
        user_id=question.user_id,
        conversation_id=question.conversation_id,
        reply_id=question.reply_id,
        model=speaker.model,
        api_key_id=question.api_key_id,
        provider=speaker.provider,
        cost_micros=speaker.prices.cost_micros(usage),
        purpose=purpose,
    )
    agent = f"{NAME}:{distinction}:{context.attempt}"
    made = UsageRecorded.from_cause(event, agent, subject=question.user_id, data=data, now=context.clock.now(), ordinal=number)
    return Outgoing(USAGE_RECORDED, made)


def build_message(
    event: ChatGrounded,
    context: Context,
    draft: ReplyDraft,
    state: MessageState,
    *,
    model: str,
    problem: Problem | None,
    passages: tuple[Passage, ...],
    began: float | None,
) -> Message:
    """The record of this answer. ``model`` is the one to ask first, for an answer that did not begin."""
    thought = draft.thinking_tokens.get(draft.speaker, 0)
    usage = draft.usage or estimate_usage(draft.text, event.data.question.content, passages, thought)
    grounding, question, now = event.data, event.data.question, context.clock.now()
    timings = {"retrieve": round(grounding.retrieve_ms, 3), "total": round((now - question.asked_at).total_seconds() * 1000, 3)}
    if began is not None:
        timings["first_text"] = round(draft.first_text_ms, 3)
        timings["generate"] = round((context.clock.monotonic_s() - began) * 1000, 3)
    return Message(
        id=question.reply_id,
        conversation_id=question.conversation_id,
        user_id=question.user_id,
        role="assistant",
        content=draft.text,
        created_at=now,
        parent_id=question.message_id,
        ancestors=(*question.ancestors, question.message_id),
        state=state,
        attempt=context.attempt,
        model=draft.speaker.model or model,
        citations=tuple(draft.citations),
        versions=draft.versions or versions_of(event.tenant, passages),
        usage=usage,
        finish_reason=draft.finish_reason or state,
        problem=problem,
        timings_ms=timings,
        cached=draft.cached,
        provider=draft.speaker.provider,
        cost_micros=draft.speaker.prices.cost_micros(usage),
        prompt_hash=draft.speaker.prompt_hash,
        asked=grounding.asked,
        grounded=LogPlace(context.place.partition, context.place.offset),
        unsupported_numbers=draft.unsupported_numbers,
        mode=question.mode if state == "complete" else None,
        outcome=draft.outcome if state == "complete" else None,
    )


def reply_event(event: ChatGrounded, context: Context, kind: type[Event], data: ReplyData, ordinal: int) -> Outgoing:
    """An event of this reply, in the partition that the asking replica reads."""
    question = event.data.question
    now, agent = context.clock.now(), f"{NAME}:{data.attempt}"  # another attempt has other text: its events have other ids
    made = kind.from_cause(event, agent, subject=question.reply_id, data=data, now=now, ordinal=ordinal)
    return Outgoing(CHATS_ANSWERED, made, partition=question.reply_partition)


def search_again(event: ChatGrounded, context: Context) -> Outgoing:
    """The question once more: documents changed between the search and the answer, and the new versions may answer it."""
    question = event.data.question
    again = msgspec.structs.replace(question, round=question.round + 1)
    return Outgoing(CHATS_ASKED, ChatAsked.from_cause(event, NAME, data=again, now=context.clock.now()))


def versions_of(tenant: str, passages: Sequence[Passage]) -> dict[str, int]:
    """The versions of the passages' documents: document key to version."""
    return {ids.document_key(tenant, passage.knowledge_base_id, passage.document_id): passage.version for passage in passages}


def source_of(passage: Passage) -> Source:
    """A passage as readers see it."""
    return Source(
        marker=passage.marker,
        chunk_id=passage.chunk_id,
        knowledge_base_id=passage.knowledge_base_id,
        document_id=passage.document_id,
        version=passage.version,
        title=passage.title,
        locator=passage.locator,
        score=passage.score,
    )


def estimate_usage(text: str, question: str, passages: Sequence[Passage], thinking_tokens: int = 0) -> Usage:
    """Estimated tokens of an answer whose provider sent no usage; none when there was neither text nor thinking."""
    if not text and not thinking_tokens:
        return Usage()
    prompt = estimate_tokens(question) + sum(estimate_tokens(passage.text) for passage in passages)
    return Usage(
        prompt_tokens=prompt, completion_tokens=estimate_tokens(text) + thinking_tokens, estimated=True, reasoning_tokens=thinking_tokens
    )
