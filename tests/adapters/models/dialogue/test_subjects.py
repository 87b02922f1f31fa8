"""Which short questions stand by themselves, and what carried words may not do."""

import pytest

from adapters.models.dialogue.follow_ups import condense_by_rules, read_question, search_background
from adapters.models.dialogue.subjects import is_pleasantry
from adapters.models.grounding.answerability import is_answerable, is_follow_up_answerable
from adapters.models.grounding.local import LocalModel
from adapters.models.port import AnswerRequest, Piece
from adapters.text.language import fold
from adapters.text.sparse import BACKGROUND_SHARE_MAX, Bm25Encoder
from schemas.chats import Passage, Turn
from tests.support.model_samples import passage

POOL = (Turn("user", "游泳池几点开放？"), Turn("assistant", "游泳池下午四点开放 [1]。"))
PRICES = passage(1, "品名\t单价\n西葫芦\t3.2\n丝瓜\t4.1", "价目")


async def quote(question: str, *passages: Passage, history: tuple[Turn, ...] = ()) -> str:
    request = AnswerRequest(question=question, passages=passages, history=history)
    return "".join([part.text async for part in LocalModel().answer(request) if isinstance(part, Piece)])


@pytest.mark.parametrize(
    "question",
    [
        "调休几天？",
        "摆渡车几点？",
        "签证谁办？",
        "会议室在哪？",
        "密码是多少？",
        "那摆渡车几点？",
        "怎么申请调休？",
        "Where is the pool?",
        "When is lunch?",
    ],
)
def test_a_question_with_its_own_subject_is_no_follow_up(question: str) -> None:
    assert read_question(question, POOL).kind == "whole"
    assert condense_by_rules(question, POOL) == question


@pytest.mark.parametrize(
    "question",
    [
        "多少钱？",
        "需要什么材料？",
        "谁负责？",
        "怎么申请？",
        "几点关门？",
        "费用多少？",
        "调休呢？",
        "How many floors?",
        "What is the price?",
    ],
)
def test_a_question_without_one_is(question: str) -> None:
    assert read_question(question, POOL).kind != "whole"


@pytest.mark.parametrize("said", ["谢谢", "你好！", "好的，明白了", "谢谢您啦～", "Hello", "Thank you very much!", "ok, thanks", "👍"])
def test_courtesy_is_carried_nowhere(said: str) -> None:
    assert is_pleasantry(fold(said))
    history = (*POOL, Turn("user", said), Turn("assistant", "知识库中没有找到能回答这个问题的内容。"))
    assert search_background(history) == search_background(POOL)
    assert condense_by_rules("那多少钱？", history) == condense_by_rules("那多少钱？", POOL)


@pytest.mark.parametrize("said", ["谢谢卡怎么领？", "Hello Kitty 是谁？", "你好吗这首歌是谁唱的"])
def test_a_question_that_begins_with_courtesy_is_a_question(said: str) -> None:
    assert not is_pleasantry(fold(said))


def test_carried_words_do_not_answer_for_the_subject() -> None:
    pool = passage(1, "游泳池下午四点开放。", "游泳池")
    other, same = read_question("年会呢？", POOL), read_question("它几点关？", POOL)
    assert not is_follow_up_answerable(other.claims, other.subject, [pool])
    assert is_follow_up_answerable(same.claims, same.subject, [pool])


def test_the_background_never_outweighs_the_question() -> None:
    encoder = Bm25Encoder()
    plain = encoder.encode_query("摆渡车几点？")
    coloured = encoder.encode_query("摆渡车几点？", (("游泳池 健身房 停车场 会议室 展厅 图书馆 咖啡厅 " * 3, 0.4),))
    assert coloured.values.sum() - plain.values.sum() <= BACKGROUND_SHARE_MAX * plain.values.sum() + 1e-4


@pytest.mark.parametrize("question", ["QX-4499的原因是什么？", "QX4499的原因", "订单20310416的原因是什么？"])
async def test_an_identifier_that_no_passage_has_is_not_answered_from_another(question: str) -> None:
    other = passage(1, "QX-4410 的原因是证书过期。订单20310415的原因是缺货。", "工单")
    assert not is_answerable(question, [other])
    assert "[1]" not in await quote(question, other)
    assert is_answerable("QX4410的原因是什么？", [other])


@pytest.mark.parametrize("question", ["西葫芦多少钱？", "丝瓜多少钱一斤？", "丝瓜什么价？", "西葫芦的价格是多少？", "丝瓜的费用"])
def test_words_for_the_price_are_one(question: str) -> None:
    assert is_answerable(question, [PRICES])


@pytest.mark.parametrize("question", ["西瓜多少钱？", "冬瓜多少钱一斤？", "西红柿的价格是多少？", "丝绸的单价"])
def test_a_price_of_something_else_is_none(question: str) -> None:
    assert not is_answerable(question, [PRICES])


@pytest.mark.parametrize(
    ("question", "text", "said"),
    [
        ("天津的区号是多少？", "城市,区号\n天津,022\n重庆,023", "天津,022"),
        ("密码是多少？", "密码：5519", "密码：5519"),
        ("What is Lily's extension?", "| Name | Extension |\n| Lily | 3201 |\n| Max | 3202 |", "| Lily | 3201 |"),
        ("财务的分机是多少？", "- 前台：801\n- 财务：812", "财务：812"),
        ("Bob?", "Bob: 7", "Bob: 7"),
    ],
)
async def test_short_facts_are_quoted(question: str, text: str, said: str) -> None:
    answer = await quote(question, passage(1, text, ""))
    assert said in answer
    assert "[1]" in answer


@pytest.mark.parametrize("question", ["假期有多长？", "How long is it?", "？"])
async def test_a_passage_that_was_given_is_never_called_absent(question: str) -> None:
    assert "[1]" in await quote(question, passage(1, "满一年者十二天。", "年休"))


KETTLE = (Turn("user", "What about the Marlow kettle?"), Turn("assistant", "It holds two litres [1]."))
KETTLES = (
    passage(1, "The Brent kettle costs 30 dollars. The kettle comes with a warranty of one year.", "Brent kettle"),
    passage(2, "The Marlow kettle costs 50 dollars. The kettle comes with a warranty of five years.", "Marlow kettle"),
)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("How long is the warranty?", "five years"),
        ("How much does it cost?", "50 dollars"),
        ("And the Brent kettle?", "Brent kettle costs"),
        ("How long is the warranty of the Brent kettle?", "one year"),
    ],
)
async def test_what_was_spoken_of_chooses_between_equals(question: str, said: str) -> None:
    answer = await quote(question, *KETTLES, history=KETTLE)
    assert said in answer


@pytest.mark.parametrize(
    ("question", "said", "unsaid"),
    [
        ("哪款茶壶不支持加热？", "乙款茶壶不支持加热", "甲款茶壶支持加热"),
        ("哪款茶壶支持加热？", "甲款茶壶支持加热", "乙款茶壶不支持加热"),
    ],
)
async def test_the_opposite_is_not_quoted(question: str, said: str, unsaid: str) -> None:
    answer = await quote(question, passage(1, "甲款茶壶支持加热。", "甲款"), passage(2, "乙款茶壶不支持加热。", "乙款"))
    assert said in answer
    assert unsaid not in answer
