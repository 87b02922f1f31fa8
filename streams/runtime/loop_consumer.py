"""The owner of a worker's aiokafka consumer, in the worker's own event loop.

Stock Faust (0.15.3) gives it a thread with a loop of its own. Every poll then crosses to it and back, and both loops fight for the
interpreter: together with an event of Faust's per record that was a fifth to a third of a worker's CPU. Workers do not block their loop, so
heartbeats are as safe here; should one be blocked for a session's length all the same, its partitions belong to a worker that is not.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import aiokafka
import structlog
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faust.transport.drivers import aiokafka as stock
from faust.types import TP
from mode import Service

from adapters.kafka import make_consumer
from streams.log.fetch_pacing import pace_fetches

FETCH_WAIT_MS_MAX = 500  # the broker answers an empty fetch after this; data is answered at once

log = structlog.get_logger(__name__)


class LoopConsumer(stock.AIOKafkaConsumerThread):  # type: ignore[misc]  # faust is untyped here
    """What Faust calls the consumer's thread, without a thread."""

    wait_for_shutdown = False  # no thread has to end first

    def __init__(self, *args: Any, loop: asyncio.AbstractEventLoop | None = None, **kwargs: Any) -> None:
        super().__init__(*args, loop=loop, thread_loop=loop or asyncio.get_running_loop(), **kwargs)

    async def start(self) -> None:
        """Stock: starts a thread and waits for it."""
        self._thread_started.set()
        await self._default_start()

    async def on_start(self) -> None:
        """Stock, and the worker group's pace."""
        await super().on_start()
        pace_fetches(self._ensure_consumer(), lambda: self.consumer.next_fetch_s)

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Stock: puts the call into the thread's queue and waits for its answer."""
        result = fun(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    async def crash(self, reason: BaseException) -> None:
        """Stock: reports to the thread that waits for the start."""
        await Service.crash(self, reason)

    async def on_stop(self) -> None:
        """Stock: ``on_thread_stop``. And aiokafka lets the cancellation of its own fetches out when the broker is away.

        In aiokafka a member with a name of its own does not leave, and nobody would read its partitions before the session ends. Ours
        leaves when it stops in good order; only a dead one is waited for.
        """
        if self._consumer is not None:
            self._consumer._coordinator._group_instance_id = None  # noqa: SLF001
            with suppress(asyncio.CancelledError):
                await self._consumer.stop()

    async def _stop_children(self) -> None:
        """Stock: the thread does these three by itself."""
        await self._default_stop_children()

    async def _stop_futures(self) -> None:
        await self._default_stop_futures()

    async def _stop_exit_stacks(self) -> None:
        await self._default_stop_exit_stacks()

    @Service.task  # type: ignore[untyped-decorator]
    async def _thread_keepalive(self) -> None:
        """Stock: keeps the thread's loop turning."""

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> aiokafka.AIOKafkaConsumer:  # noqa: ARG002
        """Stock: plain credentials objects, 1.5 s fetch waits, aborted records as well. Ours: as every consumer of this product."""
        conf = self.app.conf
        return make_consumer(
            self.app.connection,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=getattr(self.app, "instance", "") or None,
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

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Back to what is committed. Stock: a partition without a commit keeps its position, and what was fetched of it is lost."""
        consumer = self._ensure_consumer()
        partitions = list(consumer.assignment())
        committed = await asyncio.gather(*(consumer.committed(tp) for tp in partitions))
        for tp, offset in zip(partitions, committed, strict=True):
            if offset is not None:
                consumer.seek(tp, offset)
        if unread := [tp for tp, offset in zip(partitions, committed, strict=True) if offset is None]:
            await consumer.seek_to_beginning(*unread)  # together: each call waits for the fetch that is at the broker
        return {TP(tp.topic, tp.partition): offset for tp, offset in zip(partitions, committed, strict=True)}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Stock: any refusal but one crashes the worker. A refused commit only means that records are read again."""
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

    def next_offset(self, tp: TP) -> int | None:
        """The offset that is read next; None while that is not known."""
        if self._consumer is None:
            return None
        subscription = self._consumer._subscription.subscription  # noqa: SLF001
        state = subscription.assignment.state_value(aiokafka.TopicPartition(*tp)) if subscription and subscription.assignment else None
        return int(state.position) if state is not None and state.has_valid_position else None

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Stock: log lines about a livelock, often false and without effect. The watchdog ends a stuck worker."""
