"""The Faust app of a worker: its settings, and the loop that hands records to the partitions' runners."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.types import Message

from schemas.settings import Settings
from streams.runtime.transport import RebalanceListener, install

BUFFER_EVENTS_MAX = 4096  # Faust's queue in front of every agent
COMMIT_INTERVAL_S = 0.5  # the most that is repeated after a crash, besides what was in flight
REBALANCE_TIMEOUT_S = 30.0  # members have this long to come back; ours never wait for work, so it is generous
REQUEST_TIMEOUT_S = 40.0
POLL_INTERVAL_S_MAX = 10_000_000.0  # aiokafka leaves the group for good when polled later than this: never
METADATA_AGE_MS_MAX = 10_000  # a topic that appears later is noticed within this


class Boot(BootStrategy):  # type: ignore[misc]  # faust is untyped here
    """Agents publish through streams.log.publisher: no second producer."""

    enable_kafka_producer = False


class NoTables(TableManager):  # type: ignore[misc]
    """Stock: waits for a second at every start, for tables that are made meanwhile. Ours are in Redis."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class WorkerApp(faust.App):  # type: ignore[misc]
    """``connection``: options of every Kafka client; ``listener`` runs the work of the partitions; ``pace_s``, ``unhurried_pace_s`` and
    ``unhurried`` (names of topics) are the worker group's; records of ``urgent`` topics are handed out before others. ``instance``: the
    name under which the group knows this member and its successor; "" for none.
    """

    BootStrategy = Boot

    def __init__(
        self,
        *args: Any,
        connection: Mapping[str, Any],
        listener: RebalanceListener,
        pace_s: float,
        unhurried: frozenset[str],
        unhurried_pace_s: float,
        urgent: frozenset[str],
        instance: str = "",
        **options: Any,
    ) -> None:
        self.connection = connection
        self.urgent = urgent
        self.instance = instance
        self.listener = listener
        self.pace_s, self.unhurried, self.unhurried_pace_s = pace_s, unhurried, unhurried_pace_s
        self.together = False  # whether the agents take lists of messages: see transport.Consumer
        super().__init__(*args, **options)

    def _create_directories(self) -> None:
        """No directories: state is in Redis."""


def build_faust_app(
    group: str,
    settings: Settings,
    *,
    connection: Mapping[str, Any],
    listener: RebalanceListener,
    pace_s: float = 0.0,
    unhurried: frozenset[str] = frozenset(),
    unhurried_pace_s: float = 0.0,
    poll_max: int = 500,
    urgent: frozenset[str] = frozenset(),
    instance: str = "",
) -> WorkerApp:
    """The app, not started. ``poll_max`` stays far below the buffer: a poll that does not fit blocks the one loop that reads for all."""
    install()
    session_timeout_s = settings.lanes.session_timeout_s
    return WorkerApp(
        group,
        connection=connection,
        listener=listener,
        pace_s=pace_s,
        unhurried=unhurried,
        unhurried_pace_s=unhurried_pace_s,
        urgent=urgent,
        instance=instance,
        broker="kafka://" + settings.kafka.servers.split(",")[0].strip(),  # the connection's servers are used; Faust requires one here
        broker_client_id=group,
        autodiscover=False,
        web_enabled=False,
        store="memory://",
        TableManager=NoTables,
        topic_allow_declare=False,
        topic_disable_leader=True,
        processing_guarantee="at_least_once",
        stream_buffer_maxsize=BUFFER_EVENTS_MAX,
        stream_wait_empty=True,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=METADATA_AGE_MS_MAX,
        broker_max_poll_records=min(poll_max, BUFFER_EVENTS_MAX // 8),
        broker_max_poll_interval=POLL_INTERVAL_S_MAX,
        broker_session_timeout=session_timeout_s,
        broker_heartbeat_interval=min(3.0, session_timeout_s / 4),
        broker_rebalance_timeout=REBALANCE_TIMEOUT_S,
        broker_request_timeout=max(REQUEST_TIMEOUT_S, session_timeout_s),
        broker_commit_interval=COMMIT_INTERVAL_S,
        producer_request_timeout=30,
        producer_acks=-1,
    )


def add_agent(app: WorkerApp, name: str, topics: tuple[str, ...], offer: Callable[[Message], None]) -> None:
    """Add a Faust agent that hands every record of ``topics`` to ``offer``, which must not block; acknowledging is the runner's."""

    async def consume(stream: Any) -> None:
        batches: AsyncIterator[list[Message]] = stream.noack()
        books = app.consumer.unacked
        async for messages in batches:
            for message in messages:
                books.add(message)
                offer(message)

    app.together = True
    raw = app.topic(*topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    app.agent(raw, name=name)(consume)
