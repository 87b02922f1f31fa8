"""The visibility records once more, folded in memory from the progress topic: what the knowledge lane asks while Redis is down.

It knows of a version when its step has said so on the log, a moment after Redis; what it has not heard of is not shown.
"""

import asyncio
from collections.abc import Sequence

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from adapters.kafka import connection
from schemas.errors import Unavailable
from schemas.settings import Kafka
from streams.topics import DOCUMENTS_PROGRESSED, Topic
from streams.visibility import Standing

DOCUMENTS_MAX = 500_000  # about 150 MB at 300 bytes a document; past that unknown ones stay unknown, hence hidden, until Redis is back
POLL_MS = 1_000  # how far behind it may be
FETCH_BYTES_MIN = 65_536  # until then the broker waits for more: read many at once, it is a mirror for hard times
BATCH_MAX = 1_000  # records folded before other tasks get their turn
RECONNECT_S_MIN, RECONNECT_S_MAX = 0.5, 10.0

log = structlog.get_logger(__name__)


class _Step(Struct):
    version: int
    state: str


class _Progressed(Struct):
    """The few fields of DocumentProgressed that matter here; the rest is skipped undecoded."""

    subject: str
    data: _Step


class Mirror:
    """Implements ``streams.visibility.Standings``. Start it with the process: it reads the whole (compacted) topic once, then follows."""

    def __init__(self, kafka: Kafka, *, documents_max: int = DOCUMENTS_MAX, topic: Topic = DOCUMENTS_PROGRESSED) -> None:
        self._kafka = kafka
        self._topic = kafka.topic_prefix + topic.name
        self._documents_max = documents_max
        self._decode = msgspec.json.Decoder(_Progressed).decode
        self._standings: dict[str, Standing] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._goal: dict[TopicPartition, int] | None = None  # where the log ended when it was first reached
        self._full = False
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._standings)

    @property
    def ready(self) -> bool:
        """Everything that was on the log at the start has been read."""
        return self._goal is not None and all(self._positions.get(partition, 0) >= end for partition, end in self._goal.items())

    async def start(self) -> None:
        """Begin to read; returns at once."""
        self._task = asyncio.create_task(self._follow(), name="visibility-mirror")

    async def stop(self) -> None:
        """Stop reading; what is known stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    async def of(self, keys: Sequence[str]) -> dict[str, Standing]:
        """Where each document stands as far as the log was read; raises Unavailable("redis_unavailable") until it was read once."""
        if not self.ready:
            raise Unavailable("redis_unavailable")
        return {key: self._standings.get(key, Standing()) for key in keys}

    def fold(self, value: bytes | None) -> None:
        """Take one record of the progress topic into account, in any order, any number of times."""
        if value is None:
            return  # a tombstone: the document is long gone, and nothing older can follow
        try:
            event = self._decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("progress_undecodable", error=str(error))
            return
        version, state = event.data.version, event.data.state
        known = self._standings.get(event.subject)
        if known is None and len(self._standings) >= self._documents_max:
            if not self._full:
                log.warning("visibility_mirror_full", documents=self._documents_max)
            self._full = True
            return
        known = known or Standing()
        # "unchanged" is no change of what is shown: the points keep the version they were stored with
        self._standings[event.subject] = Standing(
            latest=max(known.latest, version),
            visible=max(known.visible, version) if state == "indexed" else known.visible,
            deleted=max(known.deleted, version) if state == "deleted" else known.deleted,
        )

    async def _follow(self) -> None:
        pause_s = RECONNECT_S_MIN
        while True:
            consumer = AIOKafkaConsumer(
                self._topic,
                **connection(self._kafka),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_min_bytes=FETCH_BYTES_MIN,
                fetch_max_wait_ms=POLL_MS,
            )
            try:
                await consumer.start()
                for partition, position in self._positions.items():
                    consumer.seek(partition, position)
                if self._goal is None:
                    self._goal = dict(await consumer.end_offsets(list(consumer.assignment())))
                pause_s = RECONNECT_S_MIN
                await self._read(consumer)
            except KafkaError as error:
                log.warning("visibility_mirror_lost", error=f"{type(error).__name__}: {error}")
            finally:
                await consumer.stop()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RECONNECT_S_MAX)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_MAX)).values():
                for record in records:
                    self.fold(record.value)
            for partition in consumer.assignment():
                self._positions[partition] = await consumer.position(partition)
