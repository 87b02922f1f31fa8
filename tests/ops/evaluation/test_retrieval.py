"""Ranks and their quality."""

from ops.evaluation.retrieval import gain_of, percentile, quality, rank_of


def test_ranks_and_their_quality():
    assert [rank_of(found, frozenset("ab")) for found in (["a"], ["c", "b", "a"], ["c"], [*"cdefghijkl", "a"])] == [1, 2, 0, 0]
    made = quality([["a"], ["c", "b", "a"], ["c"], [*"cdefghijk", "a"]], [frozenset("ab")] * 4)
    assert (made.hit1, made.hit5, made.mrr10) == (0.25, 0.5, 0.4)
    assert [round(gain_of(found, frozenset("ab")), 3) for found in ("ab", "ba", "ac", "ca", "cdefga")] == [1.0, 1.0, 0.613, 0.387, 0.0]
    assert gain_of("a", frozenset("a")) == 1.0
    assert [percentile([3.0, 1.0, 2.0, 4.0], share) for share in (0.0, 0.5, 0.75, 0.99, 1.0)] == [1.0, 2.0, 3.0, 4.0, 4.0]
