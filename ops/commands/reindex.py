"""The commands ``claw rebuild``: change index plans and print the workers' progress. The workers build without them."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.plans import PlanStep, PlanWriter, begin_build, discard_other, replace_lost, roll_back
from domain.indexes.reindex_reports import ReindexReport, ReindexReports
from domain.read_models import ReadModels
from ops.commands.connections import open_connections
from schemas import ids
from schemas.documents import Shelf
from schemas.errors import ConfigurationError, Unavailable
from schemas.indexes import IndexPlan
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.tables.record_writer import RecordWriter

BY = "command line"
LOOK_S = 0.5
SILENT_S = 20.0  # without a report for so long the plan has no worker
PAGE = 100  # knowledge bases read at once


@dataclass(frozen=True, slots=True)
class ReindexCommandPorts:
    """The ports of the command."""

    settings: Settings
    catalogue: CollectionCatalogue
    plans: PlanWriter
    rebuilds: ReindexReports
    views: ReadModels
    clock: SystemClock


async def index(
    settings: Settings, tenant: str, knowledge_base: str | None, wanted: Shelf, *, keep: bool, force: bool, timeout_s: float
) -> int:
    """Rebuild one knowledge base, or all of the tenant, and follow it; exit code 1 when one could not be switched in time."""
    step = begin_build(wanted, settings.retrieval, keep=keep, force=force)
    async with _ports(settings) as ports:
        failed = 0
        for each in await _select_bases(ports, tenant, knowledge_base):
            plan = await ports.plans.change(tenant, each, step, by=BY)
            assert plan.other is not None
            print(f"{each}: generation {plan.other.generation} beside generation {plan.active.generation}", flush=True)
            failed += not await _follow(ports, plan, timeout_s)
        return int(failed > 0)


async def back(settings: Settings, tenant: str, knowledge_base: str) -> int:
    """Switch back to the kept collection."""
    return await _change_plan(settings, tenant, knowledge_base, roll_back)


async def drop(settings: Settings, tenant: str, knowledge_base: str) -> int:
    """Cancel the build in progress, or delete the kept collection."""
    return await _change_plan(settings, tenant, knowledge_base, discard_other)


async def status(settings: Settings, tenant: str, knowledge_base: str | None) -> int:
    """Print the plan and the last report of one or of all knowledge bases."""
    async with _ports(settings) as ports:
        for each in await _select_bases(ports, tenant, knowledge_base):
            plan = ports.catalogue.plan(tenant, each)
            print(_describe(plan))
            report = await ports.rebuilds.get(tenant, each)
            if report is not None and plan.other is not None:
                print(f"  {_format_report(report)}")
                _print_missing(report)
        return 0


async def rebuild_lost(settings: Settings, knowledge_bases: Iterable[tuple[str, str]]) -> int:
    """Begin to rebuild the indexes of these knowledge bases, by tenant and id, whose points are gone; returns how many. Workers go on."""
    count = 0
    async with _ports(settings) as ports:
        for count, (tenant, knowledge_base) in enumerate(knowledge_bases, 1):  # noqa: B007 - it is returned
            await ports.plans.change(tenant, knowledge_base, replace_lost, by=BY)
    return count


@asynccontextmanager
async def _ports(settings: Settings) -> AsyncIterator[ReindexCommandPorts]:
    clock, prefix = SystemClock(), settings.redis.key_prefix
    async with AsyncExitStack() as stack:
        redis, publisher = await stack.enter_async_context(open_connections(settings))
        catalogue, views = CollectionCatalogue(settings.kafka), ReadModels(redis, prefix)
        stack.push_async_callback(catalogue.stop)
        await catalogue.start()
        if not catalogue.ready:
            raise Unavailable("kafka_unavailable", f"{settings.kafka.servers}: the index plans cannot be read")
        records = RecordWriter(redis, prefix, publisher, views, clock)
        plans = PlanWriter(catalogue, records, publisher, clock, secrets.token_bytes, "rebuild")
        yield ReindexCommandPorts(settings, catalogue, plans, ReindexReports(redis, prefix), views, clock)


async def _select_bases(ports: ReindexCommandPorts, tenant: str, knowledge_base: str | None) -> Sequence[str]:
    """The named knowledge base, if it exists, or every one of the tenant."""
    default = ids.default_knowledge_base(tenant)
    if knowledge_base is not None:
        if knowledge_base != default and await ports.views.knowledge_bases.get(tenant, knowledge_base) is None:
            raise ConfigurationError(f"--kb: tenant {tenant} has no knowledge base {knowledge_base}")
        return (knowledge_base,)
    found, cursor = {default: None}, ""
    while True:
        page = await ports.views.knowledge_bases.list(tenant, limit=PAGE, cursor=cursor)
        found.update((base.id, None) for base in page.items)
        cursor = page.next_cursor
        if not cursor:
            return tuple(found)


async def _change_plan(settings: Settings, tenant: str, knowledge_base: str, step: PlanStep) -> int:
    async with _ports(settings) as ports:
        (chosen,) = await _select_bases(ports, tenant, knowledge_base)
        print(_describe(await ports.plans.change(tenant, chosen, step, by=BY)))
        return 0


async def _follow(ports: ReindexCommandPorts, began: IndexPlan, timeout_s: float) -> bool:
    """Print the progress until readers see the new collection and the build is done; False when it stops before."""
    tenant, knowledge_base = began.tenant, began.knowledge_base_id
    assert began.other is not None
    until_s, printed, reported_s = ports.clock.monotonic_s() + timeout_s, "", ports.clock.monotonic_s()
    while True:
        plan, report = ports.catalogue.plan(tenant, knowledge_base), await ports.rebuilds.get(tenant, knowledge_base)
        now_s = ports.clock.monotonic_s()
        if report is not None and report.revision >= began.revision and (line := _format_report(report)) != printed:
            print(f"  {line}", flush=True)
            printed, reported_s = line, now_s
        if (ended := _outcome(plan, began)) is not None:
            _print_comparison(report, began)
            print(_describe(plan), flush=True)
            return ended
        if report is not None and report.phase == "incomplete" and report.revision >= began.revision and not plan.force:
            _print_missing(report)
            print("  the workers keep trying; `--force` switches without them, `claw rebuild drop` cancels the build", file=sys.stderr)
            return False
        if now_s > until_s:
            print(f"  not done after {timeout_s:g} s; the workers continue, `claw rebuild status` shows the progress", file=sys.stderr)
            return False
        if now_s - reported_s > SILENT_S and (report is None or report.revision < began.revision):
            print("  no worker has begun the build: is a worker of the group `tables` running?", file=sys.stderr)
            reported_s = now_s
        await asyncio.sleep(LOOK_S)


def _outcome(plan: IndexPlan, began: IndexPlan) -> bool | None:
    """True: readers see the new collection and the build is done. False: the build was cancelled. None: it continues."""
    if plan.revision < began.revision or began.other is None:
        return None
    if plan.active.generation == began.other.generation:
        return True if plan.state == "steady" or (plan.state == "kept" and plan.keep) else None
    return None if plan.state == "building" and plan.other == began.other else False


def _format_report(report: ReindexReport) -> str:
    missing = f", {report.missing_total} missing" if report.missing_total else ""
    done = f"{report.documents} documents seen, {report.queued} queued, {report.pending} in progress{missing}"
    return f"{report.phase}: generation {report.generation}" + ("" if report.phase == "dropping" else f", {done}")


def _print_missing(report: ReindexReport) -> None:
    for each in report.missing:
        print(f"  missing: {each.document_id} (version {each.version}): {each.code}", file=sys.stderr)
    if report.missing_total > len(report.missing):
        print(f"  ... and {report.missing_total - len(report.missing)} more", file=sys.stderr)


def _print_comparison(report: ReindexReport | None, began: IndexPlan) -> None:
    if report is not None and began.other is not None and report.new_points >= 0:
        before, after = f"generation {began.active.generation}", f"generation {began.other.generation}"
        print(f"  {report.documents} documents; points: {report.old_points} in {before}, {report.new_points} in {after}", flush=True)


def _describe(plan: IndexPlan) -> str:
    other = "" if plan.other is None else f", {plan.state} generation {plan.other.generation} ({_describe_collection(plan.other)})"
    return f"{plan.knowledge_base_id}: generation {plan.active.generation} is searched ({_describe_collection(plan.active)}){other}"


def _describe_collection(collection: Shelf) -> str:
    """The differences of a collection from the settings."""
    parts: list[tuple[str, Callable[[Shelf], object]]] = [
        ("chunk tokens", lambda each: each.chunk_tokens),
        ("at most", lambda each: each.chunk_tokens_max),
        ("embedding", lambda each: each.embedding),
    ]
    return ", ".join(f"{name} {value(collection)}" for name, value in parts if value(collection)) or "by the settings"
