"""The times of schedules, as pure functions: everything is UTC, and a time of a schedule is never seen twice.

Cron lines are those of Debian's cron. Where clocks go forward, a fixed local time that does not exist is that at which they go on; where
they go back, a fixed local time that comes twice is the first of the two. Lines whose minute or hour begins with ``*`` follow the real
time: ``*/15 * * * *`` runs every 15 minutes, also in the hour that is repeated.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from domain.schedules.errors import SCHEDULE_NEVER_FIRES
from schemas import ids
from schemas.errors import FieldError, Refused
from schemas.schedules import CronSpec, IntervalSpec, Schedule, ScheduleSpec

FIELDS = 5  # of a cron line
BAD_DAY = "Bad day-of-month"  # cronsim's error for a day out of bounds, and for one that none of the months has
COUNTED_MAX = 10_000  # ticks of a cron line that are counted as skipped; more are as many

_LINE = re.compile(r"[0-9A-Za-z*/,#\- ]{1,200}")
_ZONE = re.compile(r"[A-Za-z0-9_+\-]{1,32}(?:/[A-Za-z0-9_+\-]{1,32}){0,2}")
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DueTicks(NamedTuple):
    """``times`` of the ticks that are due, in order; ``skipped`` before them are too late to run. ``next_at``: when to look again."""

    times: tuple[datetime, ...]
    skipped: int
    next_at: datetime | None


def check_spec(spec: ScheduleSpec, now: datetime) -> None:
    """Raises Refused("validation_failed") for times that cannot be read, Refused("schedule_never_fires") for those that never come."""
    if isinstance(spec, IntervalSpec):
        if spec.offset_s >= spec.every_s:
            raise _invalid("spec.offset_s", f"is {spec.offset_s}, not below every_s", f"less than {spec.every_s}")
        return
    if find_zone(spec.time_zone) is None:
        raise _invalid("spec.time_zone", "is not a time zone", "a name of the IANA database, such as Asia/Shanghai")
    parts = spec.line.split()
    if len(parts) != FIELDS or not _LINE.fullmatch(spec.line):
        raise _invalid("spec.line", "is not a cron line", "five fields: minute, hour, day of the month, month, day of the week")
    try:
        times = list(islice(_cron_times(spec, now), 1))
    except CronSimError as error:
        if str(error) == BAD_DAY and _is_valid([*parts[:3], "*", parts[4]], now):  # only these months have no such day
            raise _never(spec.line) from None
        raise _invalid("spec.line", f"cannot be read: {error}", "numbers in the bounds of each field, *, lists, ranges, steps") from None
    if not times:
        raise _never(spec.line)


def times_after(spec: ScheduleSpec, after: datetime) -> Iterator[datetime]:
    """The times after ``after``, in order, without end unless the line never fires again."""
    return _interval_times(spec, after) if isinstance(spec, IntervalSpec) else _cron_times(spec, after)


def next_time(spec: ScheduleSpec, after: datetime) -> datetime | None:
    """The first time after ``after``; None when there is none."""
    return next(times_after(spec, after), None)


def tick_id(schedule_id: str, nominal_at: datetime) -> str:
    """The id of a tick: that of its event, of its run, and of its task."""
    return ids.derive("schedule-tick", schedule_id, int(nominal_at.timestamp()))


def due_at(schedule: Schedule, nominal_at: datetime) -> datetime:
    """When a tick runs: later than its time by a part of the jitter that follows from its id, but not after the next tick."""
    if not schedule.jitter_s:
        return nominal_at
    spread_s = float(schedule.jitter_s)
    after = next_time(schedule.spec, nominal_at)
    if after is not None:
        spread_s = min(spread_s, (after - nominal_at).total_seconds())
    digest = hashlib.sha256(tick_id(schedule.id, nominal_at).encode()).digest()
    return nominal_at + timedelta(seconds=spread_s * int.from_bytes(digest[:6]) / (1 << 48))


def find_due(schedule: Schedule, last: datetime | None, now: datetime, limit: int) -> DueTicks:
    """The next ticks of a schedule whose last tick was that of the time ``last``; at most ``limit``.

    A tick that is later than the catch-up window is skipped. When the clock went back behind ``last``, nothing is due until it has come
    there again.
    """
    since = schedule.anchor_at if last is None else max(last, schedule.anchor_at)
    window = timedelta(seconds=schedule.catch_up_s)
    too_late = now - window - timedelta(seconds=schedule.jitter_s, microseconds=1)  # the last time that is, whatever its jitter
    skipped, since = _skip(schedule.spec, since, too_late)
    times: list[datetime] = []
    for at in times_after(schedule.spec, since):
        due = due_at(schedule, at)
        if due > now:
            return DueTicks(tuple(times), skipped, due)
        if due + window < now:
            skipped += 1
            continue
        if len(times) == limit:
            return DueTicks(tuple(times), skipped, now)
        times.append(at)
    return DueTicks(tuple(times), skipped, None)


def _skip(spec: ScheduleSpec, since: datetime, until: datetime) -> tuple[int, datetime]:
    """How many times there are after ``since`` and at or before ``until``, and the later of the two."""
    if until <= since:
        return 0, since
    if isinstance(spec, IntervalSpec):
        return _ordinal(spec, until) - _ordinal(spec, since), until
    skipped = 0
    for at in islice(_cron_times(spec, since), COUNTED_MAX):
        if at > until:
            break
        skipped += 1
    return skipped, until


def _ordinal(spec: IntervalSpec, at: datetime) -> int:
    """The number of the last time of an interval at or before ``at``."""
    return ((at - _EPOCH) // _SECOND - spec.offset_s) // spec.every_s


def _interval_times(spec: IntervalSpec, after: datetime) -> Iterator[datetime]:
    ordinal = _ordinal(spec, after)
    while True:
        ordinal += 1
        yield _EPOCH + timedelta(seconds=ordinal * spec.every_s + spec.offset_s)


def _cron_times(spec: CronSpec, after: datetime) -> Iterator[datetime]:
    zone = find_zone(spec.time_zone)
    assert zone is not None
    last = after.astimezone(UTC)
    for at in CronSim(spec.line, last.astimezone(zone)):
        instant = at.astimezone(UTC)
        if instant > last:  # the first of two equal local times, seen from between them, is over
            last = instant
            yield instant


def _is_valid(parts: list[str], now: datetime) -> bool:
    try:
        CronSim(" ".join(parts), now)
    except CronSimError:
        return False
    return True


@lru_cache(maxsize=600)  # there are about that many
def find_zone(name: str) -> ZoneInfo | None:
    """The time zone of this name; None when there is none."""
    if not _ZONE.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _invalid(field: str, detail: str, limit: str) -> Refused:
    return Refused("validation_failed", errors=(FieldError(field, detail, limit),))


def _never(line: str) -> Refused:
    return Refused(SCHEDULE_NEVER_FIRES, errors=(FieldError("spec.line", f"{line[:60]} never comes", "a date that exists"),))
