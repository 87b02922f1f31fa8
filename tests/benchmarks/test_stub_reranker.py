"""What the reranking stub scores."""

from benchmarks.stub_reranker import share


def test_the_share_is_that_of_the_queries_words_and_pairs() -> None:
    assert share("灯塔 ferry", "The ferry passes the 灯塔.") == 1.0
    assert share("灯塔 ferry", "The ferry leaves.") == 0.5
    assert share("灯塔 ferry", "Nothing.") == 0.0
    assert share("?", "Nothing.") == 0.0
