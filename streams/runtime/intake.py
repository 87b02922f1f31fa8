"""The intake of one agent: a runner per assigned partition, fed by the Faust app and following its rebalances."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from schemas.errors import ClawError
from schemas.settings import Settings
from streams.log.delivery import Delivery
from streams.log.outgoing import LogOffset
from streams.runtime.agent import Agent
from streams.runtime.batching import BatchRunner
from streams.runtime.poison import Partition, PoisonDetector
from streams.runtime.runner import CarriedWork, Execution, KeyedRunner, Load, Work, WorkOutcome
from streams.runtime.wrapper import Wrapper

ORPHANS_MAX = 2_048  # leased work of partitions that moved away; beyond it the oldest is cancelled

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """A delivery and the Faust message it came as."""

    message: Any
    delivery: Delivery

    @property
    def offset(self) -> int:
        return self.delivery.place.offset

    @property
    def key(self) -> bytes | None:
        return self.delivery.key


class _Origin(msgspec.Struct):
    """The part of an event that names its tenant; the rest is not read."""

    tenant: str = ""


_ORIGIN = msgspec.json.Decoder(_Origin)


def tenant_of(delivery: Delivery) -> str:
    """The tenant of an event: the begin of its key (``tenant/kb/document``), else its attribute; "" when it has none."""
    tenant, slash, _ = (delivery.key or b"").partition(b"/")
    try:
        return tenant.decode() if slash else _ORIGIN.decode(delivery.value or b"").tenant
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _no_tenant(_arrival: Arrival) -> str:
    return ""


class Intake:
    """``consumer`` returns the worker's Faust consumer; it is called only after the app has started."""

    def __init__(self, agent: Agent, wrapper: Wrapper, poison: PoisonDetector, settings: Settings, consumer: Callable[[], Any]) -> None:
        self.agent = agent
        self.poison = poison
        self.names = {settings.kafka.topic_prefix + topic.name: topic for topic in agent.reads}
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wrapper, self._settings, self._consumer = wrapper, settings, consumer
        self._runners: dict[Partition, KeyedRunner[Arrival]] = {}
        self._carried: dict[Partition, CarriedWork] = {}
        self._begun: dict[Partition, list[int]] = {}
        self._fresh: set[Partition] = set()  # assigned, nothing delivered yet
        self._orphans: dict[asyncio.Future[WorkOutcome], asyncio.TimerHandle] = {}
        self._closed = False
        self._weight = settings.lanes.weight_of
        self._tenant_of: Callable[[Arrival], str] = _no_tenant
        if agent.by_turns and not (agent.raw or agent.in_order):
            self._tenant_of = lambda arrival: tenant_of(arrival.delivery)
        self._work: Work[Arrival] = self._run_one
        if agent.step_many is not None:
            runs = {"runs_max": 1} if agent.in_order else {}
            self._work = BatchRunner(self._run_batch, agent.together_max, self._weight, **runs)

    def offer(self, message: Any) -> None:
        """Take a message from the stream; never blocks. A message of a partition that was revoked is read again by its new owner."""
        partition = (message.tp.topic, message.tp.partition)
        runner = self._runners.get(partition)
        if runner is None:
            return
        if partition in self._fresh:
            self._fresh.discard(partition)
            self.poison.forget_below(partition, message.offset)
        place = LogOffset(message.topic, message.partition, message.offset)
        headers = dict(message.headers or ())
        arrival = Arrival(message, Delivery(place, message.key, message.value, int(message.timestamp * 1000), headers))
        if not runner.offer(arrival) and runner.is_open:
            self._consumer().unacked.discard(message)  # read twice; the first copy will be acknowledged

    def heads(self) -> dict[Partition, Execution]:
        """The oldest unacknowledged event of each partition that has one."""
        return {partition: head for partition, runner in self._runners.items() if (head := runner.head) is not None}

    @property
    def in_flight(self) -> int:
        """The events in work."""
        return sum(runner.load.running for runner in self._runners.values() if not runner.is_idle)

    def loads(self) -> dict[Partition, Load]:
        """The load of each assigned partition."""
        return {partition: runner.load for partition, runner in self._runners.items()}

    @property
    def backlog(self) -> Counter[str]:
        """The events of each tenant that were read and are not done."""
        total: Counter[str] = Counter()
        for runner in self._runners.values():
            if not runner.is_idle:
                total.update(runner.backlog)
        return total

    def release(self, partitions: Iterable[Partition]) -> None:
        """Acknowledge nothing of these partitions any more; running work goes on."""
        for partition in partitions:
            runner = self._runners.pop(partition, None)
            if runner is not None:
                self._begun[partition] = runner.offsets_in_work
                self._carried[partition] = runner.release()

    async def sign_off(self) -> None:
        """After the last commit: leave a note for the next owners of what had begun."""
        begun, self._begun = self._begun, {}
        await self.poison.sign_off(begun)

    async def assign(self, partitions: set[Partition], end_offsets: Callable[[set[Partition]], Awaitable[Mapping[Partition, int]]]) -> None:
        """Take these partitions, before any of their records is delivered."""
        ours = {partition for partition in partitions if partition[0] in self.names}
        for partition, carried in self._carried.items():
            if partition not in ours:
                self._orphan(carried)
        await self.poison.sign_on(ours, end_offsets)
        self._runners = {partition: self._runner(partition) for partition in ours}
        self._carried.clear()
        self._fresh = set(ours)
        if self._closed:
            self.close()
        if self.agent.assigned is not None:
            for topic, partition_number in sorted(ours):
                await self._notify_agent(topic, partition_number)

    def close(self) -> None:
        """Start no more work."""
        self._closed = True
        for runner in self._runners.values():
            runner.close()

    @property
    def running(self) -> set[asyncio.Future[WorkOutcome]]:
        """All work that has not ended, also of partitions that moved away."""
        tasks = {task for runner in self._runners.values() for task in runner.tasks}
        tasks.update(task for carried in self._carried.values() for task, _ in carried.work.values() if not task.done())
        return tasks | set(self._orphans)

    def release_all(self) -> None:
        """At the end, after the last acknowledgement: give every partition away and cancel carried work."""
        self.release(list(self._runners))
        for carried in self._carried.values():
            carried.cancel()
        self._carried.clear()

    def _runner(self, partition: Partition) -> KeyedRunner[Arrival]:
        lanes, consumer = self._settings.lanes, self._consumer()
        return KeyedRunner(
            self._work,
            lambda arrival: arrival.message.ack(consumer),
            in_flight_max=1 if self.agent.in_order else self.agent.in_flight_max,
            key_queue_max=lanes.key_queue_max,
            window=lanes.window,
            in_order=self.agent.in_order,
            run_max=self.agent.together_max if self.agent.in_order and self.agent.step_many is not None else 1,
            hold=lambda held: consumer.hold(partition, self.agent.name, held),
            broken=self._report_failure,
            carried=self._carried.get(partition),
            tenant_of=self._tenant_of,
            weight=self._weight,
        )

    async def _run_one(self, arrival: Arrival, execution: Execution) -> WorkOutcome:
        return await self._wrapper(arrival.delivery, execution)

    async def _run_batch(self, arrivals: list[tuple[Arrival, Execution]]) -> list[WorkOutcome]:
        return await self._wrapper.run_batch([(arrival.delivery, execution) for arrival, execution in arrivals])

    def _report_failure(self, error: BaseException) -> None:
        if not self.broken.done():
            self.broken.set_exception(error)

    def _orphan(self, carried: CarriedWork) -> None:
        """Leased work may end, within the time after which an event counts as stuck; other work is cancelled: the new owner does it."""
        if not self.agent.leased:
            carried.cancel()
            return
        loop = asyncio.get_running_loop()
        for task, execution in carried.work.values():
            if execution.begun_s is None:
                task.cancel()  # it waits for a permit or a lease, and so does the new owner
            elif not task.done():
                self._orphans[task] = loop.call_later(self._settings.lanes.stuck_s, task.cancel)
                task.add_done_callback(self._forget_orphan)
        while len(self._orphans) > ORPHANS_MAX:
            next(iter(self._orphans)).cancel()
            self._forget_orphan(next(iter(self._orphans)))

    def _forget_orphan(self, task: asyncio.Future[WorkOutcome]) -> None:
        timer = self._orphans.pop(task, None)
        if timer is not None:
            timer.cancel()

    async def _notify_agent(self, topic: str, partition: int) -> None:
        assert self.agent.assigned is not None
        try:
            await self.agent.assigned(self.names[topic], partition)
        except ClawError as error:  # only a hint: the agent notices at its next event
            log.warning("assignment_notice_failed", agent=self.agent.name, topic=topic, partition=partition, error=repr(error))
