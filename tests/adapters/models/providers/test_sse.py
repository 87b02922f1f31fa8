"""Server-sent events of providers, however they are cut."""

from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.models.providers import sse

STREAM = 'data: {"a":"知识"}\r\n\r\n: comment\n\ndata:one\ndata: two\n\nevent: x\nid: 1\nretry: 5\n\ndata: [DONE]'.encode()


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cut_gives_the_same_events(cuts: list[int]) -> None:
    splitter = sse.EventSplitter()
    places = [0, *sorted(cuts), len(STREAM)]
    events = [event for a, b in pairwise(places) for event in splitter.feed(STREAM[a:b])]
    assert events + splitter.finish() == ['{"a":"知识"}'.encode(), b"one\ntwo", b"[DONE]"]


@pytest.mark.parametrize("endless", [b"data: xxxxxxxxxxxxxxx", b"data: x\n"])
def test_an_event_without_end_is_stopped(endless: bytes) -> None:
    splitter = sse.EventSplitter()
    with pytest.raises(sse.EventTooLarge):
        deque(splitter.feed(endless * 1000) for _ in range(sse.EVENT_BYTES_MAX))
