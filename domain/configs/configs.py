"""Configuration that changes while everything runs: claw.configs.changed.v1, followed by every process, written by one hand at a time."""

from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from adapters.kafka import StoredRecord
from domain.configs.topics import CONFIGS_CHANGED
from domain.indexes.plans import LogPublisher
from schemas import ids
from schemas.configs import Config, ConfigChanged
from schemas.errors import Refused, Unavailable
from schemas.settings import KafkaSettings
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import Outgoing
from streams.log.replica import TopicReplica
from streams.tables.record_writer import RecordWriter

READ_S_MAX = 5.0  # a start waits this long for what is on the log
POLL_MS = 500  # of an idle topic; news comes at once
CONFIGS_MAX = 100_000

Watcher = Callable[[str, Config | None], None]

log = structlog.get_logger(__name__)


class Configs:
    """What every key says, in memory. ``watch`` before ``start``: the watcher hears of every key under its prefix, old and new."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._known: dict[str, tuple[int, Config]] = {}  # with the offset
        self._watchers: list[tuple[str, Watcher]] = []
        self._decode = msgspec.json.Decoder(ConfigChanged).decode
        self._follower = TopicReplica(kafka, CONFIGS_CHANGED, self._fold, fetch_bytes_min=1, wait_ms=POLL_MS)

    def __len__(self) -> int:
        return len(self._known)

    def watch(self, prefix: str, watcher: Watcher) -> None:
        """``watcher(key, config)``; None when the key is gone. It must not raise."""
        self._watchers.append((prefix, watcher))

    async def start(self) -> None:
        """Read what is there, at most 5 s; with the log out of reach it goes on trying in the background."""
        await self._follower.start()
        if not await self._follower.wait_ready(READ_S_MAX):
            log.warning("configs_not_read", waited_s=READ_S_MAX)

    async def stop(self) -> None:
        """Stop following; what is known stays."""
        await self._follower.stop()

    async def catch_up(self, partition: int, end: int) -> None:
        """Know what a partition has up to this offset; raises Unavailable("kafka_unavailable")."""
        await self._follower.catch_up(partition, end, READ_S_MAX)

    def get(self, key: str) -> Config | None:
        """What a key says; None when nobody ever said anything, or took it back for good."""
        found = self._known.get(key)
        return None if found is None else found[1]

    def find_by_prefix(self, prefix: str) -> list[Config]:
        """Every key that begins like this, in order."""
        return [config for key, (_, config) in sorted(self._known.items()) if key.startswith(prefix)]

    def write_through(self, offset: int, config: Config) -> None:
        """It lies on the log at ``offset``: known to its writer before it is read back."""
        known = self._known.get(config.key)
        if known is None or known[0] < offset:
            self._known[config.key] = (offset, config)
            self._notify(config.key, config)

    def _fold(self, record: StoredRecord) -> None:
        key = (record.key or b"").decode(errors="replace")
        if record.value is None:
            if key in self._known and self._known[key][0] < record.offset:
                del self._known[key]
                self._notify(key, None)
            return
        try:
            self.write_through(record.offset, self._decode(record.value).data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("config_undecodable", key=key, error=str(error))

    def _notify(self, key: str, config: Config | None) -> None:
        for prefix, watcher in self._watchers:
            if key.startswith(prefix):
                watcher(key, config)


class ConfigWriter:
    """Changes configuration: compare-and-set under a lease, then the log. Everything raises Unavailable when Redis or the log is away."""

    def __init__(
        self,
        configs: Configs,
        records: RecordWriter,
        publisher: LogPublisher,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        source: str,
    ) -> None:
        self._configs, self._records, self._log = configs, records, publisher
        self._clock, self._random_bytes, self._source = clock, random_bytes, source

    async def change(self, key: str, value: Any, *, by: str, reason: str = "", expected: int | None = None) -> Config:
        """Say something else under ``key``. Refused("lost_update") unless its revision is ``expected``, when that is given."""
        async with self._records.lease(f"config/{key}"):
            partition = self._log.partition_for(CONFIGS_CHANGED, key)
            await self._configs.catch_up(partition, await self._log.end_offset(CONFIGS_CHANGED, partition))
            before = self._configs.get(key)
            revision = before.revision if before else 0
            if expected is not None and expected != revision:
                raise Refused("lost_update", f"{key} is at revision {revision}, not {expected}")
            if before is None and len(self._configs) >= CONFIGS_MAX:
                raise Unavailable("overloaded", f"there are {CONFIGS_MAX} configuration keys, as many as every process holds in memory")
            now = self._clock.now()
            config = Config(key=key, value=value, revision=revision + 1, changed_at=now, changed_by=by, reason=reason)
            event = ConfigChanged(
                id=ids.derive("config", key, config.revision),
                source=f"/claw/{self._source}",
                subject=key,
                time=now,
                tenant=ids.INSTALLATION,
                traceparent=new_traceparent(self._random_bytes),
                data=config,
            )
            place = await self._log.publish(Outgoing(CONFIGS_CHANGED, event))
            self._configs.write_through(place.offset, config)
            log.info("config_changed", key=key, revision=config.revision, by=by, reason=reason)
            return config
