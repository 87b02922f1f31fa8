"""Sizes of pieces against true tokens."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.parsing.chunks.splitting import EIGHTHS, size_of
from adapters.text.language import estimate_tokens


@given(st.text(max_size=200))
def test_sizes_are_on_the_safe_side_of_tokens(text):
    """Eighths add up exactly and never let a chunk over its bound."""
    text = text.encode("utf-8", "ignore").decode()
    assert estimate_tokens(text) <= -(-size_of(text) // EIGHTHS) + 1
    assert size_of(text) == sum(size_of(char) for char in text)
