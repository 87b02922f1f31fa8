"""Windows of time that counters sum over: tumbling, hopping, and calendar months, all in UTC; days in a time zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Protocol

BUCKETS_MAX = 1_000  # buckets of one reading


class Buckets(Protocol):
    """A division of time into buckets, each named by its start in unix seconds."""

    def bucket(self, at: datetime) -> int:
        """Start of the bucket that holds ``at``."""
        ...

    def end(self, bucket: int) -> int:
        """The end of the bucket, which is the start of the next one."""
        ...

    def buckets(self, now: datetime) -> list[int]:
        """The buckets of the window that is open at ``now``."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """Windows of ``size_s`` seconds, a new one every ``step_s``, in buckets of one step, counted from the epoch in UTC."""

    size_s: int
    step_s: int

    def bucket(self, at: datetime) -> int:
        """Start of the bucket that holds ``at``, in unix seconds."""
        seconds = int(at.timestamp())
        return seconds - seconds % self.step_s

    def end(self, bucket: int) -> int:
        """One step later."""
        return bucket + self.step_s

    def buckets(self, now: datetime) -> list[int]:
        """The buckets of the window that is open at ``now``: the one that holds it and those before it up to ``size_s``."""
        last = self.bucket(now)
        return list(range(last - self.size_s + self.step_s, last + 1, self.step_s))


@dataclass(frozen=True, slots=True)
class Days:
    """Calendar days in a time zone: of 23 to 25 hours, where clocks change."""

    zone: tzinfo

    def bucket(self, at: datetime) -> int:
        """Midnight at the begin of the day that holds ``at``."""
        return self.start_of(at.astimezone(self.zone).date())

    def end(self, bucket: int) -> int:
        """The next midnight."""
        return self.start_of(self.day_of(bucket) + timedelta(days=1))

    def buckets(self, now: datetime) -> list[int]:
        """This day."""
        return [self.bucket(now)]

    def start_of(self, day: date) -> int:
        """The bucket of a day."""
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())

    def day_of(self, bucket: int) -> date:
        """The day of a bucket."""
        return datetime.fromtimestamp(bucket, self.zone).date()


@dataclass(frozen=True, slots=True)
class Months:
    """Calendar months, of different lengths."""

    def bucket(self, at: datetime) -> int:
        """The first of the month, at midnight."""
        return int(at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp())

    def end(self, bucket: int) -> int:
        """The first of the next month."""
        first = datetime.fromtimestamp(bucket, UTC)
        years, month = divmod(first.month, 12)
        return int(first.replace(year=first.year + years, month=month + 1).timestamp())

    def buckets(self, now: datetime) -> list[int]:
        """This month."""
        return [self.bucket(now)]


@dataclass(frozen=True, slots=True)
class Scale:
    """One of several windows of one counter. ``retention_s``: the life of a bucket after its end; None: for ever.

    Without ``window`` there is one bucket, which never ends.
    """

    name: str
    window: Buckets | None
    retention_s: int | None = None

    def bucket(self, at: datetime) -> int:
        """The bucket that holds ``at``."""
        return 0 if self.window is None else self.window.bucket(at)

    def buckets(self, now: datetime) -> list[int]:
        """The buckets of the window that is open at ``now``."""
        return [0] if self.window is None else self.window.buckets(now)

    def expiry(self, bucket: int) -> int:
        """The expiry of the bucket in unix seconds; 0: never."""
        return 0 if self.window is None or self.retention_s is None else self.window.end(bucket) + self.retention_s

    def buckets_between(self, start: datetime, end: datetime) -> Sequence[int]:
        """The buckets that begin in [start, end), oldest first. Raises ValueError without a window, and for more than 1,000."""
        if self.window is None:
            raise ValueError(f"{self.name or 'this counter'} has no window")
        at, found = self.window.bucket(start), list[int]()
        if datetime.fromtimestamp(at, UTC) < start:
            at = self.window.end(at)
        while datetime.fromtimestamp(at, UTC) < end:
            if len(found) == BUCKETS_MAX:
                raise ValueError(f"more than {BUCKETS_MAX} buckets requested")
            found.append(at)
            at = self.window.end(at)
        return found


def tumbling(size_s: int) -> Window:
    """Tumbling windows, side by side: each moment is in one."""
    return hopping(size_s, size_s)


def hopping(size_s: int, step_s: int) -> Window:
    """Hopping windows, which overlap: one of ``size_s`` begins every ``step_s``, which divides it."""
    if step_s < 1 or size_s % step_s or size_s // step_s > BUCKETS_MAX:
        raise ValueError(f"a window of {size_s} s cannot hop by {step_s} s")
    return Window(size_s, step_s)
