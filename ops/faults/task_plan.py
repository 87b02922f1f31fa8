"""What a run of tasks does: work of every kind, and which worker dies when. Pure functions of the seed."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from ops.faults.plan import WORKERS

WorkKind = Literal["document", "question", "deletion", "message", "rebuild"]
"""``deletion``: a document is submitted, and deleted once it is searchable. ``message``: a test message to a webhook."""

SHARES: Mapping[WorkKind, float] = {"document": 0.4, "question": 0.3, "deletion": 0.12, "message": 0.15, "rebuild": 0.03}
TASKS_OF: Mapping[WorkKind, int] = {"document": 1, "question": 1, "deletion": 2, "message": 1, "rebuild": 1}
KILL_S = (2.0, 6.0)  # between two kills: less than most work takes together, more than a worker needs to start


class TaskWork(Struct, frozen=True):
    """One piece of work."""

    number: int
    kind: WorkKind


class WorkerKill(Struct, frozen=True):
    """SIGKILL of a worker of this group, ``after_s`` the one before."""

    after_s: float
    group: str


def draw_work(seed: int, tasks: int) -> Sequence[TaskWork]:
    """Work that makes at least so many tasks, each kind by its share and at least once, in an order of chance."""
    kinds: list[WorkKind] = list(SHARES)
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    made = sum(TASKS_OF[kind] for kind in kinds)
    while made < tasks:
        kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
        kinds.append(kind)
        made += TASKS_OF[kind]
    chance.shuffle(kinds)
    return [TaskWork(number, kind) for number, kind in enumerate(kinds)]


def draw_kills(seed: int) -> Iterator[WorkerKill]:
    """Kills without end: every group once, in an order of chance, before any again."""
    chance = random.Random(seed + 1)  # noqa: S311 - to be repeated, not to be secret
    while True:
        for group in chance.sample(WORKERS, len(WORKERS)):
            yield WorkerKill(round(chance.uniform(*KILL_S), 2), group)
