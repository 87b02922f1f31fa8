"""Workers report their state in Redis, so that the API's ``/readyz`` covers all of them without knowing where they run."""

from datetime import datetime

import msgspec
from msgspec import Struct, field

from adapters.redis.client import RedisClient
from streams.runtime.backlog import Backlog

STATE_TTL_S = 10  # a worker without a report for this long is gone
BEAT_S = 0.5  # between two reports
SILENT_S_MAX = 2.2  # a worker without a report for this long does not work: readiness says so within 3 s
WORKERS_MAX = 1_000  # names kept; the oldest reports go first


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


async def save_worker_state(redis: RedisClient, prefix: str, state: WorkerState) -> None:
    """Save the state of this worker; raises Unavailable."""
    name = f"{state.lane}:{state.id}"
    seconds, micros = await redis.time()
    batch = redis.pipeline()
    batch.set(f"{prefix}:workers:{name}", msgspec.json.encode(state), ex=STATE_TTL_S)
    batch.zadd(_registry(prefix), {name: seconds + micros / 1e6})
    batch.zremrangebyscore(_registry(prefix), 0, seconds - STATE_TTL_S)
    batch.zremrangebyrank(_registry(prefix), 0, -WORKERS_MAX - 1)
    await batch.execute()


async def remove_worker(redis: RedisClient, prefix: str, lane: str, worker: str) -> None:
    """Remove this worker from the registry; raises Unavailable."""
    batch = redis.pipeline()
    batch.delete(f"{prefix}:workers:{lane}:{worker}")
    batch.zrem(_registry(prefix), f"{lane}:{worker}")
    await batch.execute()


async def list_workers(redis: RedisClient, prefix: str) -> list[WorkerState]:
    """Every worker that reported within the last 10 s, by group and id; raises Unavailable."""
    batch = redis.pipeline()
    batch.time()
    batch.zrange(_registry(prefix), 0, WORKERS_MAX - 1, withscores=True)
    (seconds, micros), found = await batch.execute()
    now_s, reported_s = seconds + micros / 1e6, dict(sorted(found))
    if not reported_s:
        return []
    batch = redis.pipeline()
    for name in reported_s:
        batch.get(f"{prefix}:workers:{name.decode()}")
    return [
        msgspec.structs.replace(msgspec.json.decode(state, type=WorkerState), silent_s=max(0.0, now_s - at_s))
        for at_s, state in zip(reported_s.values(), await batch.execute(), strict=True)
        if state is not None
    ]


def _registry(prefix: str) -> str:
    return f"{prefix}:workers"
