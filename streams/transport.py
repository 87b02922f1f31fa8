"""Faust's Kafka transport made safe; every override says which fault of the stock one (faust-streaming 0.15.3) it stands in for.

What a lane may rely on: the committed offset never passes a message that was read and is not acknowledged; what is acknowledged is
committed before its partition is given away; a failed commit changes nothing; a record that was fetched is never dropped without being
read again; a rebalance and a shutdown wait for nobody's work; an outage of the broker is waited out, not crashed on.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import aiokafka
import structlog
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as stock
from faust.types import TP, Message
from mode.threads import WorkerThread

from streams.unacked import Unacked

REVOKE_COMMIT_S_MAX = 5.0  # the last commit before a rebalance; with the broker gone it would wait for ever
THREAD_JOIN_S_MAX = 1.0  # for the consumer's thread to end once it was told to; the process ends without it
HELD_POLL_S = 0.05  # how soon a partition that was let go again is polled while others have nothing to say
FETCH_WAIT_MS_MAX = 500  # the broker answers an empty fetch after this; data is answered at once

log = structlog.get_logger(__name__)


def install() -> None:
    """Make ``kafka://`` mean this transport, for every Faust app of the process; call before an app's transport is first used."""
    TRANSPORTS.aliases["kafka"] = f"{__name__}:Transport"


class Listener(Protocol):
    """Whoever runs the work of the partitions. Neither may wait for work to end."""

    def releasing(self, partitions: set[TP]) -> None:
        """Stop acknowledging: these partitions are about to be given away."""
        ...

    async def released(self, partitions: set[TP]) -> None:
        """What could be committed is committed; in a moment they belong to somebody else."""
        ...

    async def assigned(self, partitions: set[TP], generation: int) -> None:
        """These and only these are ours now; nothing is delivered before this returns."""
        ...


class DaemonThread(WorkerThread):  # type: ignore[misc]
    """Stock: the main loop is blocked until the consumer has closed, for ever when its broker is gone, and the process does not end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.daemon = True

    def stop(self) -> None:
        self.is_stopped.wait(THREAD_JOIN_S_MAX)


class ConsumerThread(stock.AIOKafkaConsumerThread):  # type: ignore[misc]  # faust is untyped here
    """The thread that owns the aiokafka consumer."""

    Worker = DaemonThread

    def _create_worker_consumer(self, transport: "Transport") -> aiokafka.AIOKafkaConsumer:  # noqa: ARG002
        """Stock: plain credentials objects, 1.5 s fetch waits. Ours: the connection every client of this product shares."""
        conf = self.app.conf
        return aiokafka.AIOKafkaConsumer(
            **self.app.connection,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=FETCH_WAIT_MS_MAX,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
        )

    async def on_thread_stop(self) -> None:
        """Stock: aiokafka lets the cancellation of its own fetches out when the broker is away, and the thread dies of it half-closed."""
        with suppress(asyncio.CancelledError):
            await super().on_thread_stop()

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Back to what is committed. Stock: a partition without a commit keeps its position, and what was fetched of it is lost."""
        return await self.call_thread(self._seek_to_committed)  # type: ignore[no-any-return]

    async def _seek_to_committed(self) -> Mapping[TP, int | None]:
        consumer = self._ensure_consumer()
        partitions = list(consumer.assignment())
        committed = await asyncio.gather(*(consumer.committed(tp) for tp in partitions))
        for tp, offset in zip(partitions, committed, strict=True):
            if offset is None:
                await consumer.seek_to_beginning(tp)
            else:
                consumer.seek(tp, offset)
        return {TP(tp.topic, tp.partition): offset for tp, offset in zip(partitions, committed, strict=True)}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Stock: any refusal but one crashes the worker. A refused commit only means that somebody will read again."""
        consumer = self._ensure_consumer()
        assignment = consumer.assignment()
        wanted = {tp: offset for tp, offset in offsets.items() if tp in assignment}
        try:
            await consumer.commit({aiokafka.TopicPartition(*tp): offset for tp, offset in wanted.items()})
        except (CommitFailedError, IllegalStateError, KafkaError) as error:
            log.warning("commit_refused", error=repr(error), partitions=len(wanted))
            return False
        return True

    async def _fetch_records(self, consumer: aiokafka.AIOKafkaConsumer, *args: Any, **kwargs: Any) -> Any:
        """Stock: what was fetched first is handed out first, to its end: a question waits behind a megabyte of every other partition."""
        urgent = getattr(self.app, "urgent", ())
        fetched = consumer._fetcher._records  # noqa: SLF001
        for tp in [tp for tp in fetched if tp.topic in urgent]:
            fetched.move_to_end(tp, last=False)
        return await super()._fetch_records(consumer, *args, **kwargs)

    def fetched_to(self, tp: TP) -> int | None:
        """The offset that is read next; None while that is not known."""
        subscription = self._ensure_consumer()._subscription.subscription  # noqa: SLF001
        state = subscription.assignment.state_value(aiokafka.TopicPartition(*tp)) if subscription and subscription.assignment else None
        return int(state.position) if state is not None and state.has_valid_position else None

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Stock: log lines about a livelock, often false, that lead to nothing. The lane's watchdog ends a stuck worker."""


class Consumer(stock.Consumer):  # type: ignore[misc]
    """Reads, keeps the books of what is read and acknowledged, commits."""

    def __init__(self, *args: Any, callback: Any, **kwargs: Any) -> None:
        super().__init__(*args, callback=self._delivering, **kwargs)
        self._deliver = callback
        self._unacked_messages = Unacked()
        self._held: dict[TP, set[str]] = {}
        self._let_go = asyncio.Event()
        self._given_up = False
        self._read_s = float("-inf")  # when the last poll found something

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def listener(self) -> Listener | None:
        """The lane, when the app is one."""
        return getattr(self.app, "listener", None)

    def hold(self, tp: TP, agent: str, held: bool) -> None:  # noqa: FBT001
        """Fetch no more of this partition until every agent that held it lets it go; what is fetched already still arrives."""
        if held:
            self._held.setdefault(tp, set()).add(agent)
        elif holders := self._held.get(tp):
            holders.discard(agent)
            if not holders:
                del self._held[tp]
                self._let_go.set()

    async def _delivering(self, message: Message) -> None:
        """Stock: a message is in the books only when its stream comes to it; until then an offset behind it may be committed."""
        if self.app.topics.acks_enabled_for(message.topic):
            self._unacked_messages.add(message)
        await self._deliver(message)

    def ack(self, message: Message) -> bool:
        """Stock: an acknowledgement below the commit stays in the books for ever, and a message that a stream skips because its
        partitions went away counts as acknowledged.
        """
        if message.generation_id != self.app.consumer_generation_id or not self.app.flow_control.is_active():
            return False
        fresh = bool(super().ack(message))
        self._unacked_messages.discard(message)
        return fresh

    async def _wait_next_records(self, timeout: float) -> tuple[Any, set[TP]]:  # noqa: ASYNC109
        """Stock: the set of wanted partitions is shared with whoever changes it during the poll, and records of a partition that left it
        meanwhile are dropped although the position has passed them. Here the poll and the filter after it see one snapshot.
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        self.not_waiting_next_records.set()
        wanted = self._get_active_partitions() - self._held.keys()
        self._let_go.clear()
        if not wanted:
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._let_go.wait()
            return {}, wanted
        await self._pause()
        records = await self._getmany(wanted, HELD_POLL_S if self._held else timeout)
        self._read_s = asyncio.get_running_loop().time() if records else float("-inf")
        return records, wanted

    async def _pause(self) -> None:
        """Under load: gather what comes within the lane's pace, so that many events share a wake-up."""
        pace_s: float = getattr(self.app, "pace_s", 0.0)
        if pace_s and (due_in_s := self._read_s + pace_s - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(due_in_s)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Stock: a hole in a compacted log is booked as acknowledged, with the first message behind it. Holes need no books here."""

    def _new_offset(self, tp: TP) -> int | None:
        """The offset to commit: the lowest unacknowledged message, or the one behind the last acknowledged. Changes nothing.

        Stock: passes a message in flight as soon as what is behind it is acknowledged.
        """
        acked = self._acked[tp]
        if not acked:
            return None
        lowest = self._unacked_messages.lowest(tp)
        behind: int = max(acked) + 1
        return behind if lowest is None else min(lowest, behind)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002
        """Stock: books a refused commit as done. (What agents publish is acknowledged before they are, so there is nothing to flush.)"""
        assignment = self.assignment()
        ours = {tp: offset for tp, offset in offsets.items() if tp in assignment}
        if not ours or not await self._commit(ours):
            return False
        for tp, offset in ours.items():
            self._committed_offset[tp] = offset
            self._acked[tp] = [acked for acked in self._acked[tp] if acked >= offset]
            self._acked_index[tp] = set(self._acked[tp])
        self.app.monitor.on_tp_commit(ours)
        return True

    async def maybe_wait_for_commit_to_finish(self) -> bool:
        """Stock: swallows the cancellation of whoever waits here, so that no deadline ends a commit the broker does not answer."""
        under_way = self._commit_fut
        if under_way is not None:
            await asyncio.wait((under_way,))
        return under_way is not None

    def standing(self, tp: TP) -> int | None:
        """The lowest offset of the partition whose work is not done, as far as is known."""
        lowest: int | None = self._unacked_messages.lowest(tp)
        return self._thread.fetched_to(tp) if lowest is None else lowest

    async def commit_within(self, timeout_s: float) -> None:
        """Commit everything that can be; twice, because a commit that is under way may have begun before the last acknowledgement."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.commit()
                await self.commit()
        except TimeoutError:
            log.warning("commit_timed_out", timeout_s=timeout_s)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stock: drops the books first and commits afterwards, and then waits for all work to end."""
        if self.listener is not None:
            self.listener.releasing(revoked)
        if revoked:
            await self.commit_within(REVOKE_COMMIT_S_MAX)
        self._unacked_messages.forget(revoked)
        for tp in revoked:
            self._held.pop(tp, None)
        if self.listener is not None:
            await self.listener.released(revoked)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Stock: acknowledgements that came after a revocation stay in the books of the next assignment."""
        for books in (self._acked, self._acked_index, self._gap, self._committed_offset, self._read_offset):
            books.clear()
        self._unacked_messages.clear()  # in place: the streams have their hands on it
        self._held.clear()
        complete = self.listener is None
        try:
            if self.listener is not None:
                await self.listener.assigned(assigned, generation_id)
                complete = True
        finally:
            if not complete:  # aiokafka only logs what a listener raises, and would go on with partitions that nobody works on
                await self.crash(RuntimeError("the assignment could not be taken"))
        await super().on_partitions_assigned(assigned, generation_id)

    async def wait_empty(self) -> None:
        """Stock: waits until every message that was read is acknowledged, for ever if one never is. Work in flight is not waited for here:
        the lane gives it its grace before the app is stopped, and what is left is read again elsewhere.
        """
        if not self._given_up:
            await self.commit_within(REVOKE_COMMIT_S_MAX)

    async def give_up(self, timeout_s: float) -> None:
        """The last commit of this consumer, whether the broker answers or not."""
        self._given_up = True
        await self.commit_within(timeout_s)


class Producer(stock.Producer):  # type: ignore[misc]
    """Lanes publish through streams.publisher; whatever goes through Faust anyway is as safe."""

    def _settings_auth(self) -> Mapping[str, Any]:
        return getattr(self.app, "connection", None) or super()._settings_auth()  # type: ignore[no-any-return]

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class Transport(stock.Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with the safe consumer and producer."""

    Consumer = Consumer
    Producer = Producer
