"""Questions that ask for everything of a kind are told from those that ask for one thing."""

import pytest

from adapters.text.enumerations import asks_for_all
from adapters.text.language import fold


@pytest.mark.parametrize(
    "question",
    [
        "列出所有分公司的办公地址",
        "请列举全部的产品型号",
        "一共有哪些仓库？",
        "都有哪几种套餐？",
        "List all offices",
        "Name every depot",
        "what are all the rules",
    ],
)
def test_everything(question: str) -> None:
    assert asks_for_all(fold(question))


@pytest.mark.parametrize(
    "question",
    ["北京的区号是多少？", "哪一年建成？", "为什么所有人都要签字？", "Who founded it?", "Is this the best of all time?", "列" * 600],
)
def test_one_thing(question: str) -> None:
    assert not asks_for_all(fold(question))
