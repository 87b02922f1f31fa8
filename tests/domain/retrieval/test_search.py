"""Hits of several searches become one list."""

from adapters.index.fusion import RankedQuestion
from adapters.index.port import Hit
from domain.retrieval.search import merge_rankings


def test_merging_keeps_what_stands_out():
    """A clear lexical match stays first whatever cosines another model gives."""

    def hit(ident: str, bm25: float, dense: float) -> Hit:
        return Hit(
            id=ident,
            collection="kb",
            document_id=ident,
            version=1,
            ordinal=0,
            title="",
            headings=(),
            text="",
            score=0,
            bm25=bm25,
            dense=dense,
        )

    order = [
        each.id for each in merge_rankings([[hit("a", 9, 0.2), hit("b", 1, 0.1)], [hit("c", 2, 0.95), hit("d", 0, 0.9)]], RankedQuestion())
    ]
    assert order[0] == "a"
    assert order.index("c") < order.index("b")
    assert len(order) == 4
