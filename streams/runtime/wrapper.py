"""The one agent wrapper: everything that is the same for every agent, around the step that is not.

For one delivery: take the key's lease (leased agents), a permit, the poison check; decode; run the step, repeat it while that helps
(``retries.py``); publish what it returns; or write the dead letter and publish what the agent's failure step returns. The delivery is DONE
only after all of that is acknowledged. Observers hear of each part (``hooks.py``). In a worker ``except Exception`` stands in these three
modules only: a step may fail in any way.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
import structlog

from adapters.fairness import TENANT
from schemas.errors import ClawError, Problem, Refused, Superseded
from schemas.events import Event
from schemas.settings import Settings
from streams.clock import Clock
from streams.dead_letters.writer import WorkerPublisher, dead_letter_headers, write_dead_letter
from streams.log.delivery import Delivery
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.hooks import CANCELLED, DEAD_LETTERED, HANDLED, POSTPONED, SPLIT, SUPERSEDED, TOMBSTONE, StepHooks
from streams.runtime.leases import KeyLease, KeyLeases
from streams.runtime.poison import PoisonDetector
from streams.runtime.retries import Retries, StepFailed
from streams.runtime.runner import Execution, WorkOutcome
from streams.topics import decoder

HANDOVERS_MAX = 5  # an event that is left to another worker this often, and still comes back, is not left again

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerPorts:
    """What all agents of a worker share."""

    settings: Settings
    publisher: WorkerPublisher
    clock: Clock
    leases: KeyLeases
    hooks: StepHooks


class Wrapper:
    """Runs one agent. Calling it is the runner's ``Work``."""

    def __init__(self, agent: Agent, ports: WorkerPorts, poison: PoisonDetector) -> None:
        self._agent, self._ports, self._poison = agent, ports, poison
        prefix = ports.settings.kafka.topic_prefix
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}
        if not agent.raw:
            parts = {topic: msgspec.json.Decoder(part) for topic, part in agent.parts.items()}
            self._decoders = {prefix + topic.name: parts.get(topic) or decoder(topic) for topic in agent.reads}
        self._compacted = {prefix + topic.name for topic in agent.reads if topic.is_compacted}
        self._hooks = ports.hooks
        self._retries = Retries(agent, ports.clock, ports.settings.lanes.retry_s, ports.hooks)
        self._log = log.bind(agent=agent.name)

    async def __call__(self, delivery: Delivery, execution: Execution) -> WorkOutcome:
        """See the module. LEFT: another worker owns the event now. Raises nothing but cancellation."""
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(agent=self._agent.name, **_offset_fields(delivery))
        TENANT.set(execution.tenant)
        try:
            async with AsyncExitStack() as stack:
                lease = None
                if self._agent.leased:
                    lease = await stack.enter_async_context(self._ports.leases.hold(self._agent.name, delivery.key, delivery.place))
                await stack.enter_async_context(execution.permits)
                if execution.detached:  # it had not begun when its partition went away
                    return WorkOutcome.LEFT
                await self._run_observed(delivery, execution, lease)
        except Superseded as error:
            execution.handovers += 1
            self._log.info("event_superseded", detail=error.detail)
            return WorkOutcome.LEFT
        self._poison.finish(delivery.place)
        return WorkOutcome.DONE

    async def run_batch(self, deliveries: Sequence[tuple[Delivery, Execution]]) -> list[WorkOutcome]:
        """The outcome of each. Special cases, and all events when the common step fails, are handled one by one; so are all events of an
        agent that works in order as soon as one of them is a special case.
        """
        if len(deliveries) == 1:
            return [await self(*deliveries[0])]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(agent=self._agent.name)
        ordinary: list[tuple[int, Any, Context]] = []
        for number, (delivery, execution) in enumerate(deliveries):
            if execution.detached or execution.handovers or not self._poison.is_clean(delivery.place) or delivery.value is None:
                continue
            try:
                ordinary.append((number, self._decode(delivery), self._context(delivery, execution, None)))
            except StepFailed:
                continue
        if self._agent.in_order:
            if len(ordinary) == len(deliveries) and await self._run_step_many(deliveries, ordinary):
                return [WorkOutcome.DONE] * len(deliveries)
            return await self._run_in_order(deliveries)
        done = await self._run_step_many(deliveries, ordinary) if len(ordinary) > 1 else ()
        rest = [number for number in range(len(deliveries)) if number not in done]
        outcomes = dict.fromkeys(done, WorkOutcome.DONE)
        outcomes.update(zip(rest, await asyncio.gather(*(self(*deliveries[number]) for number in rest)), strict=True))
        return [outcomes[number] for number in range(len(deliveries))]

    async def _run_in_order(self, deliveries: Sequence[tuple[Delivery, Execution]]) -> list[WorkOutcome]:
        """One by one in each partition; behind one that is left everything is."""
        outcomes = [WorkOutcome.LEFT] * len(deliveries)
        by_partition: dict[tuple[str, int], list[int]] = {}
        for number, (delivery, _) in enumerate(deliveries):
            by_partition.setdefault((delivery.place.topic, delivery.place.partition), []).append(number)

        async def run_partition(numbers: Sequence[int]) -> None:
            for number in numbers:
                outcomes[number] = await self(*deliveries[number])
                if outcomes[number] is not WorkOutcome.DONE:
                    return

        await asyncio.gather(*map(run_partition, by_partition.values()))
        return outcomes

    async def _run_step_many(
        self, deliveries: Sequence[tuple[Delivery, Execution]], ordinary: Sequence[tuple[int, Any, Context]]
    ) -> Collection[int]:
        """The indexes of the events that are done: all or none."""
        step, hooks, name = self._agent.step_many, self._hooks, self._agent.name
        assert step is not None
        loop = asyncio.get_running_loop()
        now_s, outcome = loop.time(), CANCELLED
        for number, _, _ in ordinary:
            delivery, execution = deliveries[number]
            execution.begun_s = now_s
            hooks.on_begun(name, delivery, max(0.0, now_s - execution.offered_s))
        try:
            begun_s = time.perf_counter()
            try:
                outgoing = await step([(event, context) for _, event, context in ordinary])
            finally:
                hooks.on_run(name, time.perf_counter() - begun_s)
            await self._publish([each for one in outgoing for each in one])
            outcome = HANDLED
        except Exception as error:  # noqa: BLE001 - a step may fail in any way; one by one shows which event it is
            outcome = SPLIT
            self._retries.report("together", error, 1)
            return ()
        finally:
            duration_s = loop.time() - now_s
            for number, _, _ in ordinary:
                hooks.on_done(name, deliveries[number][0], outcome, duration_s)
        for number, _, _ in ordinary:
            self._poison.finish(deliveries[number][0].place)
        return {number for number, _, _ in ordinary}

    async def _run_observed(self, delivery: Delivery, execution: Execution, lease: KeyLease | None) -> None:
        loop, name, outcome = asyncio.get_running_loop(), self._agent.name, CANCELLED
        execution.begun_s = now_s = loop.time()
        self._hooks.on_begun(name, delivery, max(0.0, now_s - execution.offered_s))
        try:
            async with self._poison.track(delivery.place) as starts:
                if (final := self._final_failure(execution, starts)) is not None:
                    # published under the newest attempt: readers ignore lower ones
                    outcome = await self._dead_letter(delivery, None, final, self._context(delivery, execution, lease))
                else:
                    outcome = await self._run_step(delivery, execution, lease)
        except Superseded:
            outcome = SUPERSEDED
            raise
        finally:
            self._hooks.on_done(name, delivery, outcome, loop.time() - now_s)

    def _final_failure(self, execution: Execution, starts: int) -> StepFailed | None:
        """The reason why this event is not tried again; None when it is."""
        if starts >= self._poison.deaths_max:
            poison = ClawError(f"{starts} processes died while this event was in work", code="event_poisonous")
            return StepFailed(poison.problem(), "process death", starts)
        if execution.handovers >= HANDOVERS_MAX:
            given_up = ClawError(f"superseded {execution.handovers} times, and no other worker has handled it", code="event_failed")
            return StepFailed(given_up.problem(), "Superseded", execution.handovers)
        return None

    async def _run_step(self, delivery: Delivery, execution: Execution, lease: KeyLease | None) -> str:
        event: Any = None
        context = self._context(delivery, execution, lease)
        if delivery.value is None and delivery.place.topic in self._compacted and not self._agent.raw:
            return TOMBSTONE  # means only that the log may forget the key
        try:
            event = self._decode(delivery)
            structlog.contextvars.bind_contextvars(**_origin_fields(event))
            outgoing = await self._run_under_lease(self._numbered(self._agent.step, context, event), context, lease)
        except StepFailed as failed:
            if failed.passes and await self._postpone(event, failed, context):
                return POSTPONED
            return await self._dead_letter(delivery, event, failed, context)
        try:
            await self._publish(outgoing)
        except Refused as error:
            return await self._dead_letter(delivery, event, StepFailed(error.problem(), "Refused", 1), context)
        return HANDLED

    def _context(self, delivery: Delivery, execution: Execution, lease: KeyLease | None) -> Context:
        async def still_owner() -> bool:
            if lease is not None:
                return await self._ports.leases.still_owner(lease)
            return not execution.detached

        async def advance() -> None:
            if execution.detached:
                raise Superseded("the partition was given away")  # who has it now tries again
            if lease is not None:
                context.held = await self._ports.leases.advance(lease)
                context.attempt = lease.attempt

        def alive() -> None:  # for the watchdog and for the time limit of retries, the step begins anew
            execution.begun_s = asyncio.get_running_loop().time()
            context.since_s = self._ports.clock.monotonic_s()

        context = Context(
            place=delivery.place,
            attempt=0 if lease is None else lease.attempt,
            replayed=execution.handovers > 0 or self._poison.may_have_begun(delivery.place),
            publisher=self._ports.publisher,
            clock=self._ports.clock,
            still_owner=still_owner,
            headers=delivery.headers,
            alive=alive,
            advance=advance,
        )
        return context

    @staticmethod
    def _numbered(step: Callable[..., Awaitable[T]], context: Context, *arguments: object) -> Callable[[], Awaitable[T]]:
        """The step, its first try under the attempt of the lease and every other under a higher one."""
        tries = 0

        async def try_once() -> T:
            nonlocal tries
            tries += 1
            if tries > 1:
                await context.advance()
            return await step(*arguments, context)

        return try_once

    def _decode(self, delivery: Delivery) -> Any:
        if self._agent.raw:
            return delivery
        try:
            return self._decoders[delivery.place.topic].decode(delivery.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StepFailed(ClawError(str(error), code="event_malformed").problem(), type(error).__name__, 1) from error

    async def _run_under_lease(self, step: Callable[[], Awaitable[T]], context: Context, lease: KeyLease | None) -> T:
        """The step, ended with Superseded when its lease is lost while it runs."""
        if lease is None:
            return await self._retries.run(step, context)
        work = asyncio.ensure_future(self._retries.run(step, context))
        lost = asyncio.ensure_future(lease.lost.wait())
        try:
            await asyncio.wait((work, lost), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.wait((work,))
                raise Superseded("another worker took the lease")
            return work.result()
        finally:
            lost.cancel()
            work.cancel()

    async def _postpone(self, event: Any, failed: StepFailed, context: Context) -> bool:
        """Whether the work is tried again later; what says so is on the log then."""
        if self._agent.postpone is None or event is None:
            return False
        await context.advance()
        try:
            outgoing = await self._retries.run(self._numbered(self._agent.postpone, context, event, failed.problem), context)
        except StepFailed as error:
            self._log.warning("postponement_failed", code=error.problem.code, detail=_loggable_detail(error.problem))
            return False
        if outgoing is None:
            return False
        await self._publish(outgoing)
        self._log.warning("event_postponed", code=failed.problem.code, detail=_loggable_detail(failed.problem), tries=failed.tries)
        return True

    async def _dead_letter(self, delivery: Delivery, event: Any, failed: StepFailed, context: Context) -> str:
        """Dead letter first, then the agent's failure step; both are on the log when this returns."""
        problem = failed.problem
        self._log.error("event_dead_lettered", code=problem.code, detail=_loggable_detail(problem), error=failed.error, tries=failed.tries)
        traceparent = event.traceparent if isinstance(event, Event) else delivery.headers.get("traceparent", b"").decode(errors="replace")
        headers = dead_letter_headers(
            delivery,
            agent=self._agent.name,
            problem=failed.problem,
            error=failed.error,
            attempts=failed.tries,
            traceparent=traceparent,
        )
        prefix = self._ports.settings.kafka.topic_prefix
        await self._retries.publish(lambda: write_dead_letter(self._ports.publisher, prefix, delivery, headers))
        if self._agent.failed is not None:
            await self._run_failure_step(self._agent.failed, delivery, event, failed, context)
        self._hooks.on_failed(self._agent.name, delivery, event, failed.problem)
        return DEAD_LETTERED

    async def _run_failure_step(self, step: Any, delivery: Delivery, event: Any, failed: StepFailed, context: Context) -> None:
        try:
            event = self._decode(delivery) if event is None else event
            await context.advance()  # the tries before may have published under theirs
            await self._publish(await self._retries.run(self._numbered(step, context, event, failed.problem), context))
        except StepFailed as error:
            self._log.warning("failure_step_failed", code=error.problem.code, detail=_loggable_detail(error.problem))
        except Refused as error:
            self._log.warning("failure_step_failed", code=error.code, detail=_loggable_detail(error.problem()))

    async def _publish(self, outgoing: Sequence[Outgoing]) -> None:
        if outgoing:
            await self._retries.publish(lambda: self._ports.publisher.publish_all(outgoing))


def _offset_fields(delivery: Delivery) -> dict[str, object]:
    return {"topic": delivery.place.topic, "partition": delivery.place.partition, "offset": delivery.place.offset}


def _origin_fields(event: Event | Delivery) -> dict[str, str]:
    if isinstance(event, Delivery):
        return {}
    _, _, rest = event.traceparent.partition("-")  # version-trace-span-flags
    return {"tenant": event.tenant, "trace_id": rest.partition("-")[0]}


def _loggable_detail(problem: Problem) -> str:
    """The detail of a failure of ours. What is wrong with an input quotes it: that is in the dead letter, for those who may read it."""
    return problem.detail if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else ""
