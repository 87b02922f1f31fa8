"""The epoch of the tables on the log: a key of ``claw.configs.changed.v1``, read when Redis has another one than before.

The key ends with CLAW_REDIS_KEY_PREFIX: tables under another prefix are other tables, which begin empty.
"""

import secrets

import msgspec
import structlog

from adapters.redis.client import RedisClient, connect
from domain.configs.topics import CONFIGS_CHANGED
from schemas import ids
from schemas.configs import TABLE_EPOCH, Config, ConfigChanged
from schemas.settings import Settings
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import Outgoing, Publisher
from streams.log.reader import open_log_reader
from streams.tables.epoch import TableWatch

log = structlog.get_logger(__name__)

_decode = msgspec.json.Decoder(ConfigChanged).decode


class LoggedEpoch:
    """Implements ``EpochLog``. ``publisher`` is started. Methods raise Unavailable("kafka_unavailable")."""

    def __init__(self, settings: Settings, publisher: Publisher, clock: Clock) -> None:
        self._kafka, self._publisher, self._clock = settings.kafka, publisher, clock
        self._key = TABLE_EPOCH + settings.redis.key_prefix
        self._revision = 0

    async def read(self) -> str:
        """The newest epoch; "" without one. A value that cannot be read counts as none."""
        partition, epoch = self._publisher.partition_for(CONFIGS_CHANGED, self._key), ""
        async with open_log_reader(self._kafka) as reader:
            place = reader.topic_partition(CONFIGS_CHANGED, partition)
            begin, end = (await reader.bounds([place]))[place]
            async for batch in reader.batches(place, begin, end):
                for record in batch:
                    if record.key == self._key.encode() and record.value is not None:
                        epoch = self._epoch_of(record.value) or epoch
        return epoch

    async def write(self, epoch: str) -> None:
        """Publish the epoch."""
        self._revision += 1
        now = self._clock.now()
        config = Config(
            key=self._key,
            value={"epoch": epoch},
            revision=self._revision,
            changed_at=now,
            changed_by="claw",
            reason="the tables in Redis were built",
        )
        event = ConfigChanged(
            id=ids.derive("table-epoch", epoch),
            source="/claw/tables",
            subject=self._key,
            time=now,
            tenant=ids.INSTALLATION,
            traceparent=new_traceparent(secrets.token_bytes),
            data=config,
        )
        await self._publisher.publish(Outgoing(CONFIGS_CHANGED, event, self._key))

    def _epoch_of(self, value: bytes) -> str:
        try:
            config = _decode(value).data
            epoch = config.value["epoch"]
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError, KeyError) as error:
            log.warning("table_epoch_undecodable", error=str(error))
            return ""
        self._revision = max(self._revision, config.revision)
        return str(epoch)


def watch_tables(settings: Settings, redis: RedisClient, publisher: Publisher, clock: Clock) -> TableWatch:
    """The watch of a process whose tables are read through ``redis``; its own client is closed with it."""
    recorded = LoggedEpoch(settings, publisher, clock)
    return TableWatch(redis, connect(settings.redis), settings.redis.key_prefix, recorded, make_epoch)


def make_epoch() -> str:
    """A new epoch."""
    return ids.random_id(secrets.token_bytes)
