"""Configuration that changes while everything runs: claw.configs.changed.v1 as a map in every process, changed by compare-and-set.

A revision is recorded in the history before it is published, so none is in force that the history lacks. One that was recorded and not
published is no revision: the next change has its number, and replaces it.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import structlog

from domain.configs.topics import CONFIGS_CHANGED, CONFIGS_RECORDED
from schemas import ids
from schemas.configs import Config, ConfigChanged, ConfigRecorded, Stage, StageEnd
from schemas.errors import Refused
from schemas.settings import KafkaSettings
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import LogPublisher, Outgoing
from streams.tables.record_writer import RecordWriter
from streams.tables.topic_map import TopicMap, TopicMapWriter

CONFIGS_MAX = 100_000

E = TypeVar("E", ConfigChanged, ConfigRecorded)

log = structlog.get_logger(__name__)

_decode = msgspec.json.Decoder(ConfigChanged).decode


class Configs(TopicMap[Config]):
    """The configuration of every key. A key whose value was removed has a ``Config`` with the value None."""

    def __init__(self, kafka: KafkaSettings) -> None:
        super().__init__(kafka, CONFIGS_CHANGED, lambda record: _decode(record).data)


class ConfigWriter:
    """Changes configuration. Methods raise Unavailable when Redis or the log is out of reach."""

    def __init__(
        self,
        configs: Configs,
        records: RecordWriter,
        publisher: LogPublisher,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        source: str,
    ) -> None:
        self._configs, self._records, self._publisher = configs, records, publisher
        self._writer = TopicMapWriter(
            configs, CONFIGS_CHANGED, records, publisher, lease="config", keys_max=CONFIGS_MAX, record=self._record
        )
        self._clock, self._random_bytes, self._source = clock, random_bytes, source

    async def change(
        self,
        key: str,
        value: Any,
        *,
        by: str,
        reason: str = "",
        request: str = "",
        expected: int | None = None,
        unchanged: Callable[[Any], bool] | None = None,
        stage: Stage | None = None,
        stage_end: StageEnd | None = None,
    ) -> Config:
        """Give ``key`` another value, or a ``stage`` beside it. Refused("lost_update") unless its revision is ``expected``, when that is
        given. No change, and no revision, when the present value is ``unchanged``.
        """
        changed = False

        def step(before: Config | None) -> tuple[ConfigChanged, Config] | None:
            nonlocal changed
            revision = before.revision if before else 0
            if expected is not None and expected != revision:
                raise Refused("lost_update", f"{key} is at revision {revision}, not {expected}")
            if unchanged is not None and unchanged(before.value if before else None):
                return None
            changed = True
            now = self._clock.now()
            config = Config(
                key=key,
                value=value,
                revision=revision + 1,
                changed_at=now,
                changed_by=by,
                reason=reason,
                request=request,
                stage=stage,
                stage_end=stage_end,
            )
            return self._event(ConfigChanged, ids.derive("config", key, config.revision), config), config

        config = await self._writer.change(key, step)
        if config is None:
            return Config(key=key, value=None, revision=0, changed_at=self._clock.now(), changed_by="")
        if changed:
            log.info("config_changed", key=key, revision=config.revision, by=by, reason=reason)
        return config

    def now(self) -> datetime:
        """The time of a change that is made now."""
        return self._clock.now()

    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        """A lease around checks that concern several keys; see ``RecordWriter.lease``."""
        return self._records.lease(name)

    async def catch_up(self, keys: Iterable[str]) -> None:
        """Read what is on the log of these keys."""
        for partition in sorted({self._publisher.partition_for(CONFIGS_CHANGED, key) for key in keys}):
            await self._configs.catch_up(partition, await self._publisher.end_offset(CONFIGS_CHANGED, partition))

    async def _record(self, config: Config) -> None:
        made = ids.derive("config-record", config.key, config.revision, config.changed_at.isoformat())
        await self._records.change(Outgoing(CONFIGS_RECORDED, self._event(ConfigRecorded, made, config), config.key))

    def _event(self, kind: type[E], event_id: str, config: Config) -> E:
        return kind(
            id=event_id,
            source=f"/claw/{self._source}",
            subject=config.key,
            time=config.changed_at,
            tenant=ids.INSTALLATION,
            traceparent=new_traceparent(self._random_bytes),
            data=config,
        )
