"""How fast an agent is when it has work: rushes, rests, single slow events."""

import pytest

from streams.paces import MEMORY_S, Pace


def test_nothing_is_known_before_any_work():
    pace = Pace()
    pace.observe(0, 0, 0, 0)
    pace.observe(0, 0, 0, 100)
    assert pace.rate is None


def test_a_backlog_counts_all_of_the_time():
    pace = Pace()
    for beat in range(5):
        pace.observe(100 * beat, 7 * beat, 500, 2 * beat)
    assert pace.rate == pytest.approx(50)


def test_the_first_moments_of_a_rush_are_not_slowness():
    """One event in 20 ms, then a long rest: fifty a second, not one in two seconds."""
    pace = Pace()
    pace.observe(0, 0, 0, 0)
    pace.observe(1, 0.02, 0, 2)
    pace.observe(1, 0.02, 0, 600)
    assert pace.rate == pytest.approx(50)


def test_it_follows_what_happens():
    """Half a minute of work at another speed, and most of it is known; an event that never ends shows as well."""
    pace = Pace()
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


def test_the_first_seconds_of_a_worker_are_no_pace():
    """After a death a worker finds a backlog before it has done anything: nobody must be sent away for that."""
    pace = Pace()
    for second in range(12):
        pace.observe(0, 0, 2_000, second)
    assert pace.rate is None
    pace.observe(3, 0.1, 1_997, 12)
    assert pace.rate is None
    for second in range(13, 60):
        pace.observe(100 * (second - 12), 0.1, 1_000, second)
    assert (pace.rate or 0.0) > 50
