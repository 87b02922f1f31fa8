"""Chinese words as the index cuts them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text.segments import RUN_CHARS_MAX, segment

HAN = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5)


@pytest.mark.parametrize(("run", "words"), [("上海图书馆", ["上海", "图书", "馆"]), ("", []), ("楼", ["楼"])])
def test_words(run: str, words: list[str]) -> None:
    assert segment(run) == words


@given(st.text(HAN, max_size=2 * RUN_CHARS_MAX + 3))
def test_the_words_together_are_the_text(run: str) -> None:
    assert "".join(segment(run)) == run


def test_threads_share_the_engine() -> None:
    """Questions are read on the event loop and beside it."""
    runs = ["上海图书馆几点开门" + chr(0x4E00 + at) for at in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(segment, runs)) == [segment(run) for run in runs]
