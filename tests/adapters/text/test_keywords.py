"""Keywords of a question."""

import pytest

from adapters.text.keywords import find_keywords


@pytest.mark.parametrize(
    ("question", "keywords"),
    [
        ("上海图书馆在哪里？", ("上海图书馆",)),
        ("年假有几天？", ("年假",)),
        ("可乐和国债怎么买？", ("可乐", "国债")),
        ("What is the Marlow Bridge made of?", ("Marlow", "Bridge", "made")),
        ("多少？", ()),
    ],
)
def test_names_are_whole(question: str, keywords: tuple[str, ...]) -> None:
    """A character that often stands by itself does not cut the name that it is part of."""
    assert find_keywords(question, 8)[: len(keywords)] == keywords
