"""Every process reports in Redis which revisions of the configuration it runs, so that an operator sees a change arrive."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import structlog
from msgspec import Struct, field

from adapters.redis.client import RedisClient
from domain.configs.live_settings import LiveSettings
from schemas.errors import Unavailable
from streams.runtime.report_registry import ReportRegistry

REPORT_S = 2.0  # between two reports, when nothing changes

log = structlog.get_logger(__name__)


class ProcessReport(Struct, frozen=True, kw_only=True):
    """What a process runs. ``component``: ``api``, or the worker group. ``revisions`` in force by key; ``pinned``: keys whose value its
    environment sets; ``problems`` by key: why a revision is not in force; ``secret_id``: which secret decrypts sensitive values.
    """

    id: str
    component: str
    started_at: datetime
    revisions: dict[str, int] = field(default_factory=dict)
    pinned: tuple[str, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)
    secret_id: str = ""
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

    def __init__(self, live: LiveSettings, reports: ProcessReports, *, component: str, process_id: str, started_at: datetime) -> None:
        self._live, self._reports = live, reports
        self._component, self._id, self._started_at = component, process_id, started_at
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        live.observe(self._changed.set)

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
            await self._reports.remove(self._id)
        except Unavailable:
            return

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
            id=self._id,
            component=self._component,
            started_at=self._started_at,
            revisions=dict(live.revisions),
            pinned=live.pinned,
            problems=dict(live.problems),
            secret_id=live.cipher.secret_id,
        )


def find_pinning(reports: Sequence[ProcessReport], name: str) -> list[ProcessReport]:
    """The processes whose environment sets this key."""
    return [report for report in reports if name in report.pinned]
