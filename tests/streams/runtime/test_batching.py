"""Events worked together: bounded runs, outcomes to whom they belong, cancellation, and the wrapper's way back to one by one."""

import asyncio

import pytest

from streams.runtime.batching import RUNS_MAX, BatchRunner
from streams.runtime.runner import Execution, WorkOutcome


def turn(tenant: str = "") -> Execution:
    return Execution(asyncio.Semaphore(1), 0.0, tenant)


class Bench:
    def __init__(self, most: int = 4) -> None:
        self.runs: list[list[int]] = []
        self.gates: list[asyncio.Future[list[WorkOutcome]]] = []
        self.cancelled = 0
        self.together: BatchRunner[int] = BatchRunner(self.many, most)

    async def many(self, batch: list[tuple[int, Execution]]) -> list[WorkOutcome]:
        self.runs.append([record for record, _ in batch])
        gate: asyncio.Future[list[WorkOutcome]] = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        try:
            return await gate
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def end(self, run: int) -> None:
        self.gates[run].set_result([WorkOutcome.DONE if record % 2 else WorkOutcome.LEFT for record in self.runs[run]])


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def test_what_comes_at_once_runs_at_once_and_what_comes_meanwhile_gathers():
    bench = Bench()
    futures = [bench.together(n, turn()) for n in range(3)]
    await settle()
    assert bench.runs == [[0, 1, 2]]
    futures += [bench.together(3, turn())]
    await settle()
    futures += [bench.together(n, turn()) for n in range(4, 11)]
    await settle()
    assert bench.runs == [[0, 1, 2], [3]]  # RUNS_MAX are under way
    assert len(bench.runs) == RUNS_MAX
    bench.end(1)
    await settle()
    assert bench.runs[2] == [4, 5, 6, 7]
    bench.end(0)
    await settle()
    assert bench.runs[3] == [8, 9, 10]
    bench.end(2)
    bench.end(3)
    assert await asyncio.gather(*futures) == [WorkOutcome.DONE if n % 2 else WorkOutcome.LEFT for n in range(11)]


async def test_a_run_goes_on_for_those_that_still_wait_for_it():
    bench = Bench()
    futures = [bench.together(n, turn()) for n in range(3)]
    await settle()
    futures[0].cancel()
    await settle()
    assert bench.cancelled == 0
    bench.end(0)
    assert await futures[1] is WorkOutcome.DONE
    more = [bench.together(n, turn()) for n in range(2)]
    await settle()
    for future in more:
        future.cancel()
    await settle()
    assert bench.cancelled == 1
    more[0] = bench.together(7, turn())
    await settle()
    bench.end(2)
    assert await more[0] is WorkOutcome.DONE


async def test_what_was_given_up_while_it_waited_is_not_run():
    bench = Bench(most=1)
    futures = [bench.together(n, turn()) for n in range(4)]
    await settle()
    futures[2].cancel()
    for run in range(3):
        bench.end(run)
        await settle()
    assert bench.runs == [[0], [1], [3]]


async def test_an_error_reaches_everybody_and_ends_nothing_else():
    bench = Bench()
    futures = [bench.together(n, turn()) for n in range(2)]
    await settle()
    bench.gates[0].set_exception(ValueError("a bug"))
    for future in futures:
        with pytest.raises(ValueError, match="a bug"):
            await future
    later = bench.together(5, turn())
    await settle()
    bench.end(1)
    assert await later is WorkOutcome.DONE


async def test_tenants_take_turns_for_a_place_in_a_batch():
    bench = Bench(most=4)
    sent = [bench.together(number, turn("heavy")) for number in range(40)]
    await settle()
    sent.append(bench.together(99, turn("light")))
    bench.end(0)
    await settle()
    assert 99 in bench.runs[RUNS_MAX]
    for future in sent:
        future.cancel()
    for gate in bench.gates[1:]:
        gate.cancel()
    await settle()
