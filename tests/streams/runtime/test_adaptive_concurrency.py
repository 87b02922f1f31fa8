"""The throttle: as many at once as the loop bears, in order, and nobody's turn is lost."""

import asyncio
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.runtime.adaptive_concurrency import RUNNING_MIN, AdaptiveConcurrency

LATE_S = 0.1


class Runs:
    """Work that has turns until it is told to end."""

    def __init__(self, throttle: AdaptiveConcurrency) -> None:
        self.throttle = throttle
        self.begun: list[int] = []
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.ends: dict[int, asyncio.Event] = {}
        self.unwanted: dict[int, asyncio.Event] = {}

    async def start(self, *numbers: int) -> None:
        for number in numbers:
            self.ends[number], self.unwanted[number] = asyncio.Event(), asyncio.Event()
            self.tasks[number] = asyncio.create_task(self._run(number))
        await settle()

    async def end(self, *numbers: int) -> None:
        for number in numbers:
            self.ends[number].set()
        await settle()

    async def _run(self, number: int) -> None:
        async with self.throttle.slot(unless=self.unwanted[number]):
            self.begun.append(number)
            await self.ends[number].wait()


async def settle() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


async def test_what_comes_first_begins_first():
    runs = Runs(AdaptiveConcurrency(2, LATE_S))
    await runs.start(*range(5))
    assert (runs.begun, runs.throttle.waiting) == ([0, 1], 3)
    await runs.end(1)
    assert runs.begun == [0, 1, 2]
    await runs.end(*range(5))
    assert (runs.begun, runs.throttle.waiting, runs.throttle.running) == ([0, 1, 2, 3, 4], 0, 0)


async def test_a_late_loop_begins_nothing_until_a_part_has_ended():
    """And a punctual one takes more again, a few at a time: what waits does not begin all at once."""
    runs = Runs(AdaptiveConcurrency(512, LATE_S))
    await runs.start(*range(200))
    runs.throttle.observe(0.3, 0.9)
    assert runs.throttle.limit == 170
    await runs.start(200)
    assert runs.throttle.waiting == 1
    await runs.end(*range(30))
    assert runs.throttle.waiting == 1
    await runs.end(30)
    assert (runs.throttle.waiting, runs.throttle.running) == (0, 170)
    await runs.start(*range(201, 400))
    runs.throttle.observe(0.01, 0.9)
    await settle()
    assert 170 < runs.throttle.running <= 175
    for _ in range(200):
        runs.throttle.observe(0.01, 0.9)
        await settle()
    assert (runs.throttle.waiting, runs.throttle.limit) == (0, 512)
    await runs.end(*range(400))


async def test_a_process_that_does_little_is_not_to_blame():
    """Somebody else has the machine: fewer answers would only wait, and the loop would be as late as before."""
    throttle = AdaptiveConcurrency(100, LATE_S)
    for _ in range(50):
        throttle.observe(2.0, 0.1)
    assert throttle.limit == 100


async def test_neither_late_nor_punctual_is_left_as_it_is():
    throttle = AdaptiveConcurrency(100, LATE_S)
    throttle.observe(0.5, 0.9)
    bound = throttle.limit
    for _ in range(50):
        throttle.observe(0.08, 0.9)
    assert throttle.limit == bound


async def test_some_always_run():
    """However late the loop is: a worker that begins nothing would never come back."""
    runs = Runs(AdaptiveConcurrency(512, LATE_S))
    for _ in range(100):
        runs.throttle.observe(9.0, 0.9)
    await runs.start(*range(2 * RUNNING_MIN))
    assert runs.throttle.running == RUNNING_MIN
    await runs.end(*range(2 * RUNNING_MIN))
    small = AdaptiveConcurrency(2, LATE_S)
    small.observe(9.0, 0.9)
    assert small.limit == 2


async def test_who_no_longer_wants_a_turn_does_not_wait_for_it():
    runs = Runs(AdaptiveConcurrency(1, LATE_S))
    await runs.start(0, 1, 2)
    runs.unwanted[1].set()
    await settle()
    assert (runs.begun, runs.throttle.waiting) == ([0, 1], 1)
    await runs.end(1)
    assert runs.begun == [0, 1]  # the turn of 0 is still its own
    await runs.end(0)
    assert runs.begun == [0, 1, 2]
    await runs.end(2)
    assert runs.throttle.running == 0


@given(st.lists(st.tuples(st.sampled_from(["start", "end", "cancel", "unwanted", "late", "punctual"]), st.integers(0, 30)), max_size=80))
@settings(max_examples=100, deadline=None)
def test_no_turn_is_lost_whatever_happens(actions: list[tuple[str, int]]):
    """Never more begin than the bound allows, save what is not wanted; in the end nothing runs, nothing waits, and the bound is whole."""

    async def scenario() -> None:
        runs, serial = Runs(AdaptiveConcurrency(24, LATE_S)), 0
        for action, number in actions:
            known = sorted(runs.tasks)
            before, bound = runs.throttle.running, runs.throttle.limit
            if action == "start":
                await runs.start(serial)
                serial += 1
                assert runs.throttle.running <= max(before, bound)
            elif action in {"late", "punctual"}:
                runs.throttle.observe(1.0 if action == "late" else 0.0, 0.9)
            elif known:
                chosen = known[number % len(known)]
                if action == "end":
                    runs.ends[chosen].set()
                elif action == "cancel":
                    runs.tasks[chosen].cancel()
                else:
                    runs.unwanted[chosen].set()
            await settle()
            assert runs.throttle.waiting == 0 or runs.throttle.running >= min(runs.throttle.limit, RUNNING_MIN)
        for number, task in runs.tasks.items():
            runs.ends[number].set()
            with suppress(asyncio.CancelledError):
                await task
        assert (runs.throttle.running, runs.throttle.waiting) == (0, 0)

    asyncio.run(scenario())
