"""Ranks and their quality."""

from ops.evaluation.retrieval import percentile, quality, rank_of


def test_ranks_and_their_quality():
    assert [rank_of(found, frozenset("ab")) for found in (["a"], ["c", "b", "a"], ["c"], [*"cdefghijkl", "a"])] == [1, 2, 0, 0]
    made = quality([1, 2, 0, 10])
    assert (made.hit1, made.hit5, made.mrr10) == (0.25, 0.5, 0.4)
    assert [percentile([3.0, 1.0, 2.0, 4.0], share) for share in (0.0, 0.5, 0.75, 0.99, 1.0)] == [1.0, 2.0, 3.0, 4.0, 4.0]
