"""The keyed runner alone: order, permits, windows, the finished prefix, release and adoption."""

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.runtime import runner as module
from streams.runtime.batching import BatchRunner
from streams.runtime.runner import CarriedWork, Execution, KeyedRunner, Load, WorkOutcome


@dataclass(frozen=True, slots=True)
class Event:
    offset: int
    key: bytes | None


@dataclass
class Bench:
    """Work that ends when it is told to, and notes what the runner did."""

    in_flight_max: int = 4
    key_queue_max: int = 3
    window: int = 10
    in_order: bool = False
    carried: CarriedWork | None = None
    gates: dict[int, asyncio.Future[WorkOutcome]] = field(default_factory=dict)
    runs: list[int] = field(default_factory=list)
    acked: list[int] = field(default_factory=list)
    finished: list[Event] = field(default_factory=list)
    broken: list[BaseException] = field(default_factory=list)
    inside: int = 0
    inside_max: int = 0
    held: bool = False

    def __post_init__(self):
        self.runner = KeyedRunner(
            self.work,
            lambda event: self.acked.append(event.offset),
            in_flight_max=self.in_flight_max,
            key_queue_max=self.key_queue_max,
            window=self.window,
            in_order=self.in_order,
            hold=lambda held: setattr(self, "held", held),
            broken=self.broken.append,
            carried=self.carried,
        )

    async def work(self, event: Event, turn: Execution) -> WorkOutcome:
        async with turn.permits:
            turn.begun_s = asyncio.get_running_loop().time()
            self.runs.append(event.offset)
            self.inside += 1
            self.inside_max = max(self.inside_max, self.inside)
            try:
                outcome = await self.gates.setdefault(event.offset, asyncio.get_running_loop().create_future())
            finally:
                self.inside -= 1
                self.gates.pop(event.offset, None)
            if outcome is WorkOutcome.DONE:
                self.finished.append(event)
            return outcome

    def end(self, offset: int, outcome: WorkOutcome = WorkOutcome.DONE) -> None:
        self.gates[offset].set_result(outcome)


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


def per_key_in_order(events: list[Event]) -> bool:
    by_key: dict[bytes | None, list[int]] = {}
    for event in events:
        by_key.setdefault(event.key, []).append(event.offset)
    return all(offsets == sorted(offsets) for offsets in by_key.values())


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_interleaving_keeps_every_promise(data):
    """Whatever order work ends in: key order, prefix acknowledgements, bounds of permits, window and key queues; all of it gets done."""

    async def scenario() -> None:
        bench = Bench(
            in_flight_max=data.draw(st.integers(1, 4)), key_queue_max=data.draw(st.integers(1, 3)), window=data.draw(st.integers(1, 12))
        )
        gaps = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=40))  # compacted logs have holes
        events = [Event(offset, bytes([data.draw(st.integers(0, 4))])) for offset in itertools.accumulate(gaps)]
        left = list(events)
        while left or bench.gates or bench.runner.in_flight_count:
            if left and (not bench.gates or data.draw(st.booleans())):
                bench.runner.offer(left.pop(0))
            elif bench.gates:
                bench.end(data.draw(st.sampled_from(sorted(bench.gates))))
            await settle()
            done = {event.offset for event in bench.finished}
            offered = [event.offset for event in events[: len(events) - len(left)]]
            assert bench.acked == offered[: len(bench.acked)], "only a prefix is acknowledged"
            assert set(bench.acked) <= done, "nothing unfinished is acknowledged"
            assert bench.runner.in_flight_count <= bench.window
            assert bench.held == (bench.runner.waiting_count > 0)
            assert all(len(queue) <= bench.key_queue_max + 1 for queue in bench.runner._keys.values())
        assert bench.acked == [event.offset for event in events]
        assert per_key_in_order(bench.finished)
        assert sorted(bench.runs) == bench.acked, "each event ran once"
        assert bench.inside_max <= bench.in_flight_max
        assert not bench.runner._keys
        assert not bench.held

    asyncio.run(scenario())


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_rebalances_lose_nothing_and_redo_only_what_did_not_start_here(data):
    """A partition that comes back after each release continues at the acknowledged prefix; started work is adopted, never run twice."""

    async def scenario() -> None:
        events = [Event(offset, bytes([data.draw(st.integers(0, 3))])) for offset in range(data.draw(st.integers(1, 25)))]
        bench, committed, offered = Bench(window=8), 0, 0
        while committed < len(events):
            action = data.draw(st.sampled_from(["offer", "end", "rebalance"]))
            if action == "rebalance":
                carried = bench.runner.release()
                committed += len(bench.acked)
                bench = Bench(window=8, carried=carried, gates=bench.gates, finished=bench.finished)
                offered = committed
            elif offered < len(events) and (action == "offer" or not bench.gates):
                bench.runner.offer(events[offered])
                offered += 1
            elif bench.gates:
                bench.end(data.draw(st.sampled_from(sorted(bench.gates))))
            await settle()
            if committed + len(bench.acked) == len(events):
                break
        assert bench.acked == list(range(committed, len(events)))
        assert per_key_in_order(bench.finished)
        assert len(bench.finished) == len(events), "adopted work is not done again"

    asyncio.run(scenario())


class Partition:
    """A partition whose events are worked in order, several together, by runners that follow each other."""

    def __init__(self) -> None:
        self.batches = BatchRunner(self.work, 3, runs_max=1)
        self.gate: asyncio.Future[None] | None = None
        self.done: list[int] = []
        self.acked: list[int] = []
        self.carried: CarriedWork | None = None
        self.sizes: list[int] = []
        self.broken: list[BaseException] = []
        self.runner = self.assign()

    def assign(self) -> KeyedRunner[Event]:
        return KeyedRunner(
            self.batches,
            lambda event: self.acked.append(event.offset),
            in_flight_max=1,
            key_queue_max=9,
            window=30,
            in_order=True,
            run_max=4,
            hold=lambda _held: None,
            broken=self.broken.append,
            carried=self.carried,
        )

    async def work(self, batch: list[tuple[Event, Execution]]) -> list[WorkOutcome]:
        """Two steps, each of the events that are not detached by then, as the wrapper has them."""
        self.sizes.append(len(batch))
        outcomes: list[WorkOutcome] = []
        for event, execution in batch:
            self.gate = asyncio.get_running_loop().create_future()
            if execution.detached or WorkOutcome.LEFT in outcomes:
                outcomes.append(WorkOutcome.LEFT)
                continue
            await self.gate
            self.done.append(event.offset)
            outcomes.append(WorkOutcome.DONE)
        return outcomes

    def step(self) -> None:
        if self.gate is not None and not self.gate.done():
            self.gate.set_result(None)

    def rebalance(self) -> None:
        self.carried = self.runner.release()
        self.runner = self.assign()


@given(actions=st.lists(st.sampled_from(["offer", "offer", "offer", "step", "nudge", "rebalance", "turn", "wait"]), max_size=40))
@example(["offer"] * 4 + ["turn", "turn", "rebalance", "offer", "nudge", "offer", "offer", "offer"])  # behind an event that is left
@settings(max_examples=80, deadline=None)
def test_events_that_are_worked_in_order_together_are_done_once_and_in_order(actions):
    """Also by runners that follow each other while some of their events have not begun."""

    async def scenario() -> None:
        partition, offered, count = Partition(), 0, actions.count("offer")
        for action in [*actions, *(["offer", "step", "wait"] * 3 * (count + 1))]:
            if action == "rebalance":
                partition.rebalance()
                offered = len(partition.acked)
            elif action == "offer" and offered < count:
                partition.runner.offer(Event(offered, None))
                offered += 1
            elif action == "step":
                partition.step()
                await settle()
            elif action == "nudge":
                partition.step()
                await asyncio.sleep(0)
            elif action == "wait":
                await asyncio.sleep(0.0005)
            else:
                await asyncio.sleep(0)
        assert partition.done == partition.acked == list(range(count))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RETRY_DELAY_S_MIN", 0.0)
        asyncio.run(scenario())


async def test_what_comes_while_a_batch_is_worked_is_the_next_batch():
    partition = Partition()
    for offset in range(6):
        partition.runner.offer(Event(offset, None))
    while len(partition.acked) < 6:
        partition.step()
        await asyncio.sleep(0)
    assert partition.sizes == [3, 3]
    assert partition.done == partition.acked == list(range(6))


async def test_a_slow_key_does_not_stop_others_and_costs_one_permit():
    bench = Bench(in_flight_max=2, key_queue_max=30, window=100)
    for offset in range(20):
        bench.runner.offer(Event(offset, b"slow"))
    bench.runner.offer(Event(20, b"quick"))
    await settle()
    assert sorted(bench.gates) == [0, 20]
    bench.end(20)
    await settle()
    assert bench.finished == [Event(20, b"quick")]
    assert bench.acked == []


async def test_keyless_events_run_side_by_side_and_in_order_partitions_one_by_one():
    bench = Bench(in_flight_max=9)
    for offset in range(3):
        bench.runner.offer(Event(offset, None))
    await settle()
    assert sorted(bench.gates) == [0, 1, 2]
    bench = Bench(in_flight_max=9, in_order=True)
    for offset in range(3):
        bench.runner.offer(Event(offset, bytes([offset])))
    await settle()
    assert sorted(bench.gates) == [0]


async def test_release_acknowledges_nothing_more_and_forgets_the_queue():
    bench = Bench(in_flight_max=1)
    for offset in range(4):
        bench.runner.offer(Event(offset, b"k"))
    await settle()
    carried = bench.runner.release()
    assert list(carried.work) == [0]
    assert carried.work[0][1].detached
    bench.end(0)
    await settle()
    assert bench.acked == []
    assert bench.runs == [0]
    assert not bench.runner.offer(Event(4, b"k"))


async def test_adopted_work_holds_its_permit_and_is_not_run_again():
    first = Bench(in_flight_max=1)
    first.runner.offer(Event(0, b"a"))
    first.runner.offer(Event(1, b"b"))
    await settle()
    second = Bench(carried=first.runner.release(), in_flight_max=1)
    for offset, key in enumerate((b"a", b"b")):
        second.runner.offer(Event(offset, key))
    await settle()
    assert (first.runs, second.runs) == ([0], [])
    first.end(0)
    await settle()
    assert first.runs == [0, 1], "the second one waited for a permit when it was handed over"
    first.end(1)
    await settle()
    assert second.acked == [0, 1]


async def test_work_that_others_committed_is_cancelled_when_later_offsets_arrive():
    first = Bench()
    first.runner.offer(Event(3, b"a"))
    await settle()
    second = Bench(carried=first.runner.release())
    second.runner.offer(Event(7, b"a"))
    await settle()
    assert first.inside == 0
    assert second.runs == [7]


async def test_an_event_left_to_somebody_else_gets_another_turn(monkeypatch):
    monkeypatch.setattr(module, "RETRY_DELAY_S_MIN", 0.01)
    bench = Bench()
    bench.runner.offer(Event(0, b"a"))
    bench.runner.offer(Event(1, b"a"))
    await settle()
    bench.end(0, WorkOutcome.LEFT)
    await asyncio.sleep(0.05)
    assert bench.runs == [0, 0]
    assert bench.acked == []
    bench.end(0)
    await settle()
    assert bench.acked == [0]
    assert bench.runs == [0, 0, 1]


async def test_close_starts_nothing_and_acknowledges_what_still_ends_before_the_first_unstarted_event():
    bench = Bench()
    for offset, key in enumerate((b"a", b"a", b"b")):
        bench.runner.offer(Event(offset, key))
    await settle()
    bench.runner.close()
    assert not bench.runner.offer(Event(3, b"c"))
    bench.end(2)
    bench.end(0)
    await settle()
    assert bench.acked == [0], "1 never started, so 2 may not be acknowledged"
    assert bench.runs == [0, 2]


async def test_work_that_raises_is_reported_and_never_acknowledged():
    bench = Bench()

    async def raises(event, turn):
        raise RuntimeError("a bug in the wrapper")

    bench.runner._work = raises
    bench.runner.offer(Event(0, b"a"))
    await settle()
    assert [str(error) for error in bench.broken] == ["a bug in the wrapper"]
    assert bench.acked == []


@pytest.mark.parametrize("offset", [0, 4, 5])
async def test_repeats_of_what_is_here_are_not_taken(offset):
    bench = Bench()
    bench.runner.offer(Event(5, b"a"))
    assert not bench.runner.offer(Event(offset, b"a"))


async def test_load_tells_running_from_waiting_and_finished():
    """One key queues behind its first, the rest take permits; what is finished behind a slow one waits for nobody."""
    bench = Bench(in_flight_max=2)
    for offset, key in enumerate([b"a", b"a", b"b", b"c"]):
        bench.runner.offer(Event(offset, key))
    await settle()
    assert bench.runner.load == Load(running=2, unbegun=2, finished=0, free=0)
    bench.end(2)
    await settle()
    assert bench.runner.load == Load(running=2, unbegun=1, finished=1, free=0)
    bench.end(0)
    await settle()
    bench.end(1)
    await settle()
    assert bench.runner.load == Load(running=1, unbegun=0, finished=0, free=1)
    bench.end(3)
    await settle()


async def test_tenants_take_turns_within_a_partition():
    """One tenant's backlog in the window; the only event of another, behind all of it, is next when a permit is free."""
    bench = Bench(in_flight_max=2, window=500)
    bench.runner._tenant_of = lambda event: "light" if event.offset == 400 else "heavy"
    for offset in range(401):
        bench.runner.offer(Event(offset, b"%d" % offset))
    await settle()
    assert bench.runs == [0, 1]
    assert bench.runner.backlog == {"heavy": 400, "light": 1}
    bench.end(0)
    await settle()
    assert bench.runs[2] == 400
    bench.end(400)
    await settle()
    assert bench.acked == [0], "acknowledgements stay in offset order"
    assert bench.runner.backlog == {"heavy": 399}
