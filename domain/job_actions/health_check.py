"""The action ``health_check``: what `claw doctor` checks, as far as a worker can see it; operators get a notice of what is wrong."""

import asyncio
from collections.abc import Callable, Sequence

from adapters.blobs import BlobStore
from adapters.redis.client import RedisClient
from domain.accounts.records import OPERATORS, OPERATORS_SCOPE
from domain.configs.table_epoch import LoggedEpoch
from domain.health import Finding, check_batches, check_disk, check_epoch, check_indexes, check_workers
from domain.indexes.catalogue import CollectionCatalogue
from domain.jobs.errors import HEALTH_CHECK_FAILED
from domain.jobs.runner import JobStep
from domain.jobs.steps import fail, stop, succeed
from domain.notices.notices import new_notice, notice_event
from schemas.errors import Refused, Unavailable
from schemas.jobs import Job
from schemas.settings import Settings
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import LogPublisher
from streams.tables.projection import Tables

SOURCE = "run_jobs"
OPERATORS_MAX = 100  # that get the notice
NOTES_CHARS_MAX = 300  # of a finding


class HealthChecks:
    """The checks of one worker. Each of them says what it found, also that it could not look."""

    def __init__(
        self, settings: Settings, redis: RedisClient, logged: LoggedEpoch, catalogue: CollectionCatalogue, blobs: BlobStore
    ) -> None:
        self._settings, self._redis, self._logged, self._catalogue, self._blobs = settings, redis, logged, catalogue, blobs

    async def run(self) -> Sequence[Finding]:
        """Every finding. Raises Unavailable("redis_unavailable")."""
        prefix = self._settings.redis.key_prefix
        return (
            await asyncio.to_thread(check_disk, self._settings.node.home.absolute()),
            await self._check_blobs(),
            await check_epoch(self._settings, self._redis, self._logged),
            await check_batches(self._redis, prefix),
            check_indexes(self._catalogue, self._settings),
            *await check_workers(self._redis, prefix),
        )

    async def _check_blobs(self) -> Finding:
        try:
            await self._blobs.check()
        except Unavailable as error:
            remedy = "make the store of documents' files writable (CLAW_DOCUMENT_BLOB_URL)"
            return Finding("files", f"files of documents cannot be written: {error}", remedy)
        return Finding("files", "can be written")


def health_check_step(
    check: HealthChecks, tables: Tables, publisher: LogPublisher, clock: Clock, random_bytes: Callable[[int], bytes]
) -> JobStep:
    """All checks in one step."""

    async def step(job: Job) -> Job:
        if job.cancel:
            return stop(job, clock.now())
        findings = await check.run()
        wrong, now = [finding for finding in findings if finding.remedy], clock.now()
        notes = tuple(f"{each.name}: {each.detail} -> {each.remedy}"[:NOTES_CHARS_MAX] for each in wrong)
        counts = {"checks": len(findings), "wrong": len(wrong)}
        if not wrong:
            return succeed(job, now, done=len(findings), total=len(findings), unit="checks", results=counts)
        fields = {"findings": "; ".join(f"{each.name}: {each.detail}" for each in wrong), "remedy": wrong[0].remedy}
        cause = ("/".join(each.name for each in wrong), now.date().isoformat())  # one a day for the same findings
        for operator in (await tables.of(OPERATORS).list(OPERATORS_SCOPE, limit=OPERATORS_MAX)).items:
            notice = await new_notice(tables, operator.tenant, operator.id, "health_check.failed", fields, now, *cause)
            if notice is not None:
                await publisher.publish(notice_event(notice, SOURCE, new_traceparent(random_bytes), now))
        problem = Refused(HEALTH_CHECK_FAILED, "; ".join(notes)[:1_000]).problem()
        return fail(job, now, problem, done=len(findings), total=len(findings), unit="checks", results=counts, notes=notes)

    return step
