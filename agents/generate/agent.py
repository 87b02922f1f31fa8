"""chats.grounded -> generate -> chats.answered, messages.changed, usage.recorded, digests.asked

Asks the model, resolves citations while the text streams, gathers deltas, and stores the message before it publishes ``completed``, so that
the next question sees it. It runs under a lease per conversation. Every try has a higher attempt than all before it, and readers drop the
lower ones. A try that may not be the first publishes its start, reads what lies before that on the log, and goes on only if the reply has
not ended there (docs/design/replies.md).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from adapters.fairness import Weight, equal_weight
from adapters.models.choose import create_answer_model
from adapters.models.grounding.citations import CitationResolver
from adapters.models.grounding.local import LocalModel
from adapters.models.port import AnswerModel, AnswerRequest, Speaker, Spent, first_asked
from adapters.models.request import build_grounded_request
from agents.generate import cached_answers, metrics, reply_events
from agents.generate.answer_stream import ThinkingStream, check_numbers, run_stream, stream_answer
from agents.generate.bounded_calls import CountedModel
from agents.generate.cached_answers import AnswerCache, AnswerClaim, CachedAnswer
from agents.generate.reply_events import NAME, ReplyDraft
from agents.generate.summary_requests import request_summary
from agents.generate.tries import FoundMessage, RecentEnds, tries_of
from domain import composition
from domain.chats.answer_calls import AnswerCalls
from domain.chats.delta_buffer import DeltaBuffer, window_s
from domain.chats.history import NO_HISTORY, HistoryBudget
from domain.chats.live_model import LiveModel
from domain.chats.reply_lock import CancelWatch, ReplyLocks
from domain.chats.reply_log import KafkaReplyLog, ReplyLog
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
    Question,
    ReplyExtended,
    ReplyStarted,
    ReplyThought,
    Source,
    Started,
    Thought,
    Usage,
)
from schemas.errors import REDIS_OUTAGES, Problem, Superseded, Unavailable
from schemas.settings import ModelSettings, WorkerSettings
from streams.live import Live
from streams.log.outgoing import Outgoing
from streams.runtime.adaptive_concurrency import AdaptiveConcurrency
from streams.runtime.agent import Agent, Context, none_waiting
from streams.runtime.agent_ports import AgentPorts

WORKER_GROUP = "chat"
ROUNDS_MAX = 2  # searches again when documents changed meanwhile; after that the remaining passages are used

T = TypeVar("T")


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, with the answer model."""
    settings, limits, live = ports.settings, ports.get(composition.concurrency_limits), ports.get(composition.live_settings)
    model = ports.attach(LiveModel(live.whole, lambda settings: create_answer_model(settings, limits)))
    watch, visibility = ports.attach(CancelWatch(ports.redis, ports.prefix)), ports.get(composition.visibility)
    step = Generate(
        *(model, live.of(ModelSettings), ports.get(composition.read_models), ReplyLocks(ports.redis, ports.prefix), watch, visibility),
        KafkaReplyLog(settings.kafka),
        budget=HistoryBudget.from_limits(settings.limits),
        titles=ports.get(composition.writer) is not None,
        calls=AnswerCalls(ports.redis, ports.prefix, settings.model.calls_max - 1),  # the first try's is not counted
        answer_cache=cached_answers.answer_cache(live.whole, ports.get(composition.cache), visibility, model),
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
    settings: Live[ModelSettings]
    views: ReadModels
    reply_locks: ReplyLocks
    watch: CancelWatch
    visibility: Visibility
    reply_log: ReplyLog
    budget: HistoryBudget = NO_HISTORY  # of the history that travels with the next question
    titles: bool = False  # whether a model can write them
    calls: AnswerCalls | None = None  # None: not bounded
    answer_cache: AnswerCache | None = None  # None: every question is the model's
    waits: Callable[[], int] = none_waiting  # answers of this process that wait for a permit of the model
    public_url: str = ""  # of the API, for the URLs in citations
    late_s: float = WorkerSettings().late_s  # with a loop later than that it begins fewer answers
    weight: Weight = equal_weight  # of a tenant's turns
    throttle: AdaptiveConcurrency = field(init=False)
    recent_ends: RecentEnds = field(default_factory=RecentEnds)

    def __post_init__(self) -> None:
        self.throttle = AdaptiveConcurrency(self.settings.value.concurrency, self.late_s, self.weight)

    def agent(self) -> Agent:
        """Leased: at most one worker answers in a conversation at a time."""
        return Agent(
            name=NAME,
            reads=(CHATS_GROUNDED,),
            step=self.step,
            failed=self.report_failure,
            in_flight_max=self.settings.value.concurrency,
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
        found, passages, _ = await asyncio.gather(self.find_message(event), self.visible_passages(event), self.watch.check(cancelled))
        draft, is_stale = ReplyDraft(), len(passages) < len(event.data.passages) and event.data.question.round < ROUNDS_MAX
        if is_stale and found.message is None and not cancelled.is_set():
            return [reply_events.search_again(event, context)]  # whose try finds out whether the reply has ended
        if (ended := await self.find_end(event, context, found, draft, passages)) is not None:
            return ended
        if event.data.problem is not None:
            return await self.conclude(event, context, draft, "failed", problem=event.data.problem)
        if cancelled.is_set():
            return await self.conclude(event, context, draft, "cancelled")
        try:
            return await self.respond(event, context, draft, passages, cancelled)
        except Unavailable:  # tried again here
            tries_of(context).add_unshown(context.attempt, reply_events.unshown_events(event, context, draft, passages))
            raise
        except (Superseded, asyncio.CancelledError):  # tried again by another worker
            with suppress(Unavailable):
                for each in () if draft.is_ended else reply_events.unshown_events(event, context, draft, passages):
                    await context.publisher.enqueue(each)
            raise

    async def find_end(
        self, event: ChatGrounded, context: Context, found: FoundMessage, draft: ReplyDraft, passages: tuple[Passage, ...]
    ) -> Sequence[Outgoing] | None:
        """The events that end a reply which an earlier try has ended, or has the message for; None when this one is to speak.

        A first try has the table of messages to ask. Any other publishes its start, which voids what lower attempts publish from there on,
        and reads on the log what they published before.
        """
        tries, question = tries_of(context), event.data.question
        tries.number += 1
        tries.alone &= context.held
        tries.is_first = tries.number == 1 and self.is_first(question, context) and found.known
        if tries.is_first:
            tries.alone = True
            return None if found.message is None else await self.repeat_end(event, context, found.message)
        ended = await self.take_over(event, context, draft, passages)
        if ended is None:
            return None if found.message is None else await self.adopt_message(event, context, draft, found.message)
        if question.door != "conversation":
            return () if found.message is None else self.final_events(event, context, found.message)
        partition = context.publisher.partition_for(MESSAGES_CHANGED, question.conversation_id)
        stored = await self.reply_log.find_message(event.tenant, question, partition, ended)
        if stored is None:
            return ()  # of a conversation that was deleted
        await _or_default(None, self.views.apply(*stored))
        return await self.repeat_end(event, context, stored[0].data)

    def is_first(self, question: Question, context: Context) -> bool:
        """Whether no try can have come before: not of this event, nor of another one of the reply."""
        return not context.replayed and question.round == 0 and question.reply_id not in self.recent_ends

    async def take_over(self, event: ChatGrounded, context: Context, draft: ReplyDraft, passages: tuple[Passage, ...]) -> int | None:
        """Wait until the start is on the log, before any provider is asked; the attempt that ended the reply before it, if one did."""
        tries, question = tries_of(context), event.data.question
        await self.start(event, context, draft, tuple(reply_events.source_of(passage) for passage in passages))
        place = await draft.acknowledgements[-1]
        if tries.alone:
            return None
        state = await self.reply_log.read(event.tenant, question, place)
        if state.has_ended:
            return state.attempt
        if state.attempt >= context.attempt:  # or the clock is behind that of a worker that spoke without Redis
            raise Superseded(f"attempt {state.attempt} answers {question.reply_id} already, this is {context.attempt}")
        tries.alone = True
        return None

    async def respond(
        self, event: ChatGrounded, context: Context, draft: ReplyDraft, passages: tuple[Passage, ...], cancelled: asyncio.Event
    ) -> Sequence[Outgoing]:
        """From the answer cache, or by the model. A try that has published its start has named its sources: the model answers from them."""
        async with cached_answers.claim_answer(None if draft.is_started else self.answer_cache, event, passages, cancelled) as claim:
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
        """The log takes events, and the message has a place on it: an answer that cannot be published is not to be paid for."""
        context.publisher.partition_for(MESSAGES_CHANGED, event.data.question.conversation_id)
        if not context.publisher.is_fresh:
            await draft.acknowledgements[-1]

    async def report_failure(self, event: ChatGrounded, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """The event becomes a dead letter, and the reply fails. An answer that an earlier try ended stays as it is."""
        draft = ReplyDraft()
        ended = await self.find_end(event, context, await self.find_message(event), draft, ())
        return await self.conclude(event, context, draft, "failed", problem=problem) if ended is None else ended

    async def start(self, event: ChatGrounded, context: Context, draft: ReplyDraft, sources: tuple[Source, ...]) -> None:
        """Publish the start, once: the model and its sources."""
        if draft.is_started:
            return
        draft.is_started = True
        grounding = event.data
        started = Started(
            conversation_id=grounding.question.conversation_id,
            attempt=context.attempt,
            model=first_asked(self.model, grounding.question.model),
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
            return window_s(self.settings.value.delta_window_ms, self.throttle.running)

        def check() -> str:
            return check_numbers(draft, passages, event.data.question.content, self.settings.value.unsupported_numbers)

        request = build_grounded_request(event.data, passages, self.settings.of_tenant(event.tenant))
        thinking = ThinkingStream()
        if event.data.question.shows_thinking and self.settings.value.show_thinking != "never":
            thinking = ThinkingStream(
                DeltaBuffer(send_thinking, window), self.settings.value.thinking_chars_max, self.settings.value.foreign_markup
            )
        citations, deltas = CitationResolver(passages, public_url=self.public_url), DeltaBuffer(send, window)
        model = self.bounded_model_for(event, context, request)
        markup = self.settings.value.foreign_markup
        await stream_answer(model, request, citations, deltas, draft, elapsed_ms, check, thinking=thinking, record=record, markup=markup)

    def model_for(self, request: AnswerRequest) -> AnswerModel:
        """The model to ask. A grounded question without any passage has one answer, which no provider needs to be paid for."""
        pointless = request.mode == "grounded" and request.courtesy is None and not request.passages
        return LocalModel() if pointless else self.model

    def bounded_model_for(self, event: ChatGrounded, context: Context, request: AnswerRequest) -> AnswerModel:
        """The same, called no more often for one reply than it may be. A first try needs no count, and the local model costs nothing."""
        model = self.model_for(request)
        if self.calls is None or tries_of(context).is_first or isinstance(model, LocalModel):
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
        await draft.wait_acknowledged()
        if not await context.still_owner():
            raise Superseded(f"a newer attempt than {context.attempt} answers {event.data.question.reply_id}")
        draft.is_ended = True
        model = first_asked(self.model, event.data.question.model)
        message = reply_events.build_message(event, context, draft, state, model=model, problem=problem, passages=passages, began=began)
        if message.outcome is not None:
            metrics.ANSWERS.labels(event.data.question.mode, message.outcome).inc()
        if state == "cancelled" and await self.is_deleted(event):
            return reply_events.terminal_events(event, context, msgspec.structs.replace(message, content="", citations=()))
        await self.store(event, context, message)
        return self.final_events(event, context, message)

    async def store(self, event: ChatGrounded, context: Context, message: Message) -> None:
        """Store the message and release the conversation's lock; without a conversation there is neither a record on the log nor a lock."""
        if event.data.question.door != "conversation":
            await _or_default(None, self.views.put_brief_message(event.tenant, message, context.place))
            return
        changed = MessageChanged.from_cause(event, NAME, subject=message.id, data=message, now=context.clock.now())
        changed = msgspec.structs.replace(changed, id=ids.derive("message", message.id, str(message.attempt)))
        partition = context.publisher.partition_for(MESSAGES_CHANGED, message.conversation_id)
        place = await context.publisher.publish(Outgoing(MESSAGES_CHANGED, changed, partition=partition))
        await _or_default(None, self.views.apply(changed, place))  # with Redis down the projection does it later
        await _or_default(None, self.reply_locks.release(event.tenant, message.conversation_id, message.id))

    def final_events(self, event: ChatGrounded, context: Context, message: Message) -> list[Outgoing]:
        """The end of the reply as its message has it, the request for a summary or title, and what earlier tries here spent unseen."""
        self.recent_ends.add(message.id)
        digests = request_summary(event, context, message, NAME, budget=self.budget, titles=self.titles)
        unshown = [each for attempt, each in tries_of(context).unshown if attempt != message.attempt]
        return [*reply_events.terminal_events(event, context, message), *digests, *unshown]

    async def is_deleted(self, event: ChatGrounded) -> bool:
        """Whether the conversation was deleted: that cancels its replies, and none of their text may stay."""
        scope = f"{event.tenant}/{event.data.question.conversation_id}"
        return await _or_default(default=False, result=self.views.messages.is_closed(scope))

    async def repeat_end(self, event: ChatGrounded, context: Context, stored: Message) -> list[Outgoing]:
        """The end of a reply that has ended. The lock is released: asking again has taken it again."""
        await _or_default(None, self.reply_locks.release(event.tenant, stored.conversation_id, stored.id))
        return self.final_events(event, context, stored)

    async def adopt_message(self, event: ChatGrounded, context: Context, draft: ReplyDraft, stored: Message) -> list[Outgoing]:
        """The end of a reply whose message a lower attempt stored, as this one's, whose start has voided the other: its text is said again,
        in one piece, and its message stored again, so that the table refuses what a lower attempt may still store.
        """
        if stored.content:
            await self.extend(event, context, draft, 1, stored.content, stored.citations)
        await draft.wait_acknowledged()
        adopted = msgspec.structs.replace(stored, attempt=context.attempt)
        await self.store(event, context, adopted)
        return self.final_events(event, context, adopted)

    async def find_message(self, event: ChatGrounded) -> FoundMessage:
        """The message that an earlier try stored."""
        question = event.data.question
        try:
            return FoundMessage(await self.views.messages.get(f"{event.tenant}/{question.conversation_id}", question.reply_id), known=True)
        except Unavailable as error:
            if error.code != "redis_unavailable":
                raise
            return FoundMessage(None, known=False)

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
        if error.code not in REDIS_OUTAGES:
            raise
        return default
