"""Where answers are cut, however their text comes in."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.models.stop_sequences import AnswerTruncator, truncate_to_tokens
from adapters.text.language import estimate_tokens

TEXT = st.text("ab停止", max_size=24)


def _cut(pieces: list[str], stop: list[str], tokens_max: int | None = None) -> tuple[str, str]:
    cutter = AnswerTruncator(stop, tokens_max=tokens_max)
    text = "".join(cutter.feed(piece) for piece in pieces) + cutter.finish()
    return text, cutter.reason


def _expected(text: str, stop: list[str]) -> tuple[str, str]:
    """Letter by letter: the first stop sequence that is complete; of two that end together the one that began first."""
    for end in range(1, len(text) + 1):
        complete = [word for word in stop if word and text[:end].endswith(word)]
        if complete:
            return text[: end - max(map(len, complete))], "stop"
    return text, ""


@given(st.lists(TEXT, max_size=8), st.lists(st.text("ab停", max_size=3), max_size=3))
def test_stops_are_found_across_pieces(pieces: list[str], stop: list[str]) -> None:
    assert _cut(pieces, stop) == _expected("".join(pieces), stop)


@given(st.lists(TEXT, max_size=8), st.integers(0, 12))
def test_no_more_tokens_than_allowed(pieces: list[str], tokens_max: int) -> None:
    text, reason = _cut(pieces, [], tokens_max)
    assert "".join(pieces).startswith(text)
    assert sum(map(estimate_tokens, pieces)) <= tokens_max or reason == "length" or text == "".join(pieces)
    assert estimate_tokens(text) <= tokens_max
    assert reason in ("", "length")
    assert (text == "".join(pieces)) == (reason == "")


@given(TEXT, st.integers(0, 24))
def test_a_prefix_is_the_longest_that_fits(text: str, tokens: int) -> None:
    kept = truncate_to_tokens(text, tokens)
    assert text.startswith(kept)
    assert estimate_tokens(kept) <= tokens
    assert kept == text or estimate_tokens(text[: len(kept) + 1]) > tokens


def test_what_might_become_a_stop_is_held_back() -> None:
    cutter = AnswerTruncator(["\n\n"])
    assert [cutter.feed(piece) for piece in ("one\n", "two\n", "\nthree")] == ["one", "\ntwo", ""]
    assert (cutter.reason, cutter.finish()) == ("stop", "")
