"""Every process reports in Redis which revisions of the configuration it runs, so that an operator sees a change arrive."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import structlog
from msgspec import Struct, field

from adapters.redis.client import RedisClient
from domain.configs.guard_metrics import GuardMetrics
from domain.configs.live_settings import LiveSettings
from domain.configs.stages import GuardReading, GuardWindow, ProcessName
from schemas.errors import Unavailable
from streams.clock import Clock
from streams.runtime.report_registry import ReportRegistry

REPORT_S = 2.0  # between two reports, when nothing changes

log = structlog.get_logger(__name__)


class ProcessReport(Struct, frozen=True, kw_only=True):
    """What a process runs. ``component``: ``api``, or the worker group. ``revisions`` in force by key, and ``since`` when, of those that it
    has read; ``pinned``: keys whose value its environment sets; ``problems`` by key: why a revision is not in force; ``secret_id``: which
    secret decrypts sensitive values. ``staged``: the keys whose staged value is in force, with the stage's id. ``metrics``: those that it
    exposes. ``readings`` by key of what a stage's guard watches.
    """

    id: str
    component: str
    started_at: datetime
    revisions: dict[str, int] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    pinned: tuple[str, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)
    secret_id: str = ""
    staged: dict[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    readings: dict[str, GuardReading] = field(default_factory=dict)
    silent_s: float = 0.0  # since the last report, when it is read


class ProcessReports:
    """The reports of all processes. Methods raise Unavailable."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._registry = ReportRegistry(redis, f"{prefix}:configs:processes", ProcessReport)

    async def save(self, report: ProcessReport) -> None:
        """Save the report of this process."""
        await self._registry.save(report.id, report)

    async def remove(self, process_id: str) -> None:
        """This process has ended."""
        await self._registry.remove(process_id)

    async def list(self) -> list[ProcessReport]:
        """Every process that reported within the last 10 s, by component and id."""
        return sorted(await self._registry.list(), key=lambda report: (report.component, report.id))


class ConfigReporter:
    """Reports what ``live`` has in force: at once after a change, and every two seconds."""

    def __init__(self, live: LiveSettings, reports: ProcessReports, process: ProcessName, metrics: GuardMetrics, clock: Clock) -> None:
        self._live, self._reports, self._process, self._metrics, self._clock = live, reports, process, metrics, clock
        self._started_at = clock.now()
        self._windows: dict[str, GuardWindow] = {}
        self._since: dict[str, tuple[int, datetime]] = {}  # by key: the revision in force, and since when
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        live.observe(self._observe)

    async def start(self) -> None:
        """Begin to report."""
        self._task = asyncio.create_task(self._run(), name="report-configs")

    async def stop(self) -> None:
        """End, and remove the report; with Redis down it expires."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait((self._task,))
        self._task = None
        try:
            await self._reports.remove(self._process.id)
        except Unavailable:
            return

    def _observe(self) -> None:
        now = self._clock.now()
        for name, revision in self._live.revisions.items():
            if revision != self._since.get(name, (0, now))[0]:
                self._since[name] = (revision, now)
        self._changed.set()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                await self._reports.save(self.report())
            except Unavailable as error:
                log.debug("config_report_not_saved", error=str(error))
            try:
                async with asyncio.timeout(REPORT_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def report(self) -> ProcessReport:
        """What this process runs now."""
        live = self._live
        return ProcessReport(
            id=self._process.id,
            component=self._process.component,
            started_at=self._started_at,
            revisions=dict(live.revisions),
            since={name: at for name, (_, at) in self._since.items()},
            pinned=live.pinned,
            problems=dict(live.problems),
            secret_id=live.cipher.secret_id,
            staged={name: live.stages[name].id for name in live.staged},
            metrics=self._metrics.names(self._clock.monotonic_s()),
            readings=self._read_guards(),
        )

    def _read_guards(self) -> dict[str, GuardReading]:
        """What the guards of all stages watch, as far as this process exposes it."""
        now_s, readings = self._clock.monotonic_s(), dict[str, GuardReading]()
        for name in self._windows.keys() - self._live.stages.keys():
            del self._windows[name]
        for name, stage in self._live.stages.items():
            if stage.guard is None or (totals := self._metrics.totals(name, stage.guard, now_s)) is None:
                continue
            is_staged, window = name in self._live.staged, self._windows.get(name)
            if window is None or (window.stage.id, window.staged) != (stage.id, is_staged):
                window = self._windows[name] = GuardWindow(stage, staged=is_staged, totals=totals, now_s=now_s)
            readings[name] = window.read(totals, now_s)
        return readings


def find_pinning(reports: Sequence[ProcessReport], name: str) -> list[ProcessReport]:
    """The processes whose environment sets this key."""
    return [report for report in reports if name in report.pinned]
