"""``claw schedule``: schedules through the API, with somebody's API key."""

from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

import msgspec

from ops.commands.api_requests import request_api
from schemas.bodies.pages import Page
from schemas.bodies.schedules import ScheduleRunView, ScheduleView, ScheduleWithRuns
from schemas.errors import ConfigurationError
from schemas.schedules import CronSpec, ScheduleSpec
from schemas.settings import Settings

NONE = "-"


async def list_schedules(settings: Settings, chosen: Namespace) -> int:
    """Print the schedules, one a line."""
    cursor: str | None = ""
    while cursor is not None:
        query = f"?limit=100&installation={str(chosen.installation).lower()}" + (f"&cursor={cursor}" if cursor else "")
        page = msgspec.json.decode(await _ask(settings, chosen, "GET", f"/schedules{query}"), type=Page[ScheduleView])
        for schedule in page.items:
            print(_line(schedule))
        cursor = page.next_cursor
    return 0


async def show(settings: Settings, chosen: Namespace) -> int:
    """Print a schedule, its next times and its last runs."""
    found = msgspec.json.decode(await _ask(settings, chosen, "GET", f"/schedules/{chosen.id}"), type=ScheduleWithRuns)
    print(_line(found))
    for at in found.next_at:
        print(f"  next {at.isoformat(timespec='seconds')}")
    for run in found.runs:
        print(f"  {_run_line(run)}")
    return 0


async def create(settings: Settings, chosen: Namespace) -> int:
    """Create a schedule; print it."""
    if bool(chosen.cron) == bool(chosen.every):
        raise ConfigurationError("give the times by exactly one of --cron and --every")
    if chosen.cron:
        spec: dict[str, Any] = {"kind": "cron", "line": chosen.cron, "time_zone": chosen.time_zone}
    else:
        spec = {"kind": "interval", "every_s": chosen.every, "offset_s": chosen.offset}
    action: dict[str, Any] = {"kind": chosen.action}
    if chosen.action == "rebuild":
        action["knowledge_base_id"] = chosen.kb
    body = {"name": chosen.name, "spec": spec, "action": action, "overlap": chosen.overlap, "note": chosen.note}
    body |= {"catch_up_s": chosen.catch_up, "jitter_s": chosen.jitter}
    print(_line(msgspec.json.decode(await _ask(settings, chosen, "POST", "/schedules", body), type=ScheduleView)))
    return 0


async def pause(settings: Settings, chosen: Namespace, *, paused: bool) -> int:
    """Pause or resume a schedule; print it."""
    body = {"paused": paused} | ({"note": chosen.note} if chosen.note is not None else {})
    print(_line(msgspec.json.decode(await _ask(settings, chosen, "PATCH", f"/schedules/{chosen.id}", body), type=ScheduleView)))
    return 0


async def trigger(settings: Settings, chosen: Namespace) -> int:
    """Run a schedule once now; print the run."""
    print(_run_line(msgspec.json.decode(await _ask(settings, chosen, "POST", f"/schedules/{chosen.id}/trigger"), type=ScheduleRunView)))
    return 0


async def delete(settings: Settings, chosen: Namespace) -> int:
    """Delete a schedule."""
    await _ask(settings, chosen, "DELETE", f"/schedules/{chosen.id}")
    print(f"schedule {chosen.id} is deleted")
    return 0


async def _ask(settings: Settings, chosen: Namespace, method: str, path: str, body: Any = None) -> bytes:
    return await request_api(settings, method, path, body, url=chosen.url, key_file=chosen.key_file)


def _line(schedule: ScheduleView) -> str:
    due = "paused" if schedule.paused else _time(schedule.next_at[0] if schedule.next_at else None)
    action = str(msgspec.to_builtins(schedule.action)["kind"])
    return f"{schedule.id}\t{schedule.name}\t{_times(schedule.spec)}\t{action}\t{due}\t{schedule.note}".rstrip()


def _times(spec: ScheduleSpec) -> str:
    return f"{spec.line} {spec.time_zone}" if isinstance(spec, CronSpec) else f"every {spec.every_s} s"


def _run_line(run: ScheduleRunView) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in run.results.items())
    cause = "" if run.cause is None else run.cause.code
    return f"{run.id}\t{run.state}\t{_time(run.nominal_at)}\t{_time(run.ended_at)}\t{counts}\t{cause}".rstrip()


def _time(at: datetime | None) -> str:
    return NONE if at is None else at.astimezone(UTC).isoformat(timespec="seconds")
