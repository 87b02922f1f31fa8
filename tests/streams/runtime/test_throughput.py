"""How fast an agent is when it has work: rushes, rests, single slow events."""

import pytest

from domain.chats.topics import CHATS_GROUNDED
from streams.runtime.agent import Agent
from streams.runtime.runner import Load
from streams.runtime.throughput import MEMORY_S, AgentQueue, AgentThroughput, ThroughputEstimator
from streams.runtime.watchdog import Position


def test_nothing_is_known_before_any_work():
    pace = AgentThroughput()
    pace.observe(0, 0, 0, 0)
    pace.observe(0, 0, 0, 100)
    assert pace.rate is None


def test_a_backlog_counts_all_of_the_time():
    pace = AgentThroughput()
    for beat in range(5):
        pace.observe(100 * beat, 7 * beat, 500, 2 * beat)
    assert pace.rate == pytest.approx(50)


def test_the_first_moments_of_a_rush_are_not_slowness():
    """One event in 20 ms, then a long rest: fifty a second, not one in two seconds."""
    pace = AgentThroughput()
    pace.observe(0, 0, 0, 0)
    pace.observe(1, 0.02, 0, 2)
    pace.observe(1, 0.02, 0, 600)
    assert pace.rate == pytest.approx(50)


def test_it_follows_what_happens():
    """Half a minute of work at another speed, and most of it is known; an event that never ends shows as well."""
    pace = AgentThroughput()
    for beat in range(60):
        pace.observe(200 * beat, beat, 500, 2 * beat)
    fast = pace.rate
    assert fast == pytest.approx(100)
    at_s = 118.0
    events = 200 * 59
    for _ in range(int(MEMORY_S) // 2):
        at_s, events = at_s + 2, events + 20
        pace.observe(events, 0, 500, at_s)
    assert pace.rate is not None
    assert 10 < pace.rate < 55
    for _ in range(200):
        at_s += 2
        pace.observe(events, 0, 1, at_s)
    assert pace.rate < 0.01


@pytest.mark.parametrize("pause_s", [20, 200, 20_000])
def test_a_pause_is_no_throughput(pause_s: int):
    """Of a worker that stands still, such as in an outage: an event takes at least as long, and no more is known. The wait behind three
    events was estimated at a week.
    """
    pace, events = AgentThroughput(), 0
    for second in range(20):
        events = 10 * second
        pace.observe(events, second, 50, second)
    for second in range(20, 20 + pause_s, 2):
        pace.observe(events, 20, 3, second)
        assert pace.rate is not None
        assert 3 / pace.rate <= 3 * (second - 18)
    for second in range(20 + pause_s, 80 + pause_s):
        events += 10
        pace.observe(events, second, 50, second)
    assert pace.rate == pytest.approx(10, rel=0.4)


def test_hardly_any_events_are_no_full_rate():
    pace = AgentThroughput()
    for second in range(20):
        pace.observe(10 * second, second, 50, second, waiting=20)
    assert pace.full_rate == pytest.approx(10)
    for second in range(20, 400):
        pace.observe(190, 20, 50, second, waiting=20)
    assert pace.full_rate is None


def test_the_first_seconds_of_a_worker_are_no_pace():
    """After a death a worker finds a backlog before it has done anything: nobody must be sent away for that."""
    pace = AgentThroughput()
    for second in range(12):
        pace.observe(0, 0, 2_000, second)
    assert pace.rate is None
    pace.observe(3, 0.1, 1_997, 12)
    assert pace.rate is None
    for second in range(13, 60):
        pace.observe(100 * (second - 12), 0.1, 1_000, second)
    assert (pace.rate or 0.0) > 50


@pytest.mark.parametrize(
    ("lag", "load", "queue"),
    [
        (0, Load(running=0, unbegun=0, finished=0, free=4), (0, 0)),
        (3, Load(running=3, unbegun=0, finished=0, free=1), (3, 0)),
        (10, Load(running=4, unbegun=6, finished=0, free=0), (4, 6)),
        (50, Load(running=4, unbegun=6, finished=0, free=0), (4, 46)),  # forty lie on the log and were not read yet
        (9, Load(running=1, unbegun=0, finished=8, free=3), (1, 0)),  # finished behind a slow one: nobody waits for those
        (5, Load(running=1, unbegun=4, finished=0, free=3), (4, 1)),  # three of them begin at once
    ],
)
def test_who_waits_is_who_cannot_begin(lag: int, load: Load, queue: tuple[int, int]):
    assert AgentQueue.from_loads([(lag, load)]) == queue
    assert AgentQueue.from_loads([(lag, load)] * 2) == (2 * queue[0], 2 * queue[1])


def test_speed_is_what_the_work_in_hand_comes_to():
    """Not what was done lately, when little was asked: four at once at two seconds each are two a second."""

    async def step(*_: object) -> list[object]:
        return []

    paces = ThroughputEstimator([Agent(name="generate", reads=(CHATS_GROUNDED,), step=step)], "p.")  # type: ignore[arg-type]  # a step that says nothing
    partition = ("p." + CHATS_GROUNDED.name, 0)
    idle, full = Load(0, 0, 0, 4), Load(4, 6, 0, 0)
    paces.observe({"generate": (0, 0.0)}, {partition: Position(0, None, 0)}, {"generate": {partition: idle}}, 0)
    assert paces.waiting == {"generate": 0}
    assert paces.speeds == {}
    paces.observe({"generate": (3, 6.0)}, {partition: Position(3, None, 13)}, {"generate": {partition: full}}, 60)
    assert paces.waiting == {"generate": 6}
    assert paces.speeds == {"generate": pytest.approx(2.0)}
    assert paces.rates == {}  # three events in six seconds are no pace yet


def test_who_waits_for_a_permit_in_its_step_waits():
    """Ten begun, six of them without a permit: six wait, and the speed is what comes out of all ten in the time each of them takes."""

    async def step(*_: object) -> list[object]:
        return []

    agent = Agent(name="generate", reads=(CHATS_GROUNDED,), step=step, waits=lambda: 6)  # type: ignore[arg-type]  # a step that says nothing
    paces, partition = ThroughputEstimator([agent], "p."), ("p." + CHATS_GROUNDED.name, 0)
    begun = {"generate": {partition: Load(10, 0, 0, 54)}}
    paces.observe({"generate": (0, 0.0)}, {partition: Position(0, None, 10)}, begun, 0)
    paces.observe({"generate": (20, 100.0)}, {partition: Position(20, None, 30)}, begun, 10)
    assert paces.waiting == {"generate": 6}
    assert paces.speeds == {"generate": pytest.approx(2.0)}


def test_while_some_wait_what_comes_out_is_counted():
    """Steps that wait in a growing queue take longer than those that ended: only what came out tells how long the newest will wait."""
    pace = AgentThroughput()
    for beat in range(10):
        pace.observe(170 * beat, 300 * beat, 2_000, 2 * beat, waiting=500 * beat)
    assert pace.full_rate == pytest.approx(85)
    pace.observe(1_700, 2_700, 5, 20, waiting=0)
    assert pace.full_rate is None
    pace.observe(1_701, 2_700, 5, 22, waiting=4)
    pace.observe(1_702, 2_700, 5, 24, waiting=4)
    assert pace.full_rate is None  # not long enough
