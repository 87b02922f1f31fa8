"""Questions that ask for everything of a kind are told from those that ask for one thing."""

import pytest

from adapters.text.enumerations import listing_of, says_number, strip_request
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
    assert listing_of(fold(question)) == "all"


@pytest.mark.parametrize(
    "question",
    ["北京的区号是多少？", "哪一年建成？", "为什么所有人都要签字？", "Who founded it?", "Is this the best of all time?", "列" * 600],
)
def test_one_thing(question: str) -> None:
    assert not listing_of(fold(question))


@pytest.mark.parametrize(
    ("question", "listing"),
    [
        ("一共有几家门店？", "number"),
        ("集團共有多少個實驗室？", "number"),
        ("How many depots are there?", "number"),
        ("有哪些门店？", "which"),
        ("哪些物品不能托运？", "which"),
        ("Which depots are there?", "which"),
        ("它有几天假期？", ""),
        ("How many people live in Paris?", ""),
    ],
)
def test_which_and_how_many(question: str, listing: str) -> None:
    assert listing_of(fold(question)) == listing


@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("请列出所有门店的电话", "门店的电话"),
        ("一共有几家门店？", "有 门店"),
        ("List all offices in Spain", "offices in spain"),
        ("Please give me every phone number", "phone number"),
        ("全部列出", "全部列出"),
    ],
)
def test_the_words_of_the_request_are_not_what_is_asked_for(question: str, rest: str) -> None:
    assert " ".join(strip_request(fold(question)).strip(" ?？").split()) == rest


@pytest.mark.parametrize(
    ("question", "text", "said"),
    [
        ("一共有几家门店？", "本市有12家门店。", True),
        ("一共有几家门店？", "集团现有二十余家直营门店。", True),
        ("一共有几家门店？", "城东门店成立于2003年，员工30人。", False),
        ("how many depots are there?", "the city has seven tram depots.", True),
        ("how many depots are there?", "the depots opened in 1999.", False),
        ("门店在哪？", "12家门店", False),
    ],
)
def test_whether_a_text_says_the_number(question: str, text: str, said: bool) -> None:
    assert says_number(fold(question), fold(text)) is said
