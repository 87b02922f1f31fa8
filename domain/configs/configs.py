"""Configuration that changes while everything runs: claw.configs.changed.v1 as a map in every process, changed by compare-and-set."""

from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from domain.configs.topics import CONFIGS_CHANGED
from schemas import ids
from schemas.configs import Config, ConfigChanged
from schemas.errors import Refused
from schemas.settings import KafkaSettings
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import LogPublisher
from streams.tables.record_writer import RecordWriter
from streams.tables.topic_map import TopicMap, TopicMapWriter

CONFIGS_MAX = 100_000

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
        self._writer = TopicMapWriter(configs, CONFIGS_CHANGED, records, publisher, lease="config", keys_max=CONFIGS_MAX)
        self._clock, self._random_bytes, self._source = clock, random_bytes, source

    async def change(self, key: str, value: Any, *, by: str, reason: str = "", expected: int | None = None) -> Config:
        """Give ``key`` another value. Refused("lost_update") unless its revision is ``expected``, when that is given."""

        def step(before: Config | None) -> tuple[ConfigChanged, Config]:
            revision = before.revision if before else 0
            if expected is not None and expected != revision:
                raise Refused("lost_update", f"{key} is at revision {revision}, not {expected}")
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
            return event, config

        config = await self._writer.change(key, step)
        assert config is not None
        log.info("config_changed", key=key, revision=config.revision, by=by, reason=reason)
        return config
