"""The one agent wrapper: everything that is the same for every agent, around the step that is not.

For one delivery: take the key's lease (leased agents), a permit, the poison check; decode; run the step, repeat it while that helps; put
what it returns on the log; or the dead letter and what the agent wants the world to hear of it. The delivery is DONE only after all of
that is acknowledged. ``except Exception`` stands here and nowhere else in the lanes: a step may fail in any way.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import structlog

from schemas.errors import ClawError, Problem, Refused, Superseded, Unavailable
from schemas.events import Event
from schemas.settings import Settings
from streams.clock import Clock
from streams.dead_letters.writer import WorkerPublisher, dead_letter_headers, write_dead_letter
from streams.log.delivery import Delivery
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.leases import KeyLease, KeyLeases
from streams.runtime.metrics import WorkerMetrics
from streams.runtime.poison import PoisonDetector
from streams.runtime.runner import Execution, WorkOutcome
from streams.topics import decoder

BACKOFF_S_MIN, BACKOFF_S_MAX = 0.1, 5.0  # between repeats, doubling, with half of it drawn by lot so that many do not return together
UNEXPECTED_TRIES_MAX = 3  # an error nobody foresaw: a race passes, a bug does not
HANDOVERS_MAX = 5  # an event that is left to somebody else this often, and still comes back, has nobody else

LOG_OUTAGE = "kafka_unavailable"  # nowhere to bury anything: every event is kept for as long as that takes
# every event would fail alike, and a whole backlog become dead letters
PART_OUTAGES = ("redis_unavailable", "index_unavailable", "blobs_unavailable")

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerPorts:
    """What a worker shares with all its agents."""

    settings: Settings
    publisher: WorkerPublisher
    clock: Clock
    leases: KeyLeases
    metrics: WorkerMetrics
    generation: Callable[[], int]  # of the consumer group, now


class StepFailed(Exception):
    """The event cannot be handled; carried to the burial."""

    def __init__(self, problem: Problem, error: str, tries: int) -> None:
        super().__init__(problem.detail)
        self.problem, self.error, self.tries = problem, error, tries


class Wrapper:
    """Runs one agent. Calling it is the runner's ``Work``."""

    def __init__(self, agent: Agent, parts: WorkerPorts, deaths: PoisonDetector) -> None:
        self._agent, self._parts, self._deaths = agent, parts, deaths
        prefix = parts.settings.kafka.topic_prefix
        self._decoders = {} if agent.raw else {prefix + topic.name: decoder(topic) for topic in agent.reads}
        self._compacted = {prefix + topic.name for topic in agent.reads if topic.retention_ms is None}
        self._log = log.bind(agent=agent.name)
        self._waited_out = {LOG_OUTAGE} if agent.awaited else {LOG_OUTAGE, *PART_OUTAGES}

    async def __call__(self, delivery: Delivery, turn: Execution) -> WorkOutcome:
        """See the module. LEFT: somebody else owns the event now. Raises nothing but cancellation."""
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(agent=self._agent.name, **_offset_fields(delivery))
        try:
            async with AsyncExitStack() as stack:
                lease = None
                if self._agent.leased:
                    lease = await stack.enter_async_context(
                        self._parts.leases.hold(self._agent.name, delivery.key, delivery.place, self._parts.generation())
                    )
                await stack.enter_async_context(turn.permits)
                if turn.detached:  # it had not begun when its partition went away
                    return WorkOutcome.LEFT
                turn.begun_s = asyncio.get_running_loop().time()
                outcome = await self._run_measured(delivery, turn, lease)
        except Superseded as error:
            turn.number += 1
            self._count("superseded")
            self._log.info("event_superseded", detail=error.detail)
            return WorkOutcome.LEFT
        self._count(outcome)
        self._deaths.finish(delivery.place)
        return WorkOutcome.DONE

    async def run_batch(self, deliveries: Sequence[tuple[Delivery, Execution]]) -> list[WorkOutcome]:
        """The outcome of each. What is out of the ordinary, and everything when the common step fails, is handled one by one."""
        if len(deliveries) == 1:
            return [await self(*deliveries[0])]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(agent=self._agent.name)
        ordinary: list[tuple[int, Any, Context]] = []
        for number, (delivery, turn) in enumerate(deliveries):
            if turn.detached or turn.number or not self._deaths.is_clean(delivery.place) or delivery.value is None:
                continue
            try:
                ordinary.append((number, self._decode(delivery), self._context(delivery, turn, None)))
            except StepFailed:
                continue
        done = await self._run_step_many(deliveries, ordinary) if len(ordinary) > 1 else ()
        rest = [number for number in range(len(deliveries)) if number not in done]
        outcomes = dict.fromkeys(done, WorkOutcome.DONE)
        outcomes.update(zip(rest, await asyncio.gather(*(self(*deliveries[number]) for number in rest)), strict=True))
        return [outcomes[number] for number in range(len(deliveries))]

    async def _run_step_many(
        self, deliveries: Sequence[tuple[Delivery, Execution]], ordinary: Sequence[tuple[int, Any, Context]]
    ) -> Collection[int]:
        """The numbers of those that are done: all or none."""
        step, metrics, name = self._agent.step_many, self._parts.metrics, self._agent.name
        assert step is not None
        now_s = asyncio.get_running_loop().time()
        for number, _, _ in ordinary:
            turn = deliveries[number][1]
            turn.begun_s = now_s
            metrics.wait_s.labels(name).observe(max(0.0, now_s - turn.offered_s))
        try:
            with metrics.step_s.labels(name).time():
                outgoing = await step([(event, context) for _, event, context in ordinary])
            await self._publish([each for one in outgoing for each in one])
        except Exception as error:  # noqa: BLE001 - a step may fail in any way; one by one shows with which of them, and says so
            self._count_retry("together", error, 1)
            return ()
        metrics.events.labels(name, "handled").inc(len(ordinary))
        for number, _, _ in ordinary:
            self._deaths.finish(deliveries[number][0].place)
        return {number for number, _, _ in ordinary}

    async def _run_measured(self, delivery: Delivery, turn: Execution, lease: KeyLease | None) -> str:
        metrics, name = self._parts.metrics, self._agent.name
        metrics.wait_s.labels(name).observe(max(0.0, asyncio.get_running_loop().time() - turn.offered_s))
        with metrics.in_flight.labels(name).track_inprogress():
            async with self._deaths.track(delivery.place) as starts:
                if (hopeless := self._final_failure(turn, starts)) is not None:
                    # said under the newest attempt, or nobody would hear of it
                    return await self._dead_letter(delivery, None, hopeless, self._context(delivery, turn, lease))
                return await self._handle(delivery, turn, lease)

    def _final_failure(self, turn: Execution, starts: int) -> StepFailed | None:
        """Why this event is not tried again, if so."""
        if starts >= self._deaths.deaths_max:
            poison = ClawError(f"{starts} processes died while this event was in work", code="event_poisonous")
            return StepFailed(poison.problem(), "process death", starts)
        if turn.number >= HANDOVERS_MAX:
            given_up = ClawError(f"superseded {turn.number} times, and still nobody else has done it", code="event_failed")
            return StepFailed(given_up.problem(), "Superseded", turn.number)
        return None

    async def _handle(self, delivery: Delivery, turn: Execution, lease: KeyLease | None) -> str:
        event: Any = None
        context = self._context(delivery, turn, lease)
        if delivery.value is None and delivery.place.topic in self._compacted and not self._agent.raw:
            return "tombstone"  # says only that the log may forget the key
        try:
            event = self._decode(delivery)
            structlog.contextvars.bind_contextvars(**_origin_fields(event))
            outgoing = await self._run_under_lease(lambda: self._agent.step(event, context), context, lease)
        except StepFailed as failed:
            return await self._dead_letter(delivery, event, failed, context)
        try:
            await self._publish(outgoing)
        except Refused as error:
            return await self._dead_letter(delivery, event, StepFailed(error.problem(), "Refused", 1), context)
        return "handled"

    def _context(self, delivery: Delivery, turn: Execution, lease: KeyLease | None) -> Context:
        async def still_owner() -> bool:
            if lease is not None:
                return await self._parts.leases.still_owner(lease)
            return not turn.detached

        def alive() -> None:  # to the watchdog, and to those who count its retries, it has only just begun
            turn.begun_s = asyncio.get_running_loop().time()
            context.since_s = self._parts.clock.monotonic_s()

        context = Context(
            place=delivery.place,
            attempt=0 if lease is None else lease.attempt,
            replayed=turn.number > 0 or self._deaths.may_have_begun(delivery.place),
            publisher=self._parts.publisher,
            clock=self._parts.clock,
            still_owner=still_owner,
            headers=delivery.headers,
            alive=alive,
        )
        return context

    def _decode(self, delivery: Delivery) -> Event | Delivery:
        if self._agent.raw:
            return delivery
        try:
            return self._decoders[delivery.place.topic].decode(delivery.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StepFailed(ClawError(str(error), code="event_malformed").problem(), type(error).__name__, 1) from error

    async def _run_under_lease(self, step: Callable[[], Awaitable[T]], context: Context, lease: KeyLease | None) -> T:
        """The step, ended with Superseded when its lease is lost while it runs."""
        if lease is None:
            return await self._run_with_retries(step, context)
        work = asyncio.ensure_future(self._run_with_retries(step, context))
        lost = asyncio.ensure_future(lease.lost.wait())
        try:
            await asyncio.wait((work, lost), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.wait((work,))
                raise Superseded("the lease went to somebody else")
            return work.result()
        finally:
            lost.cancel()
            work.cancel()

    async def _run_with_retries(self, step: Callable[[], Awaitable[T]], context: Context) -> T:
        """The step's result; raises Failed when repeating does not help, and Superseded."""
        clock, tries = self._parts.clock, 0
        context.since_s = clock.monotonic_s()
        while True:
            tries += 1
            try:
                with self._parts.metrics.step_s.labels(self._agent.name).time():
                    return await step()
            except Superseded:
                raise
            except Refused as error:
                raise StepFailed(error.problem(), "Refused", tries) from error
            except Unavailable as error:
                delay_s = max(_backoff_s(tries), min(error.retry_after_s, BACKOFF_S_MAX))
                late = clock.monotonic_s() + delay_s - context.since_s > self._parts.settings.lanes.retry_s
                if late and error.code not in self._waited_out:
                    raise StepFailed(error.problem(), "Unavailable", tries) from error
                self._count_retry(error.code, error, tries)
            except (Exception, asyncio.CancelledError) as error:  # the one place where a step may fail in any way
                if isinstance(error, asyncio.CancelledError) and _is_cancelling():
                    raise
                if tries >= UNEXPECTED_TRIES_MAX:
                    self._log.exception("step_failed", tries=tries)
                    detail = f"{type(error).__name__}: {error}"
                    raise StepFailed(ClawError(detail, code="event_failed").problem(), type(error).__name__, tries) from error
                delay_s = _backoff_s(tries)
                self._count_retry("unexpected", error, tries)
            context.replayed = True
            await asyncio.sleep(delay_s)

    async def _dead_letter(self, delivery: Delivery, event: Any, failed: StepFailed, context: Context) -> str:
        """Dead letter first, then what the agent has to say about it; both are on the log when this returns."""
        self._log.error("event_dead_lettered", code=failed.problem.code, detail=failed.problem.detail, tries=failed.tries)
        traceparent = event.traceparent if isinstance(event, Event) else delivery.headers.get("traceparent", b"").decode(errors="replace")
        headers = dead_letter_headers(
            delivery,
            agent=self._agent.name,
            problem=failed.problem,
            error=failed.error,
            attempts=failed.tries,
            traceparent=traceparent,
        )
        prefix = self._parts.settings.kafka.topic_prefix
        await self._publish_with_retries(lambda: write_dead_letter(self._parts.publisher, prefix, delivery, headers))
        if self._agent.failed is not None:
            await self._run_failure_step(self._agent.failed, delivery, event, failed, context)
        return "dead_lettered"

    async def _run_failure_step(self, say: Any, delivery: Delivery, event: Any, failed: StepFailed, context: Context) -> None:
        try:
            event = self._decode(delivery) if event is None else event
            await self._publish(await self._run_with_retries(lambda: say(event, failed.problem, context), context))
        except StepFailed as error:
            self._log.warning("failure_not_told", code=error.problem.code, detail=error.problem.detail)
        except Refused as error:
            self._log.warning("failure_not_told", code=error.code, detail=error.detail)

    async def _publish(self, outgoing: Sequence[Outgoing]) -> None:
        if outgoing:
            await self._publish_with_retries(lambda: self._parts.publisher.publish_all(outgoing))

    async def _publish_with_retries(self, publish: Callable[[], Awaitable[T]]) -> T:
        """Publishing is repeated until it succeeds or this work is cancelled: an event whose results have nowhere to go is kept. (The
        watchdog ends a worker that stands still although the log can be reached.) Raises Refused.
        """
        tries = 0
        while True:
            try:
                return await publish()
            except Unavailable as error:
                tries += 1
                self._count_retry(error.code, error, tries)
                await asyncio.sleep(_backoff_s(tries))

    def _count_retry(self, cause: str, error: BaseException, tries: int) -> None:
        self._parts.metrics.retries.labels(self._agent.name, cause).inc()
        self._log.warning("event_repeated", cause=cause, error=f"{type(error).__name__}: {error}", tries=tries)

    def _count(self, outcome: str) -> None:
        self._parts.metrics.events.labels(self._agent.name, outcome).inc()


def _is_cancelling() -> bool:
    """Whether it is this work that was cancelled, and not something a step waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _backoff_s(tries: int) -> float:
    full_s: float = min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2 ** min(tries - 1, 16))
    return full_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads repeats, decides nothing


def _offset_fields(delivery: Delivery) -> dict[str, object]:
    return {"topic": delivery.place.topic, "partition": delivery.place.partition, "offset": delivery.place.offset}


def _origin_fields(event: Event | Delivery) -> dict[str, str]:
    if isinstance(event, Delivery):
        return {}
    _, _, rest = event.traceparent.partition("-")  # version-trace-span-flags
    return {"tenant": event.tenant, "trace_id": rest.partition("-")[0]}
