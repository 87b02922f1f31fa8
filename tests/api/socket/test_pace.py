"""The frames of one connection: what passes in any stretch of time, and when somebody is not listening."""

from hypothesis import given
from hypothesis import strategies as st

from api.socket.pace import BURST_S, FLOOD_MAX, FrameLimiter

GAPS_S = st.lists(st.floats(0, 5), max_size=200)


@given(st.floats(0.1, 100), GAPS_S)
def test_never_more_than_the_rate_and_the_burst(per_second: float, gaps_s: list[float]):
    """From the beginning to any moment; and who keeps to the rate is never refused."""
    pace, now_s, passed = FrameLimiter(per_second, 0.0), 0.0, 0
    for gap_s in gaps_s:
        now_s += gap_s
        passed += pace.allow(now_s)
        assert passed <= max(1.0, per_second * BURST_S) + per_second * now_s + 1e-6
    assert pace.wait_s <= 1 / per_second


@given(st.floats(0.1, 100), st.integers(1, 100))
def test_who_keeps_to_the_rate_is_never_refused(per_second: float, frames: int):
    pace = FrameLimiter(per_second, 0.0)
    assert all(pace.allow((number + 1) * 1.001 / per_second) for number in range(frames))


def test_one_frame_that_passes_shows_that_somebody_listens():
    pace = FrameLimiter(1.0, 0.0)
    while pace.allow(0.0):
        pass
    flooding = []
    for _ in range(FLOOD_MAX - 1):
        pace.allow(0.0)
        flooding.append(pace.is_flooding)
    assert flooding == [False] * (FLOOD_MAX - 2) + [True]
    assert pace.allow(2.0)
    assert not pace.is_flooding
