"""Staged changes: in which processes a value is in force, and whether the guard's metric got worse there.

A process measures the guard's metric over the guard's window and reports what it read, so that whoever judges needs the reports alone.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from schemas.configs import Stage, StageGuard

SALTS = 256  # tried, to find one that selects the share most nearly
SAMPLES_MAX = 120  # of one window: a longer window has its samples further apart
HASH_BITS = 64

Verdict = Literal["waiting", "fine", "worse"]


class ProcessName(NamedTuple):
    """A process in the reports. ``component``: ``api``, or the worker group."""

    id: str
    component: str


class Totals(Struct, frozen=True, kw_only=True):
    """What a metric added up to: its value is ``total`` / ``weight``. ``observations``: how many it rests on."""

    total: float = 0.0
    weight: float = 0.0
    observations: float = 0.0

    @property
    def value(self) -> float | None:
        """The mean; None without any weight."""
        return self.total / self.weight if self.weight > 0 else None

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            total=self.total + other.total, weight=self.weight + other.weight, observations=self.observations + other.observations
        )

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals(
            total=self.total - other.total, weight=self.weight - other.weight, observations=self.observations - other.observations
        )


class GuardReading(Struct, frozen=True, kw_only=True):
    """What one process read of the guard's metric: within the window, and ``before`` the stage. ``staged``: its value is in force here."""

    stage: str
    staged: bool
    window: Totals = Totals()
    before: Totals = Totals()


class GuardState(NamedTuple):
    """The guard's judgement. ``limit``: what the staged value of the metric must not pass; None while that is not known."""

    verdict: Verdict
    staged: Totals
    baseline: Totals
    limit: float | None

    @property
    def figures(self) -> dict[str, float]:
        """For the history."""
        found = {"staged": self.staged.value, "baseline": self.baseline.value, "limit": self.limit}
        counts = {"staged_observations": self.staged.observations, "baseline_observations": self.baseline.observations}
        return {name: float(f"{value:.6g}") for name, value in (found | counts).items() if value is not None}


class GuardWindow:
    """The readings of one process for one stage: what a metric's growing ``totals`` gained within the window."""

    def __init__(self, stage: Stage, *, staged: bool, totals: Totals, now_s: float) -> None:
        assert stage.guard is not None
        self.stage, self.staged = stage, staged
        self._window_s, self._before = stage.guard.window_s, totals
        self._samples = deque([(now_s, totals)])

    def read(self, totals: Totals, now_s: float) -> GuardReading:
        """The reading with ``totals`` of now."""
        samples, begin_s = self._samples, now_s - self._window_s
        while len(samples) > 1 and samples[1][0] <= begin_s:
            samples.popleft()
        reading = GuardReading(stage=self.stage.id, staged=self.staged, window=totals - samples[0][1], before=self._before)
        if now_s - samples[-1][0] >= self._window_s / SAMPLES_MAX:
            samples.append((now_s, totals))
        return reading


def is_staged_in(stage: Stage, process: ProcessName) -> bool:
    """Whether the stage's value is in force in the whole of this process; False for one by tenant."""
    if stage.share is not None:
        return hash_of(stage.id, stage.salt, process.id) < stage.share
    return process.id in stage.workers or process.component in stage.workers


def hash_of(stage_id: str, salt: int, process_id: str) -> float:
    """Of a process: evenly spread over [0, 1), the same everywhere."""
    digest = hashlib.blake2b(f"{stage_id}/{salt}/{process_id}".encode(), digest_size=HASH_BITS // 8).digest()
    return float(int.from_bytes(digest) / 2**HASH_BITS)


def find_salt(stage_id: str, share: float, processes: Sequence[str]) -> int:
    """The salt with which the share selects of these processes as many as it says: at least one, and below 1 not all, if there are two."""
    most = len(processes) if share >= 1 else max(1, len(processes) - 1)
    wanted = min(most, max(1, round(share * len(processes))))

    def distance(salt: int) -> int:
        return abs(wanted - sum(hash_of(stage_id, salt, each) < share for each in processes))

    return min(range(SALTS), key=distance)


def judge(guard: StageGuard, readings: Iterable[GuardReading], before: Totals | None = None) -> GuardState:
    """What the readings of the stage say. ``before``: what was remembered of the time before, from processes that may have ended since."""
    some = list(readings)
    staged = sum((each.window for each in some if each.staged), Totals())
    baseline = before if before is not None else sum((each.before for each in some if each.staged), Totals())
    if guard.baseline == "unstaged":
        baseline = sum((each.window for each in some if not each.staged), Totals())
    limit = find_limit(guard, baseline)
    if limit is None or staged.value is None or staged.observations < guard.observations_min:
        return GuardState("waiting", staged, baseline, limit)
    is_worse = staged.value > limit if guard.worse == "higher" else staged.value < limit
    return GuardState("worse" if is_worse else "fine", staged, baseline, limit)


def find_limit(guard: StageGuard, baseline: Totals) -> float | None:
    """What the metric must not pass: of a threshold and a worsening that are both given the more generous one."""
    limits = [] if guard.threshold is None else [guard.threshold]
    if guard.worsening is not None:
        if baseline.value is None or baseline.observations < guard.observations_min:
            return None
        step = abs(baseline.value) * guard.worsening
        limits.append(baseline.value + (step if guard.worse == "higher" else -step))
    if not limits:
        return None
    return max(limits) if guard.worse == "higher" else min(limits)
