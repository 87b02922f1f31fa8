"""The process core: what every area of the API builds its ports from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from adapters.redis.client import RedisClient
from api.http.background import BackgroundTasks
from api.http.metrics import Metrics
from domain.configs.live_settings import LiveSettings
from domain.documents.visibility import Visibility
from domain.read_models import ReadModels
from schemas.settings import Settings
from streams.cache import RedisCache
from streams.cache.scenarios import Table
from streams.clock import Clock
from streams.log.publisher import KafkaPublisher
from streams.runtime.client_watchdog import ClientWatchdog
from streams.tables.epoch import TableWatch
from streams.tables.record_writer import RecordWriter


class Watches(NamedTuple):
    """What watches a process: whether its Kafka clients work, and whether Redis has lost the tables (``Core.redis`` is held back then)."""

    clients: ClientWatchdog
    tables: TableWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """``random_bytes(n)`` returns n cryptographically random bytes. ``settings`` are those of the start, ``live`` has those in force."""

    live: LiveSettings
    clock: Clock
    random_bytes: Callable[[int], bytes]
    redis: RedisClient
    publisher: KafkaPublisher
    read_models: ReadModels
    records: RecordWriter
    visibility: Visibility
    cache: RedisCache
    metrics: Metrics
    background: BackgroundTasks
    watches: Watches

    @property
    def settings(self) -> Settings:
        """The settings of the start."""
        return self.live.given

    def count_table_lookup(self, tenant: str, table: Table, *, found: bool) -> None:
        """Count a read of a record table that serves as the cache of this scenario."""
        self.cache.statistics.count(tenant, table, "hit" if found else "miss")
