"""Statistics of tasks: counts by kind and state, durations, rates."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.tasks import TASK_KINDS, Task, TaskKind, TaskState

MEDIAN, TAIL = 0.5, 0.95


class Durations(NamedTuple):
    """Seconds of so many ``tasks``, by the nearest rank."""

    tasks: int
    p50_s: float
    p95_s: float


class KindStatistics(NamedTuple):
    """Of one kind. ``waits`` are the seconds from creation to start, ``durations`` those from creation to the end."""

    kind: TaskKind
    counts: dict[TaskState, int]
    waits: Durations | None
    durations: Durations | None
    created_per_minute: float
    ended_per_minute: float


def statistics_of(tasks: Sequence[Task], since: datetime, until: datetime) -> list[KindStatistics]:
    """Of the kinds that occur; the rates are those between the two times."""
    minutes = max((until - since).total_seconds(), 1.0) / 60
    found = []
    for kind in TASK_KINDS:
        some = [task for task in tasks if task.kind == kind]
        if not some:
            continue
        ended = [task for task in some if task.ended_at is not None]
        found.append(
            KindStatistics(
                kind=kind,
                counts=dict(Counter(task.state for task in some)),
                waits=durations_of([(task.started_at - task.created_at).total_seconds() for task in some if task.started_at]),
                durations=durations_of([(task.ended_at - task.created_at).total_seconds() for task in ended if task.ended_at]),
                created_per_minute=round(len(some) / minutes, 3),
                ended_per_minute=round(len(ended) / minutes, 3),
            )
        )
    return found


def durations_of(seconds: Sequence[float]) -> Durations | None:
    """None without any. Clocks of two machines differ a little: nothing takes less than no time."""
    if not seconds:
        return None
    ordered = sorted(max(0.0, each) for each in seconds)
    p50_s, p95_s = (round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3) for share in (MEDIAN, TAIL))
    return Durations(len(ordered), p50_s, p95_s)
