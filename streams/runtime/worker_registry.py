"""Workers report their state in Redis, so that the API's ``/readyz`` covers all of them without knowing where they run."""

from datetime import datetime

from msgspec import Struct, field

from adapters.redis.client import RedisClient
from streams.runtime.backlog import Backlog
from streams.runtime.report_registry import ReportRegistry

BEAT_S = 0.5  # between two reports
SILENT_S_MAX = 2.2  # a worker without a report for this long does not work: readiness says so within 3 s


class WorkerState(Struct, frozen=True, kw_only=True):
    """The state of a worker. ``partitions`` of its worker group altogether, ``assigned`` of them here; ages in seconds.

    ``lags`` by topic (without prefix) of what is read here; ``rates`` by agent, events per second of work. ``waiting`` by agent, events
    that cannot begin before another ends; ``speeds`` by agent, events per second of the work under way. ``problems``: why it is not ready,
    one sentence each; ``failing``: models that fail it.
    """

    lane: str
    id: str
    partitions: int
    assigned: int
    lag: int  # events on the log that are not done
    oldest_unacked_age_s: float
    standstill_s: float  # how long the slowest partition has made no progress although it has lag
    ready: bool  # has an assignment, and no partition stands still for long
    stuck: bool  # about to be ended by its watchdog
    started_at: datetime
    metrics_port: int
    lags: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    speeds: dict[str, float] = field(default_factory=dict)
    backlogs: dict[str, Backlog] = field(default_factory=dict)  # by agent: whose events wait
    problems: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    in_flight: dict[str, int] = field(default_factory=dict)  # by agent: events under way
    memory_bytes: int = 0  # resident, with children
    silent_s: float = 0.0  # since the last report, when it is read

    @property
    def is_silent(self) -> bool:
        """No report came for so long that it hangs or is dead."""
        return self.silent_s > SILENT_S_MAX


def worker_registry(redis: RedisClient, prefix: str) -> ReportRegistry[WorkerState]:
    """The reports of all workers, by ``group:id``."""
    return ReportRegistry(redis, f"{prefix}:workers", WorkerState)


async def save_worker_state(redis: RedisClient, prefix: str, state: WorkerState) -> None:
    """Save the state of this worker; raises Unavailable."""
    await worker_registry(redis, prefix).save(f"{state.lane}:{state.id}", state)


async def remove_worker(redis: RedisClient, prefix: str, lane: str, worker: str) -> None:
    """Remove this worker from the registry; raises Unavailable."""
    await worker_registry(redis, prefix).remove(f"{lane}:{worker}")


async def list_workers(redis: RedisClient, prefix: str) -> list[WorkerState]:
    """Every worker that reported within the last 10 s, by group and id; raises Unavailable."""
    return await worker_registry(redis, prefix).list()
