"""chats.grounded -> generate -> chats.answered, messages.changed, usage.recorded, digests.asked

Asks the model, resolves citations while the text streams, gathers deltas, and stores the message before it publishes ``completed``, so that
the next question sees it. It runs under a lease per conversation: after a crash the next worker starts a higher attempt, and readers drop
the lower one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from adapters.fairness import Weight, equal_weight
from adapters.models.choose import create_answer_model
from adapters.models.grounding.citations import CitationResolver
from adapters.models.grounding.local import LocalModel
from adapters.models.port import AnswerModel, AnswerRequest, Speaker, Spent
from adapters.models.request import build_grounded_request
from agents.generate import cached_answers, metrics, reply_events
from agents.generate.answer_stream import ThinkingStream, check_numbers, run_stream, stream_answer
from agents.generate.bounded_calls import CountedModel
from agents.generate.cached_answers import AnswerCache, AnswerClaim, CachedAnswer
from agents.generate.reply_events import NAME, ReplyDraft
from agents.generate.summary_requests import request_summary
from domain import composition
from domain.chats.answer_calls import AnswerCalls
from domain.chats.delta_buffer import DeltaBuffer, window_s
from domain.chats.history import NO_HISTORY, HistoryBudget
from domain.chats.reply_lock import CancelWatch, ReplyLocks
from domain.chats.topics import CHATS_GROUNDED, MESSAGES_CHANGED
from domain.documents.visibility import Visibility
from domain.read_models import ReadModels
from schemas import ids
from schemas.chats import (
    ChatGrounded,
    Citation,
    Extended,
    Message,
    MessageChanged,
    MessageState,
    Passage,
    ReplyExtended,
    ReplyStarted,
    ReplyThought,
    Source,
    Started,
    Thought,
    Usage,
)
from schemas.errors import Interrupted, Problem, Superseded, Unavailable
from schemas.settings import ModelSettings, WorkerSettings
from streams.log.outgoing import Outgoing
from streams.runtime.adaptive_concurrency import AdaptiveConcurrency
from streams.runtime.agent import Agent, Context, none_waiting
from streams.runtime.agent_ports import AgentPorts

WORKER_GROUP = "chat"
ROUNDS_MAX = 2  # searches again when documents changed meanwhile; after that the remaining passages are used

T = TypeVar("T")


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, with the answer model."""
    settings, limits = ports.settings, ports.get(composition.concurrency_limits)
    model = ports.attach(create_answer_model(settings, limits))
    watch, visibility = ports.attach(CancelWatch(ports.redis, ports.prefix)), ports.get(composition.visibility)
    step = Generate(
        *(model, settings.model, ports.get(composition.read_models), ReplyLocks(ports.redis, ports.prefix), watch, visibility),
        budget=HistoryBudget.from_limits(settings.limits),
        titles=ports.get(composition.writer) is not None,
        calls=AnswerCalls(ports.redis, ports.prefix, settings.model.calls_max),
        answer_cache=cached_answers.answer_cache(settings, ports.get(composition.cache), visibility, model.name),
        waits=lambda: limits.people_waiting,
        public_url=settings.node.public_url,
        late_s=settings.lanes.late_s,
        weight=settings.lanes.weight_of,
    )
    return (step.agent(),)


@dataclass(slots=True)
class Generate:
    """The agent's ports, and how many answers it may give at once."""

    model: AnswerModel
    settings: ModelSettings
    views: ReadModels
    reply_locks: ReplyLocks
    watch: CancelWatch
    visibility: Visibility
    budget: HistoryBudget = NO_HISTORY  # of the history that travels with the next question
    titles: bool = False  # whether a model can write them
    calls: AnswerCalls | None = None  # None: not bounded
    answer_cache: AnswerCache | None = None  # None: every question is the model's
    waits: Callable[[], int] = none_waiting  # answers of this process that wait for a permit of the model
    public_url: str = ""  # of the API, for the URLs in citations
    late_s: float = WorkerSettings().late_s  # with a loop later than that it begins fewer answers
    weight: Weight = equal_weight  # of a tenant's turns
    throttle: AdaptiveConcurrency = field(init=False)

    def __post_init__(self) -> None:
        self.throttle = AdaptiveConcurrency(self.settings.concurrency, self.late_s, self.weight)

    def agent(self) -> Agent:
        """Leased: at most one worker answers in a conversation at a time."""
        return Agent(
            name=NAME,
            reads=(CHATS_GROUNDED,),
            step=self.step,
            failed=self.report_failure,
            in_flight_max=self.settings.concurrency,
            leased=True,
            awaited=True,
            waits=lambda: self.throttle.waiting + self.waits(),
            late=self.throttle.observe,
        )

    async def step(self, event: ChatGrounded, context: Context) -> Sequence[Outgoing]:
        """One answer, from the passages to the stored message."""
        with self.watch.subscribe(event.tenant, event.data.question.reply_id) as cancelled:
            async with self.throttle.slot(unless=cancelled, tenant=event.tenant):
                context.alive()
                return await self.process(event, context, cancelled)

    async def process(self, event: ChatGrounded, context: Context, cancelled: asyncio.Event) -> Sequence[Outgoing]:
        """The same, within its slot; Redis is read only now, in one go."""
        stored, passages, _ = await asyncio.gather(self.find_message(event), self.visible_passages(event), self.watch.check(cancelled))
        if stored is not None:  # the question came twice, or a worker died after storing the message
            return await self.repeat_end(event, context, stored)
        if event.data.problem is not None:
            return await self.conclude(event, context, ReplyDraft(), "failed", problem=event.data.problem)
        draft = ReplyDraft()
        if cancelled.is_set():
            return await self.conclude(event, context, draft, "cancelled")
        if len(passages) < len(event.data.passages) and event.data.question.round < ROUNDS_MAX:
            return [reply_events.search_again(event, context)]
        try:
            return await self.respond(event, context, draft, passages, cancelled)
        except Unavailable as error:
            if not draft.text:
                raise
            # the log or Redis failed in the middle: the answer is repeated under a higher attempt
            raise Interrupted(f"attempt {context.attempt} broke off after {len(draft.text)} characters: {error.detail}") from error

    async def respond(
        self, event: ChatGrounded, context: Context, draft: ReplyDraft, passages: tuple[Passage, ...], cancelled: asyncio.Event
    ) -> Sequence[Outgoing]:
        """From the answer cache, or by the model."""
        async with cached_answers.claim_answer(self.answer_cache, event, passages, cancelled) as claim:
            if cancelled.is_set():
                return await self.conclude(event, context, draft, "cancelled")
            if claim.answer is not None:
                return await self.repeat(event, context, draft, claim.answer)
            return await self.answer(event, context, draft, passages, cancelled, claim)

    async def repeat(self, event: ChatGrounded, context: Context, draft: ReplyDraft, answer: CachedAnswer) -> Sequence[Outgoing]:
        """Publish the cached answer to the same question."""
        began = context.clock.monotonic_s()
        await self.start(event, context, draft, answer.sources)
        for seq, piece in enumerate(answer.pieces, start=1):
            await self.extend(event, context, draft, seq, piece.text, piece.citations)
        draft.text, draft.citations, draft.versions = answer.text, list(answer.citations), answer.versions
        draft.finish_reason, draft.usage, draft.cached, draft.outcome = answer.finish_reason, Usage(), True, answer.outcome
        draft.speaker = Speaker(model=answer.model, provider=answer.provider, prompt_hash=answer.prompt_hash)
        draft.unsupported_numbers = answer.unsupported_numbers
        return await self.conclude(event, context, draft, "complete", began=began)

    async def answer(
        self,
        event: ChatGrounded,
        context: Context,
        draft: ReplyDraft,
        passages: tuple[Passage, ...],
        cancelled: asyncio.Event,
        claim: AnswerClaim,
    ) -> Sequence[Outgoing]:
        """Stream the model's answer, then conclude."""
        began = context.clock.monotonic_s()
        await self.start(event, context, draft, tuple(reply_events.source_of(passage) for passage in passages))
        await self.check_log(event, context, draft)
        state, problem = await run_stream(self.stream(event, context, draft, passages, began), draft, cancelled)
        if state == "complete":
            await claim.store(draft, passages)
        return await self.conclude(event, context, draft, state, problem=problem, passages=passages, began=began)

    async def check_log(self, event: ChatGrounded, context: Context, draft: ReplyDraft) -> None:
        """The log has taken the start, and the message has a place on it: an answer that could not be published is not paid for."""
        context.publisher.partition_for(MESSAGES_CHANGED, event.data.question.conversation_id)
        for acknowledgement in draft.acknowledgements:
            await acknowledgement

    async def report_failure(self, event: ChatGrounded, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """The event becomes a dead letter, and the reply fails. An answer that an earlier attempt stored stays as it is."""
        stored = await self.find_message(event)
        if stored is not None:
            return await self.repeat_end(event, context, stored)
        return await self.conclude(event, context, ReplyDraft(), "failed", problem=problem)

    async def start(self, event: ChatGrounded, context: Context, draft: ReplyDraft, sources: tuple[Source, ...]) -> None:
        """Publish the start: the model and its sources."""
        grounding = event.data
        started = Started(
            conversation_id=grounding.question.conversation_id,
            attempt=context.attempt,
            model=self.model.name,
            keywords=grounding.keywords,
            sources=sources,
        )
        draft.acknowledgements.append(await context.publisher.enqueue(reply_events.reply_event(event, context, ReplyStarted, started, 0)))

    async def extend(
        self, event: ChatGrounded, context: Context, draft: ReplyDraft, seq: int, text: str, citations: tuple[Citation, ...]
    ) -> None:
        """Publish more text."""
        conversation = event.data.question.conversation_id
        data = Extended(conversation_id=conversation, attempt=context.attempt, seq=seq, text=text, citations=citations)
        draft.acknowledgements.append(await context.publisher.enqueue(reply_events.reply_event(event, context, ReplyExtended, data, seq)))

    async def extend_thinking(self, event: ChatGrounded, context: Context, draft: ReplyDraft, seq: int, text: str) -> None:
        """Publish more of what the model thinks."""
        data = Thought(conversation_id=event.data.question.conversation_id, attempt=context.attempt, seq=seq, text=text)
        draft.acknowledgements.append(await context.publisher.enqueue(reply_events.reply_event(event, context, ReplyThought, data, seq)))

    async def stream(self, event: ChatGrounded, context: Context, draft: ReplyDraft, passages: tuple[Passage, ...], began: float) -> None:
        """The model's answer, as deltas on the log."""

        async def send(seq: int, text: str, citations: tuple[Citation, ...]) -> None:
            await self.extend(event, context, draft, seq, text, citations)

        async def send_thinking(seq: int, text: str, _: tuple[Citation, ...]) -> None:
            await self.extend_thinking(event, context, draft, seq, text)

        async def record(spent: Spent) -> None:
            draft.failed_calls += 1
            usage = reply_events.spent_event(event, context, spent, draft.failed_calls)
            draft.acknowledgements.append(await context.publisher.enqueue(usage))

        def elapsed_ms() -> float:
            return (context.clock.monotonic_s() - began) * 1000

        def window() -> float:
            return window_s(self.settings.delta_window_ms, self.throttle.running)

        def check() -> str:
            return check_numbers(draft, passages, event.data.question.content, self.settings.unsupported_numbers)

        request = build_grounded_request(event.data, passages, self.settings)
        thinking = ThinkingStream()
        if event.data.question.shows_thinking and self.settings.show_thinking != "never":
            thinking = ThinkingStream(DeltaBuffer(send_thinking, window), self.settings.thinking_chars_max, self.settings.foreign_markup)
        citations, deltas = CitationResolver(passages, public_url=self.public_url), DeltaBuffer(send, window)
        model = self.bounded_model_for(event, request)
        markup = self.settings.foreign_markup
        await stream_answer(model, request, citations, deltas, draft, elapsed_ms, check, thinking=thinking, record=record, markup=markup)

    def model_for(self, request: AnswerRequest) -> AnswerModel:
        """The model to ask. A grounded question without any passage has one answer, which no provider needs to be paid for."""
        pointless = request.mode == "grounded" and request.courtesy is None and not request.passages
        return LocalModel() if pointless else self.model

    def bounded_model_for(self, event: ChatGrounded, request: AnswerRequest) -> AnswerModel:
        """The same, called no more often for one reply than it may be; the local one costs nothing."""
        model = self.model_for(request)
        if self.calls is None or isinstance(model, LocalModel):
            return model
        return CountedModel(model, self.calls, event.tenant, event.data.question.reply_id)

    async def conclude(
        self,
        event: ChatGrounded,
        context: Context,
        draft: ReplyDraft,
        state: MessageState,
        *,
        problem: Problem | None = None,
        passages: tuple[Passage, ...] = (),
        began: float | None = None,
    ) -> Sequence[Outgoing]:
        """Store the message, release the conversation's lock, and only then publish the end of the reply. A message from a channel without
        conversations is stored for a day only.
        """
        for acknowledgement in draft.acknowledgements:
            await acknowledgement
        if not await context.still_owner():
            raise Superseded(f"a newer attempt than {context.attempt} answers {event.data.question.reply_id}")
        message = reply_events.build_message(
            event, context, draft, state, model=self.model.name, problem=problem, passages=passages, began=began
        )
        if message.outcome is not None:
            metrics.ANSWERS.labels(event.data.question.mode, message.outcome).inc()
        if event.data.question.door != "conversation":  # no lock was taken, and the log has no record of it
            await _or_default(None, self.views.put_brief_message(event.tenant, message, context.place))
            return self.final_events(event, context, message)
        if state == "cancelled" and await self.is_deleted(event):
            return reply_events.terminal_events(event, context, msgspec.structs.replace(message, content="", citations=()))
        changed = MessageChanged.from_cause(event, NAME, subject=message.id, data=message, now=context.clock.now())
        changed = msgspec.structs.replace(changed, id=ids.derive("message", message.id))  # one record, however often it was searched again
        partition = context.publisher.partition_for(MESSAGES_CHANGED, message.conversation_id)
        place = await context.publisher.publish(Outgoing(MESSAGES_CHANGED, changed, partition=partition))
        await _or_default(None, self.views.apply(changed, place))  # with Redis down the projection does it later
        await _or_default(None, self.reply_locks.release(event.tenant, message.conversation_id, message.id))
        return self.final_events(event, context, message)

    def final_events(self, event: ChatGrounded, context: Context, message: Message) -> list[Outgoing]:
        """The end of the reply as its message has it, and the request for a summary or title."""
        digests = request_summary(event, context, message, NAME, budget=self.budget, titles=self.titles)
        return [*reply_events.terminal_events(event, context, message), *digests]

    async def is_deleted(self, event: ChatGrounded) -> bool:
        """Whether the conversation was deleted: that cancels its replies, and none of their text may stay."""
        scope = f"{event.tenant}/{event.data.question.conversation_id}"
        return await _or_default(default=False, result=self.views.messages.is_closed(scope))

    async def repeat_end(self, event: ChatGrounded, context: Context, stored: Message) -> list[Outgoing]:
        """The end of a reply that an earlier attempt stored. The lock is released: asking again has taken it again."""
        await _or_default(None, self.reply_locks.release(event.tenant, stored.conversation_id, stored.id))
        return self.final_events(event, context, stored)

    async def find_message(self, event: ChatGrounded) -> Message | None:
        """The message that an earlier attempt stored."""
        question = event.data.question
        return await _or_default(None, self.views.messages.get(f"{event.tenant}/{question.conversation_id}", question.reply_id))

    async def visible_passages(self, event: ChatGrounded) -> tuple[Passage, ...]:
        """The passages whose version is still visible; with Redis down all of them."""
        passages = event.data.passages
        keys = {ids.document_key(event.tenant, p.knowledge_base_id, p.document_id) for p in passages}
        if not keys:
            return ()
        states = await _or_default(None, self.visibility.version_states(sorted(keys)))
        if states is None:
            return passages
        visible = [p for p in passages if states[ids.document_key(event.tenant, p.knowledge_base_id, p.document_id)].is_visible(p.version)]
        return tuple(visible)


async def _or_default(default: T, result: Awaitable[T]) -> T:
    """The result, or ``default`` while Redis is down: a running conversation goes on without it."""
    try:
        return await result
    except Unavailable as error:
        if error.code != "redis_unavailable":
            raise
        return default
