"""The faults of a run: a pure function of its seed.

Every kind of fault against every part comes once before any comes again; after two single faults comes a pair. Every few turns a chat
worker loses its leases to another one, which no short fault brings about.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Literal

from msgspec import Struct

StepKind = Literal["kill", "pause", "provider", "add", "flush"]
"""``kill``: SIGKILL. ``pause``: SIGSTOP, then SIGCONT. ``provider``: the model provider misbehaves. ``add``: another worker joins the
group, then leaves. ``flush``: everything in Redis is lost, then the tables are rebuilt.
"""

WORKERS = ("chat", "knowledge", "documents", "tables")
PARTS = (*WORKERS, "api", "kafka", "redis", "up")  # ``up`` is the supervisor
PROVIDER_FAULTS = ("429", "500", "reset_before", "cut_middle", "broken_frame", "hang_middle", "slow")
GROWING = ("chat", "documents", "tables")  # the embedded index has one process: there is one worker of ``knowledge``
HOLD_S: dict[StepKind, tuple[float, float]] = {"kill": (0, 0), "pause": (2, 6), "provider": (2, 4), "add": (3, 6), "flush": (0, 0)}
OVERLAP_S = 2.0  # the second fault of a pair begins within this time of the first
SINGLES = 2  # before each pair
TAKEOVER_EVERY, TAKEOVER_TURN = 5, 1  # of the turns of singles and a pair, and after which of them first
ALONE: tuple[StepKind, str] = ("kill", "up")  # while the supervisor is dead there is no other part to act upon


class FaultStep(Struct, frozen=True):
    """One fault: ``after_s`` from the beginning of its group, for ``hold_s`` until it is healed (0: it heals by itself)."""

    kind: StepKind
    target: str
    hold_s: float = 0.0
    after_s: float = 0.0


TAKEOVER = (FaultStep("add", "chat", 20.0), FaultStep("pause", "chat", 13.0, after_s=4.0))
"""The worker is stopped for longer than its leases and its session last while a second one, which has had time to join, goes on."""


class FaultGroup(Struct, frozen=True):
    """A single fault or a pair, and the time of undisturbed load before it."""

    number: int
    quiet_s: float
    steps: tuple[FaultStep, ...]


def draw_plan(seed: int, *, flush: bool = False) -> Iterator[FaultGroup]:
    """The groups of faults of this seed, without end. ``flush``: Redis may lose its data."""
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    singles = _deck(chance, all_faults(flush=flush))
    partners = _deck(chance, [fault for fault in all_faults(flush=flush) if fault != ALONE])
    numbers = count()
    for turn in count():
        for _ in range(SINGLES):
            yield FaultGroup(next(numbers), _quiet_s(chance), (_step(chance, *next(singles)),))
        yield FaultGroup(next(numbers), _quiet_s(chance), _pair(chance, partners))
        if turn % TAKEOVER_EVERY == TAKEOVER_TURN:
            yield FaultGroup(next(numbers), _quiet_s(chance), TAKEOVER)


def first_groups(seed: int, number: int, *, flush: bool = False) -> Sequence[FaultGroup]:
    """The first ``number`` groups."""
    return list(islice(draw_plan(seed, flush=flush), number))


def all_faults(*, flush: bool = False) -> list[tuple[StepKind, str]]:
    """Every kind of fault against every part that it applies to."""
    faults: list[tuple[StepKind, str]] = [("kill", part) for part in PARTS]
    faults += [("pause", part) for part in PARTS]
    faults += [("provider", fault) for fault in PROVIDER_FAULTS]
    faults += [("add", worker) for worker in GROWING]
    return [*faults, ("flush", "redis")] if flush else faults


def _deck(chance: random.Random, faults: Sequence[tuple[StepKind, str]]) -> Iterator[tuple[StepKind, str]]:
    while True:
        yield from chance.sample(faults, len(faults))


def _quiet_s(chance: random.Random) -> float:
    return round(chance.uniform(0.5, 2.0), 2)


def _step(chance: random.Random, kind: StepKind, target: str, after_s: float = 0.0) -> FaultStep:
    return FaultStep(kind, target, round(chance.uniform(*HOLD_S[kind]), 2), after_s)


def _pair(chance: random.Random, faults: Iterator[tuple[StepKind, str]]) -> tuple[FaultStep, FaultStep]:
    """Two faults against different parts; two of the provider would be one."""
    first = next(faults)
    second = next(fault for fault in faults if fault[1] != first[1] and not fault[0] == first[0] == "provider")
    return _step(chance, *first), _step(chance, *second, after_s=round(chance.uniform(0, OVERLAP_S), 2))
