"""What is wrong with an installation, as findings: what `claw doctor` shows and the health check reports."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from adapters.redis.client import RedisClient
from domain.configs.table_epoch import LoggedEpoch
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.plans import is_outdated
from schemas.errors import Unavailable
from schemas.settings import WORKER_GROUPS, Settings
from streams.dead_letters.unreadable import list_unreadable
from streams.runtime.worker_registry import list_workers
from streams.tables.epoch import REMEDY, StoredEpoch

DISK_MIB_MIN = 1024  # Kafka's segments, Redis' file and the index of a small installation
UNREADABLE_S = 86_400


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. With a ``remedy`` the check failed, or it is a ``warning``."""

    name: str
    detail: str
    remedy: str = ""
    warning: bool = False


def check_disk(folder: Path) -> Finding:
    """Whether there is room in this folder, or the one that it will be created in."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free_mib = shutil.disk_usage(existing).free // 1_048_576
    remedy = "" if free_mib >= DISK_MIB_MIN else f"make room: at least {DISK_MIB_MIN} MiB are needed"
    return Finding("disk", f"{free_mib:,} MiB free", remedy)


async def check_epoch(settings: Settings, redis: RedisClient, logged: LoggedEpoch) -> Finding:
    """Whether Redis has the tables that the log describes. ``redis`` is not held back."""
    try:
        stored, recorded = await StoredEpoch(redis, settings.redis.key_prefix).read(), await logged.read()
    except Unavailable as error:
        return Finding("tables", f"not known: {error.detail or error.code}")
    if not recorded:
        return Finding("tables", "not built yet: the first process to start begins them")
    if stored == recorded:
        return Finding("tables", f"as the log describes them (epoch {recorded[:8]})")
    found = f"Redis has those of epoch {stored[:8]}" if stored else "Redis has none"
    return Finding("tables", f"lost: {found}, the log says {recorded[:8]}", f"{REMEDY}; it is {settings.redis.rebuild}")


async def check_batches(redis: RedisClient, prefix: str) -> Finding:
    """Whether readers met batches that they had to set aside."""
    try:
        found = await list_unreadable(redis, prefix, time.time() - UNREADABLE_S)
    except Unavailable as error:
        return Finding("batches", f"not known: {error.detail}")
    if not found:
        return Finding("batches", "all of the last day can be read")
    remedy = "let their senders send them again: the dead letters of code batch_unreadable name offsets and reason"
    return Finding("batches", f"{len(found)} of the last day cannot be read and were passed, last {found[0]}", remedy, warning=True)


def check_indexes(catalogue: CollectionCatalogue, settings: Settings) -> Finding:
    """Whether every knowledge base is searched where the settings lead to. The catalogue has been started."""
    if not catalogue.ready:
        where = settings.kafka.bootstrap
        return Finding("indexes", f"the index plans on {where} cannot be read", "start it, or correct CLAW_KAFKA_BOOTSTRAP")
    outdated = [plan for plan in catalogue.plans() if is_outdated(plan)]
    if not outdated:
        return Finding("indexes", "as the settings say")
    first = outdated[0]
    detail = f"{len(outdated)} knowledge bases are searched in an earlier index, first {first.tenant}/{first.knowledge_base_id}"
    if settings.retrieval.rebuild_automatically or all(plan.state == "building" for plan in outdated):
        return Finding("indexes", f"{detail} ({first.active.index}); they are being rebuilt: `claw rebuild status`")
    remedy = f"run `claw rebuild index --tenant {first.tenant} --kb {first.knowledge_base_id}`, or set CLAW_RETRIEVAL_REBUILD_AUTOMATICALLY"
    return Finding("indexes", f"{detail} ({first.active.index})", remedy)


async def check_workers(redis: RedisClient, prefix: str) -> list[Finding]:
    """Whether every worker group has a worker that is up, and none is stuck."""
    states, findings = await list_workers(redis, prefix), []
    for group in WORKER_GROUPS:
        own = [state for state in states if state.lane == group]
        working = [state for state in own if state.ready and not state.is_silent and not state.stuck]
        problems = "; ".join(dict.fromkeys(problem for state in own for problem in state.problems))
        detail = f"{len(working)} of {len(own)} workers are up" + (f": {problems}" if problems else "")
        findings.append(Finding(f"group {group}", detail, "" if working else f"start one with `claw worker --lane {group}`; see its log"))
    return findings
