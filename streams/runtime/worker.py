"""A worker process: one Faust app, one consumer group, a watchdog and the status pages.

``run()`` returns the exit code: 0 after a requested stop, 1 after a crash, 70 when it made no progress although it had lag. Every end is
safe: events that are not acknowledged are read again. The supervisor restarts a worker that did not end with 0.
"""

import asyncio
import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from aiokafka.errors import KafkaError
from faust.types import TP
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from adapters.children.memory import measure_tree
from adapters.kafka import connection_options
from adapters.redis.client import RedisClient
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import Settings
from streams.clock import Clock
from streams.dead_letters.unreadable import UnreadableBatches
from streams.dead_letters.writer import WorkerPublisher
from streams.log.connection import Backoff
from streams.log.outage import OutageLog
from streams.log.partitions import fetch_partition_counts
from streams.runtime.backlog import Backlog
from streams.runtime.faust_app import WorkerApp, add_agent, build_faust_app
from streams.runtime.hooks import StepHooks
from streams.runtime.intake import Intake
from streams.runtime.leases import KeyLeases
from streams.runtime.loop_lag import LoopLag
from streams.runtime.metrics import StepMetrics, WorkerMetrics
from streams.runtime.poison import Partition, PoisonDetector
from streams.runtime.status_server import StatusResponse, StatusServer, liveness
from streams.runtime.throughput import ThroughputEstimator
from streams.runtime.transport import Consumer
from streams.runtime.watchdog import EXIT_STUCK, Position, Watchdog
from streams.runtime.worker_group import WorkerGroup
from streams.runtime.worker_registry import BEAT_S, WorkerState, remove_worker, save_worker_state
from streams.runtime.wrapper import WorkerPorts, Wrapper

EXIT_STOPPED, EXIT_CRASHED = 0, 1
START_S_MAX = 60.0  # to connect, join and get partitions; after that the supervisor restarts the worker
MISSING_S_MAX = 2.0  # a broker that answers may not know its topics yet; then they do not exist
COUNT_AGAIN_S_MIN, COUNT_AGAIN_S_MAX = 0.2, 1.0
CANCEL_S_MAX = 1.0  # for cancelled work to release its leases
COMMIT_S_MAX = 1.0  # for the last commit
STOP_S_MAX = 3.0  # for that, and for Faust to leave the group and close; after that the process ends
END_OFFSETS_S_MAX = 5.0  # for the broker to return end offsets, at each observation and after a worker's death
PROCESSES_MAX = 64  # of a worker and its children, whose memory is summed up
OBSERVE_S = 1.0  # between two observations of the partitions
BROKER_SILENT_S_MAX = 2.5  # since the last answer to them: Kafka does not answer

log = structlog.get_logger(__name__)


def name_instance(settings: Settings, worker_group: WorkerGroup) -> str:
    """The name of this worker in its group; "" for none. It contains what the worker reads: a member that comes back under its old name is
    given its old partitions, and would never get those of a topic that is new.
    """
    if not (name := settings.lanes.instance_name):
        return ""
    topics = sorted(topic.name for agent in worker_group.agents for topic in agent.reads)
    return f"{name}-{hashlib.sha256(','.join(topics).encode()).hexdigest()[:8]}"


class Worker:
    """Runs a worker group until it is asked to stop. ``publisher`` is started, ``redis`` open; the caller closes both."""

    def __init__(self, settings: Settings, worker_group: WorkerGroup, publisher: WorkerPublisher, redis: RedisClient, clock: Clock) -> None:
        self.id = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._instance = name_instance(settings, worker_group)
        self.group = f"{settings.kafka.topic_prefix}claw.{worker_group.name}"
        self.metrics_port = 0
        self._settings, self._worker_group, self._redis, self._clock = settings, worker_group, redis, clock
        self._publisher = publisher
        self._metrics = WorkerMetrics(CollectorRegistry())
        self._loop_lag = LoopLag(self._metrics.registry, listeners=[agent.late for agent in worker_group.agents if agent.late is not None])
        self._started_at: datetime = clock.now()
        self._assigned: set[Partition] | None = None
        self._backlogs: dict[str, Backlog] = {}
        self._shown_backlogs: dict[str, Backlog] = {}
        self._shown_lags: dict[Partition, int] = {}
        self._memory_bytes = 0
        self._partitions = 0
        self._outage = OutageLog("end_offsets_unknown", {"lane": worker_group.name})
        self._answered_s = clock.monotonic_s()  # when the broker last returned end offsets
        self._intakes: list[Intake] = []
        self._app: WorkerApp | None = None
        self._watchdog = Watchdog(settings.lanes.stuck_s, clock.monotonic_s())
        self._throughput = ThroughputEstimator(worker_group.agents, settings.kafka.topic_prefix)
        self._leases = KeyLeases(
            redis,
            prefix=settings.redis.key_prefix,
            worker=self.id,
            instance=self._instance,
            lease_s=settings.lanes.lease_s,
            wait_s_max=settings.lanes.stuck_s,
            clock=clock,
            metrics=self._metrics,
        )
        self._status = StatusServer({"/livez": liveness, "/readyz": self._readiness, "/metrics": self._exposition})

    @property
    def registries(self) -> Sequence[CollectorRegistry]:
        """The metrics that this process shows."""
        return (REGISTRY, self._metrics.registry)

    async def run(self, stop: asyncio.Event) -> int:
        """See the module. Without a broker it waits. Raises ConfigurationError when topics are missing, or the metrics port is taken."""
        self.metrics_port = await self._status.start(self._settings.node)
        try:
            return await self._run(stop)
        finally:
            await self._status.stop()

    async def _run(self, stop: asyncio.Event) -> int:
        counting, asked = asyncio.ensure_future(self._count_partitions()), asyncio.ensure_future(stop.wait())
        await asyncio.wait((counting, asked), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not counting.done():
            counting.cancel()
            await asyncio.wait((counting,))
            return EXIT_STOPPED
        self._partitions = counting.result()
        UnreadableBatches(self._settings, self._publisher, self._redis, self._clock, self._metrics.registry).install()
        await self._worker_group.open()
        await self._loop_lag.start()
        try:
            self._build()
            return await self._run_until_end(stop)
        finally:
            await self._loop_lag.stop()
            await self._leases.stop()
            await self._worker_group.close()

    async def _count_partitions(self) -> int:
        """Of all topics that are read, as soon as the broker names them."""
        names = {self._settings.kafka.topic_prefix + topic.name for agent in self._worker_group.agents for topic in agent.reads}
        backoff, missing_s = Backoff(COUNT_AGAIN_S_MIN, COUNT_AGAIN_S_MAX), 0.0
        while True:
            try:
                counts = await fetch_partition_counts(self._settings.kafka, names)
            except Unavailable as error:
                self._outage.report(error.detail)
                missing_s = 0.0
            else:
                self._outage.end()
                if not (missing := sorted(names - counts.keys())):
                    return sum(counts.values())
                missing_s = missing_s or self._clock.monotonic_s()
                if self._clock.monotonic_s() - missing_s >= MISSING_S_MAX:
                    raise ConfigurationError(f"topics {', '.join(missing)} do not exist: run `claw topics apply`")
            await backoff.wait()

    def _build(self) -> None:
        settings, prefix = self._settings, self._settings.redis.key_prefix
        self._app = app = build_faust_app(
            self.group,
            settings,
            connection=connection_options(settings.kafka),
            listener=self,
            pace_s=self._worker_group.pace_s,
            unhurried=frozenset(settings.kafka.topic_prefix + topic.name for topic in self._worker_group.unhurried),
            unhurried_pace_s=self._worker_group.unhurried_pace_s,
            poll_max=self._worker_group.poll_max,
            instance=self._instance,
            urgent=frozenset(
                settings.kafka.topic_prefix + topic.name for agent in self._worker_group.agents if agent.awaited for topic in agent.reads
            ),
        )
        hooks = StepHooks(
            (StepMetrics(self._metrics), *self._worker_group.observers), lambda name: self._metrics.observer_errors.labels(name).inc()
        )
        parts = WorkerPorts(settings, self._publisher, self._clock, self._leases, hooks)
        last_chance = asyncio.Lock()
        for agent in self._worker_group.agents:
            deaths = PoisonDetector(
                self._redis,
                prefix=prefix,
                name=f"{self.group}/{agent.name}",
                worker=self.id,
                deaths_max=settings.lanes.deaths_max,
                last_chance=last_chance,
                metrics=self._metrics,
            )
            intake = Intake(agent, Wrapper(agent, parts, deaths), deaths, settings, lambda: self._consumer)
            self._intakes.append(intake)
            add_agent(app, agent.name, tuple(intake.names), intake.offer)

    @property
    def _consumer(self) -> Consumer:
        assert self._app is not None
        consumer: Consumer = self._app.consumer
        return consumer

    # the transport's listener

    def on_revoking(self, partitions: set[TP]) -> None:
        """Part of transport.Listener."""
        for intake in self._intakes:
            intake.release((tp.topic, tp.partition) for tp in partitions)

    async def on_revoked(self, partitions: set[TP]) -> None:  # noqa: ARG002
        """Part of transport.Listener."""
        await asyncio.gather(*(intake.sign_off() for intake in self._intakes))

    async def on_assigned(self, partitions: set[TP], generation: int) -> None:
        """Part of transport.Listener."""
        self._assigned = {(tp.topic, tp.partition) for tp in partitions}
        await asyncio.gather(*(intake.assign(self._assigned, self._end_offsets) for intake in self._intakes))
        self._metrics.lag.clear()
        self._shown_lags.clear()
        self._metrics.rebalances.inc()
        self._metrics.assigned.set(len(partitions))
        log.info("partitions_assigned", lane=self._worker_group.name, partitions=len(partitions), generation=generation)

    async def _end_offsets(self, partitions: set[Partition]) -> Mapping[Partition, int]:
        """End offsets; empty when the broker does not answer in time."""
        try:
            async with asyncio.timeout(END_OFFSETS_S_MAX):
                ends = await self._consumer.highwaters(*(TP(*partition) for partition in partitions))
        except (TimeoutError, KafkaError) as error:
            self._outage.report(repr(error))
            return {}
        self._outage.end()
        return {(tp.topic, tp.partition): end for tp, end in ends.items()}

    # start and stop

    async def _run_until_end(self, stop: asyncio.Event) -> int:
        assert self._app is not None
        app = self._app
        app.loop = asyncio.get_running_loop()
        app.finalize()
        asked = asyncio.ensure_future(stop.wait())
        started = asyncio.ensure_future(app.start())
        crashed = asyncio.ensure_future(app._crashed.wait())  # noqa: SLF001 - mode has no public way to wait for it
        stuck = asyncio.ensure_future(self._watch())
        reporting = asyncio.ensure_future(self._report())
        ends = (asked, crashed, stuck, reporting, *(intake.broken for intake in self._intakes))
        try:
            await asyncio.wait((started, *ends), timeout=START_S_MAX, return_when=asyncio.FIRST_COMPLETED)
            if started.done() and started.exception() is None:
                log.info("lane_started", lane=self._worker_group.name, group=self.group, worker=self.id, metrics_port=self.metrics_port)
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            return self._exit_code(asked, stuck, started)
        finally:
            for future in (asked, crashed, stuck, reporting):
                future.cancel()
            await self._shut_down(app, started)

    def _exit_code(self, asked: asyncio.Future[Any], stuck: asyncio.Future[None], started: asyncio.Future[None]) -> int:
        assert self._app is not None
        if asked.done():
            return EXIT_STOPPED
        if stuck.done() and stuck.exception() is None:
            log.error("lane_stuck", lane=self._worker_group.name, standstill_s=self._watchdog.standstill_s, lag=self._watchdog.lag)
            return EXIT_STUCK
        broken = next((intake.broken.exception() for intake in self._intakes if intake.broken.done()), None)
        failed = started.exception() if started.done() else TimeoutError(f"not started after {START_S_MAX} s")
        cause = broken or (stuck.exception() if stuck.done() else None) or self._app.crash_reason or failed
        log.error("lane_crashed", lane=self._worker_group.name, error=repr(cause), exc_info=cause)
        return EXIT_CRASHED

    async def _shut_down(self, app: WorkerApp, started: asyncio.Future[None]) -> None:
        """Take no more events, give running work its grace period, cancel the rest, commit, leave the group."""
        for intake in self._intakes:
            intake.close()
        running = {task for intake in self._intakes for task in intake.running}
        if running:
            await asyncio.wait(running, timeout=self._settings.node.shutdown_grace_s)
            cancelled = [task for task in running if task.cancel()]
            await asyncio.wait(running, timeout=CANCEL_S_MAX)
            log.info("lane_cancelled_work", lane=self._worker_group.name, running=len(running), cancelled=len(cancelled))
        started.cancel()
        with suppress(Unavailable):  # its report expires by itself
            await remove_worker(self._redis, self._settings.redis.key_prefix, self._worker_group.name, self.id)
        leaving = asyncio.ensure_future(self._leave_group(app))
        await asyncio.wait((leaving,), timeout=STOP_S_MAX)  # not a timeout(): Faust's services may take a cancellation for something else
        if not leaving.done():
            leaving.cancel()
            log.warning("lane_leave_timed_out", lane=self._worker_group.name)

    async def _leave_group(self, app: WorkerApp) -> None:
        if self._assigned:
            await self._release_partitions()
        await app.stop()

    async def _release_partitions(self) -> None:
        for intake in self._intakes:
            intake.release_all()
        await self._consumer.commit_last(COMMIT_S_MAX)
        await self.on_revoked(set())

    async def _watch(self) -> None:
        """Returns when the worker is stuck; until then it observes the partitions."""
        while not self._watchdog.is_stuck:
            self._memory_bytes = measure_tree(os.getpid(), processes_max=PROCESSES_MAX).resident_kib * 1024
            await asyncio.sleep(OBSERVE_S)
            await self._observe()
            for intake in self._intakes:
                await intake.poison.flush()

    async def _report(self) -> None:
        """Save the worker's state at each beat, however long the broker takes to answer."""
        while True:
            try:
                await save_worker_state(self._redis, self._settings.redis.key_prefix, self.state())
            except Unavailable:
                self._metrics.fallbacks.labels("report").inc()
            await asyncio.sleep(BEAT_S)

    async def _observe(self) -> None:
        assigned = set(self._assigned or ())
        ends = await self._end_offsets(assigned) if assigned else {}
        if assigned and not ends:
            self._watchdog.reset()
            return
        self._answered_s = self._clock.monotonic_s()
        positions, heads = {}, [intake.heads() for intake in self._intakes]
        for partition, end in ends.items():
            pending_offset = self._consumer.lowest_pending_offset(TP(*partition))
            begun = [head.begun_s for each in heads if (head := each.get(partition)) is not None and head.begun_s is not None]
            positions[partition] = Position(end if pending_offset is None else pending_offset, min(begun, default=None), end)
            self._show_lag(partition, positions[partition].lag)
        self._watchdog.observe(positions, self._clock.monotonic_s())
        loads = {intake.agent.name: intake.loads() for intake in self._intakes}
        self._throughput.observe(self._metrics.work(), positions, loads, self._clock.monotonic_s())
        self._metrics.oldest_s.set(self._oldest_s())
        self._backlogs = {intake.agent.name: Backlog.of(backlog) for intake in self._intakes if (backlog := intake.backlog)}
        for intake in self._intakes:
            self._show_backlog(intake.agent.name, self._backlogs.get(intake.agent.name, Backlog()))

    def _show_lag(self, partition: Partition, lag: int) -> None:
        """Most partitions are idle most of the time."""
        if self._shown_lags.get(partition) != lag:
            self._shown_lags[partition] = lag
            self._metrics.lag.labels(*partition).set(lag)

    def _show_backlog(self, agent: str, backlog: Backlog) -> None:
        if self._shown_backlogs.get(agent) != backlog:
            self._shown_backlogs[agent] = backlog
            self._metrics.set_backlog(agent, backlog)

    def _oldest_s(self) -> float:
        now_s = asyncio.get_running_loop().time()
        return max((now_s - head.offered_s for intake in self._intakes for head in intake.heads().values()), default=0.0)

    def problems(self) -> tuple[str, ...]:
        """Why this worker is not ready, one sentence each."""
        found = []
        if self._assigned is None:
            found.append("no partitions are assigned yet")
        elif self._assigned and (silent_s := self._clock.monotonic_s() - self._answered_s) > BROKER_SILENT_S_MAX:
            found.append(f"Kafka has not answered for {silent_s:.0f} s")
        if problem := self._publisher.problem:
            found.append(problem)
        if self._watchdog.is_sluggish:
            found.append(f"no progress for {self._watchdog.standstill_s:.0f} s")
        return tuple(found)

    def state(self) -> WorkerState:
        """The state of this worker, as ``/readyz`` and the API read it."""
        problems = self.problems()
        return WorkerState(
            lane=self._worker_group.name,
            id=self.id,
            partitions=self._partitions,
            assigned=len(self._assigned or ()),
            lag=self._watchdog.lag,
            oldest_unacked_age_s=self._oldest_s(),
            standstill_s=self._watchdog.standstill_s,
            ready=not problems,
            problems=problems,
            failing=self._worker_group.failing(),
            stuck=self._watchdog.is_stuck,
            started_at=self._started_at,
            metrics_port=self.metrics_port,
            lags=self._throughput.lags,
            rates=self._throughput.rates,
            waiting=self._throughput.waiting,
            speeds=self._throughput.speeds,
            backlogs=self._backlogs,
            in_flight={intake.agent.name: intake.in_flight for intake in self._intakes},
            memory_bytes=self._memory_bytes,
        )

    def _readiness(self) -> StatusResponse:
        state = msgspec.structs.replace(self.state(), backlogs={})  # names of tenants are for the API alone
        return HTTPStatus.OK if state.ready else HTTPStatus.SERVICE_UNAVAILABLE, "application/json", msgspec.json.encode(state)

    def _exposition(self) -> StatusResponse:
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, b"".join(map(generate_latest, self.registries))
