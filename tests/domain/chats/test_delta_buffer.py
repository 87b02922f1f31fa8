import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.chats.delta_buffer import WINDOW_FACTOR_MAX, DeltaBuffer, window_s
from schemas.errors import Unavailable


class Sent:
    """Where deltas go; ``slow`` holds a send up, ``broken`` fails it."""

    def __init__(self) -> None:
        self.events: list[tuple[int, str]] = []
        self.broken = False

    async def __call__(self, seq, text, citations):
        await asyncio.sleep(0)
        if self.broken:
            raise Unavailable("kafka_unavailable")
        self.events.append((seq, text))


async def test_the_first_piece_goes_at_once_and_the_rest_in_one():
    sent = Sent()
    deltas = DeltaBuffer(sent, lambda: 3600.0)
    for piece in ("一", "二", "", "三"):
        await deltas.add(piece)
    assert sent.events == [(1, "一")]
    await deltas.close()
    assert sent.events == [(1, "一"), (2, "二三")]


async def test_a_silent_model_does_not_hold_back_what_was_said():
    """The window's timer sends what is gathered though no further piece comes."""
    sent = Sent()
    deltas = DeltaBuffer(sent, lambda: 0.01)
    await deltas.add("a")
    await deltas.add("b")
    async with asyncio.timeout(5):
        while len(sent.events) < 2:
            await asyncio.sleep(0)
    assert sent.events == [(1, "a"), (2, "b")]
    await deltas.close()


async def test_an_answer_with_a_hole_is_not_called_complete():
    """What the timer could not send is told at the next piece, or at the end."""
    sent = Sent()
    deltas = DeltaBuffer(sent, lambda: 0.0)
    await deltas.add("a")
    deltas._window = lambda: 0.01
    sent.broken = True
    await deltas.add("b")
    async with asyncio.timeout(5):
        while deltas._timed is None or not deltas._timed.done():
            await asyncio.sleep(0)
    sent.broken = False
    with pytest.raises(Unavailable):
        await deltas.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=5), st.sampled_from([0.0, 0.001, 3600.0])), max_size=20))
def test_nothing_is_lost_doubled_or_reordered(pieces):
    async def run() -> list[tuple[int, str]]:
        sent, window = Sent(), [0.0]
        deltas = DeltaBuffer(sent, lambda: window[0])
        for text, window[0] in pieces:
            await deltas.add(text)
        await deltas.close()
        return sent.events

    events = asyncio.run(run())
    assert "".join(text for _, text in events) == "".join(text for text, _ in pieces)
    assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
    assert all(text for _, text in events)


@given(st.integers(0, 1000), st.integers(0, 100_000))
def test_the_window_widens_with_the_load_up_to_a_bound(delta_window_ms, in_flight):
    assert delta_window_ms / 1000 <= window_s(delta_window_ms, in_flight) <= delta_window_ms / 1000 * WINDOW_FACTOR_MAX
