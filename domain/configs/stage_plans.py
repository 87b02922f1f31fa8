"""What is asked of a staged change, and its refusal when the part has no process, or its guard nothing to judge by."""

import difflib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from domain.config_keys import ConfigKey
from domain.configs.errors import CONFIG_STAGE_UNSUPPORTED
from domain.configs.guard_metrics import is_exposed
from domain.configs.reports import ProcessReport
from domain.configs.stages import ProcessName, find_salt, is_staged_in
from schemas.configs import Stage, StageGuard
from schemas.errors import FieldError, Refused

NAMES_SHOWN = 20


class StagePlan(Struct, frozen=True, kw_only=True):
    """As ``Stage``; the value as a person gives it."""

    value: Any
    share: float | None = None
    workers: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    guard: StageGuard | None = None
    promote_after_s: float | None = None


def check_key(key: ConfigKey, plan: StagePlan) -> None:
    """Refused("config_stage_unsupported") for a key that cannot be staged, or not by tenant; ``validation_failed`` for no part, or two."""
    if key.effect == "restart":
        raise Refused(CONFIG_STAGE_UNSUPPORTED, f"{key.name} takes effect when a process starts, so no part of them could be given back")
    if (plan.share is not None) + bool(plan.workers) + bool(plan.tenants) != 1:
        raise _wrong("share", "exactly one of share, workers and tenants says where the value is in force", "one of the three")
    if plan.tenants and not key.by_tenant:
        raise Refused(CONFIG_STAGE_UNSUPPORTED, f"what reads {key.name} does not know for which tenant: it has one value in each process")
    if (guard := plan.guard) is None:
        return
    if guard.threshold is None and guard.worsening is None:
        raise _wrong("guard.threshold", "without it and without worsening nothing is worse", "threshold, worsening or both")
    if plan.tenants and guard.worsening is not None and guard.baseline == "unstaged":
        raise _wrong("guard.baseline", "metrics are those of processes, which serve all tenants", "before, or a threshold alone")


def place_stage(plan: StagePlan, stage_id: str, value: Any, now: datetime, reports: Sequence[ProcessReport]) -> Stage:
    """The stage on the processes that report; ``value`` as it stands on the log. Raises Refused("validation_failed")."""
    guard = plan.guard
    reading = list(reports)
    if guard is not None:
        for field, selector in (("guard.metric.name", guard.metric), ("guard.per.name", guard.per)):
            if selector is not None:
                reading = [report for report in reading if is_exposed(selector.name, report.metrics)]
                if not reading:
                    detail = f"no process that runs exposes {selector.name}{_similar(selector.name, reports)}"
                    raise _wrong(field, detail, "a metric that /metrics shows")
    if not reading:
        raise _wrong("share", "no process reports that it runs", "a running installation")
    salt = 0 if plan.share is None else find_salt(stage_id, plan.share, [report.id for report in reading])
    ends_at = None if plan.promote_after_s is None else now + timedelta(seconds=plan.promote_after_s)
    stage = Stage(
        id=stage_id,
        value=value,
        started_at=now,
        share=plan.share,
        salt=salt,
        workers=plan.workers,
        tenants=plan.tenants,
        guard=guard,
        ends_at=ends_at,
    )
    if not stage.tenants:
        _check_parts(stage, reports, reading)
    return stage


def staged_processes(stage: Stage, reports: Sequence[ProcessReport]) -> list[ProcessReport]:
    """Those in which the value is in force as a whole."""
    return [report for report in reports if is_staged_in(stage, ProcessName(report.id, report.component))]


def _check_parts(stage: Stage, reports: Sequence[ProcessReport], reading: Sequence[ProcessReport]) -> None:
    names = {name for report in reports for name in (report.id, report.component)}
    if unknown := [name for name in stage.workers if name not in names]:
        known = ", ".join(sorted(names)[:NAMES_SHOWN])
        raise _wrong("workers", f"no process or component that runs is called {unknown[0]}", known)
    inside = staged_processes(stage, reading)
    field = "workers" if stage.workers else "share"
    if not inside:
        what = "exposes the guard's metric" if stage.guard is not None else "runs"
        raise _wrong(field, f"no process of this part {what}", ", ".join(sorted(report.component for report in reading)[:NAMES_SHOWN]))
    guard = stage.guard
    if guard is not None and guard.worsening is not None and guard.baseline == "unstaged" and len(inside) == len(reading):
        raise _wrong("guard.baseline", "every process that exposes the metric would have the staged value", "before, or a smaller part")


def _similar(name: str, reports: Sequence[ProcessReport]) -> str:
    names = sorted({metric for report in reports for metric in report.metrics})
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"; similar ones are {', '.join(near)}" if near else ""


def _wrong(field: str, detail: str, limit: str) -> Refused:
    return Refused("validation_failed", errors=(FieldError(field, detail, limit),))
