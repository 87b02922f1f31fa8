"""Faust's Kafka transport made safe; every override names the fault of the stock one (faust-streaming 0.15.3) that it replaces.

A worker may rely on this: the committed offset never passes a message that was read and is not acknowledged; what is acknowledged is
committed before its partition is given away; a failed commit changes nothing; a record that was fetched is never dropped without being
read again; a rebalance and a shutdown do not wait for work; an outage of the broker is waited out and crashes nothing; records that never
arrive (aborted ones, the markers of transactions, what compaction removed) stall nothing and are committed with the records before them.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog
from aiokafka.errors import KafkaError
from faust import Event
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as stock
from faust.types import TP, Message

from streams.log.fetch_pacing import RecordRate
from streams.runtime.loop_consumer import LoopConsumer
from streams.runtime.offset_tracker import OffsetTracker

REVOKE_COMMIT_S_MAX = 5.0  # the last commit before a rebalance; with the broker gone it would wait for ever
HELD_POLL_S = 0.05  # how soon a partition that was resumed is polled while others have no records
EARLY_S = 0.01  # between polls while a rebalance ends
POLL_S = 1.0  # an empty poll ends after this, and the loop checks whether it is to stop
HURRIED_S, HURRIED_SHARE = 1.0, 4  # so long after records that somebody may wait for others are expected: a part of the unhurried pause
PASSED_S = 0.25  # between two readings of the positions: no commit needs them fresher

log = structlog.get_logger(__name__)


def install() -> None:
    """Make ``kafka://`` mean this transport, for every Faust app of the process; call before an app's transport is first used."""
    TRANSPORTS.aliases["kafka"] = f"{__name__}:Transport"


class RebalanceListener(Protocol):
    """Runs the work of the partitions. No method may wait for work to end."""

    def on_revoking(self, partitions: set[TP]) -> None:
        """Stop acknowledging: these partitions are about to be given away."""
        ...

    async def on_revoked(self, partitions: set[TP]) -> None:
        """After the last commit: in a moment these partitions belong to another member."""
        ...

    async def on_assigned(self, partitions: set[TP], generation: int) -> None:
        """The assignment is exactly these partitions; no record is delivered before this returns."""
        ...


class Consumer(stock.Consumer):  # type: ignore[misc]
    """Reads, tracks which offsets were read and acknowledged, commits."""

    def __init__(self, *args: Any, callback: Any, **kwargs: Any) -> None:
        super().__init__(*args, callback=self._deliver_message, **kwargs)
        self._deliver = callback
        self._unacked_messages = OffsetTracker()
        self._handed: dict[TP, int] = {}  # the last offset that was handed out since the assignment
        self._passed: dict[TP, int] = {}  # every record below was handed out, or never arrives
        self._passed_s = float("-inf")
        self._dropped: set[TP] = set()  # the position has passed records that were not delivered, until the next seek
        self._held: dict[TP, set[str]] = {}
        self._let_go = asyncio.Event()
        self._given_up = False
        self.next_fetch_s = float("-inf")  # not before, in the loop's time: the worker group's pace
        self._rate = RecordRate()
        self._hurried_s = float("-inf")  # when records came last that are not unhurried

    def _new_consumer_thread(self) -> LoopConsumer:
        return LoopConsumer(self, loop=self.loop, beacon=self.beacon)

    @property
    def listener(self) -> RebalanceListener | None:
        """The worker, when the app belongs to one."""
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

    async def _drain_messages(self, fetcher: Any) -> None:
        """Stock: a task, a lock, a queue and an event of Faust's per record. Where the app takes them together, all that a poll brings of a
        partition is one event whose value is the list of its messages.
        """
        if not getattr(self.app, "together", False):
            await super()._drain_messages(fetcher)
            return
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001
                records, wanted = await self._wait_next_records(POLL_S)
                if not records:
                    self._note_passed(wanted)
                    await asyncio.sleep(0)
                elif self.flow_active and self.app.flow_control.is_active() and not self.app.rebalancing:
                    await self._hand_out(records)
                    self._note_passed(wanted)
                elif not self._stopped.is_set():
                    self._dropped.update(records)
                    await self._seek_back()
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise

    async def _hand_out(self, records: Mapping[TP, Sequence[Any]]) -> None:
        """To the agents that read it. They add it to the offset tracker: what Faust drops on the way must not stand there, and no later
        record can be acknowledged before it has come to them.
        """
        for tp, some in records.items():
            messages = [self._to_message(tp, record) for record in some]
            channels = self.app.topics._tp_index.get(tp, ())  # noqa: SLF001
            for message in messages:
                message.incref(len(channels))
            self._read_offset[tp] = self._handed[tp] = messages[-1].offset
            envelope = self._to_message(tp, some[0])
            envelope.tracked = True  # a stream enters what is not tracked, and acknowledges an event that it skips:
            envelope.incref(len(channels) + 1)  # this one must never reach the offset tracker
            for channel in channels:
                await channel.put(Event(self.app, None, messages, None, envelope))

    def _note_passed(self, wanted: Iterable[TP]) -> None:
        """Between two polls every record below a position was handed out; the other offsets below it never arrive."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._passed_s < PASSED_S:
            return
        self._passed_s = now_s
        for tp in wanted:
            position = self._thread.next_offset(tp)
            if position and tp not in self._dropped:
                self._passed[tp] = position

    async def perform_seek(self) -> None:
        """Stock, and what was dropped is read again."""
        await super().perform_seek()
        self._dropped.clear()

    async def _seek_back(self) -> None:
        """What was fetched too early: the position has passed it. Faust lets the flow go before it has sought the committed offsets, and
        empties its queues afterwards.
        """
        await asyncio.sleep(EARLY_S)
        try:
            await self.perform_seek()
        except KafkaError as error:
            log.warning("seek_refused", error=repr(error))  # the assignment that follows seeks as well

    async def _deliver_message(self, message: Message) -> None:
        """Stock: a message is tracked only when its stream comes to it; until then an offset behind it may be committed."""
        if self.app.topics.acks_enabled_for(message.topic):
            self._unacked_messages.add(message)
        await self._deliver(message)

    def ack(self, message: Message) -> bool:
        """Stock: an acknowledgement below the commit is tracked for ever, and a message that a stream skips because its
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
        records = await self._getmany(wanted, HELD_POLL_S if self._held else timeout)
        now_s = asyncio.get_running_loop().time()
        self.next_fetch_s = now_s + self._pause_s(records, now_s) if records else float("-inf")
        return records, wanted

    def _pause_s(self, records: Mapping[TP, Sequence[Any]], now_s: float) -> float:
        """How long to gather after this poll, so that many events share a fetch; 0 for an app without a pace, and while events are few."""
        unhurried: frozenset[str] = getattr(self.app, "unhurried", frozenset())
        if all(tp.topic in unhurried for tp in records):
            pace_s = float(getattr(self.app, "unhurried_pace_s", 0.0))
            return pace_s if now_s - self._hurried_s > HURRIED_S else pace_s / HURRIED_SHARE
        self._hurried_s = now_s
        is_fast = self._rate.count(sum(map(len, records.values())), now_s)
        return float(getattr(self.app, "pace_s", 0.0)) if is_fast else 0.0

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Stock: a gap in a compacted log counts as acknowledged, with the first message behind it. Gaps need no tracking here."""

    def _new_offset(self, tp: TP) -> int | None:
        """The offset to commit: the lowest unacknowledged message, or the one behind the last acknowledged and what never arrives behind
        that. Changes nothing.

        Stock: passes a message in flight as soon as what is behind it is acknowledged, and stands before a transaction's marker for ever.
        """
        acked, passed = self._acked[tp], self._passed.get(tp)
        behind: int | None = max(acked) + 1 if acked else None
        lowest = self._unacked_messages.lowest(tp)
        if lowest is not None:
            return None if behind is None else min(lowest, behind)
        done: int = behind or self._committed_offset.get(tp) or 0
        if passed is not None and passed > done > self._handed.get(tp, -1):
            return passed
        return behind

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        """Stock: only partitions of which something was acknowledged."""
        known = self._acked.keys() | self._passed.keys()
        return (tp for tp in known if topics is None or tp in topics or tp.topic in topics)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002
        """Stock: takes a refused commit for done. (Agents' results are acknowledged before the event is: there is nothing to flush.)"""
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
        """Stock: swallows the cancellation of its caller, so that no deadline ends a commit the broker does not answer."""
        under_way = self._commit_fut
        if under_way is not None:
            await asyncio.wait((under_way,))
        return under_way is not None

    def lowest_pending_offset(self, tp: TP) -> int | None:
        """The lowest offset of the partition whose work is not done, as far as is known."""
        lowest: int | None = self._unacked_messages.lowest(tp)
        return self._thread.next_offset(tp) if lowest is None else lowest

    async def commit_within(self, timeout_s: float) -> None:
        """Commit everything that can be; twice, because a commit that is under way may have begun before the last acknowledgement."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.commit()
                await self.commit()
        except TimeoutError:
            log.warning("commit_timed_out", timeout_s=timeout_s)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stock: clears its offsets first and commits afterwards, and then waits for all work to end."""
        if self.listener is not None:
            self.listener.on_revoking(revoked)
        if revoked:
            await self.commit_within(REVOKE_COMMIT_S_MAX)
        self._unacked_messages.drop(revoked)
        for tp in revoked:
            self._held.pop(tp, None)
            self._passed.pop(tp, None)
        if self.listener is not None:
            await self.listener.on_revoked(revoked)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Stock: acknowledgements that came after a revocation count for the next assignment."""
        for books in (self._acked, self._acked_index, self._gap, self._committed_offset, self._read_offset, self._handed, self._passed):
            books.clear()
        self._unacked_messages.clear()  # in place: the streams refer to it
        self._held.clear()
        complete = self.listener is None
        try:
            if self.listener is not None:
                await self.listener.on_assigned(assigned, generation_id)
                complete = True
        finally:
            if not complete:  # aiokafka only logs what a listener raises, and would go on with partitions that no runner works on
                await self.crash(RuntimeError("the assignment could not be taken"))
        await super().on_partitions_assigned(assigned, generation_id)

    async def wait_empty(self) -> None:
        """Stock: waits until every message that was read is acknowledged, for ever if one never is. Work in flight is not waited for here:
        the worker gives it a grace period before the app is stopped, and the rest is read again by the next owner.
        """
        if not self._given_up:
            await self.commit_within(REVOKE_COMMIT_S_MAX)

    async def commit_last(self, timeout_s: float) -> None:
        """The last commit of this consumer, whether the broker answers or not."""
        self._given_up = True
        await self.commit_within(timeout_s)


class Producer(stock.Producer):  # type: ignore[misc]
    """Agents publish through streams.log.publisher; what Faust itself publishes is as safe."""

    def _settings_auth(self) -> Mapping[str, Any]:
        return getattr(self.app, "connection", None) or super()._settings_auth()  # type: ignore[no-any-return]

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class Transport(stock.Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with the safe consumer and producer."""

    Consumer = Consumer
    Producer = Producer
