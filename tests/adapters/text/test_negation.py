"""What is denied, and what says the opposite of a question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text.language import fold
from adapters.text.negation import denied_predicates, says_opposite


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("云桥不支持蓝牙", ["支持"]),
        ("报名费不予退还", ["退还"]),
        ("馆内不得吸烟，禁止拍照", ["吸烟", "拍照"]),
        ("新人没有补贴", ["补贴"]),
        ("它支持蓝牙", []),
        ("它是不是支持蓝牙，有没有耳机，能不能听？", []),
        ("无线耳机不仅轻，而且不同颜色不少", []),
        ("The pump does not support hot water.", ["support"]),
        ("It doesn't float; nobody can't swim", ["float", "swim"]),
        ("Prams are not allowed", [""]),
        ("There is no tram on Sundays.", ["tram"]),
        ("The knot and the notice", []),
    ],
)
def test_what_a_text_denies(text: str, denied: list[str]) -> None:
    assert denied_predicates(fold(text)) == denied


@pytest.mark.parametrize(
    ("question", "sentence", "opposite"),
    [
        ("哪个型号不支持蓝牙？", "K2支持蓝牙。", True),
        ("哪个型号不支持蓝牙？", "K3不支持蓝牙。", False),
        ("哪个型号支持蓝牙？", "K3不支持蓝牙。", True),
        ("哪个型号支持蓝牙？", "K2支持蓝牙，不支持红外。", False),
        ("K3支持蓝牙吗？", "K3不支持蓝牙。", False),
        ("哪些费用不予报销？", "车票予以报销。", True),
        ("馆内禁止什么？", "馆内禁止拍照。", False),
        ("馆内不允许做什么？", "馆内有三个展厅。", True),
        ("Which pump does not support hot water?", "The P1 supports hot water.", True),
        ("Which pump does not support hot water?", "The P2 does not support hot water.", False),
        ("Which pump supports hot water?", "The P2 doesn't support hot water.", True),
        ("Does the P2 support hot water?", "The P2 does not support hot water.", False),
        ("What is banned on the pier?", "Bicycles are banned on the pier.", False),
        ("不小心接触有什么伤害？", "接触会使皮肤变红。", False),
        ("哪次会议证明它无法维护和平？", "第三次会议证明，它无法起到维护和平的作用。", False),
        ("How long does it keep?", "It should not be kept in the sun.", False),
    ],
)
def test_the_opposite_of_a_question(question: str, sentence: str, opposite: bool) -> None:
    assert says_opposite(fold(question), fold(sentence)) == opposite


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_can_be_compared(question: str, sentence: str) -> None:
    """A text without a negation is never the opposite of one that denies nothing."""
    if not denied_predicates(fold(question)) and not denied_predicates(fold(sentence)):
        assert not says_opposite(fold(question), fold(sentence))
