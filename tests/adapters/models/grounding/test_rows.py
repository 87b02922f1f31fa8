"""Rows in answers: pairs of column and value, never a header alone, never a neighbour."""

from msgspec.structs import replace

from adapters.models.grounding.local import LocalModel
from adapters.models.grounding.rows import RowTexts, tell_computed
from adapters.models.port import AnswerRequest, Piece
from adapters.models.prompts import build_messages
from schemas.chats import Passage
from schemas.documents import TablePart
from tests.support.model_samples import passage

TEXT = "城市\t区号\n北京\t010\n上海\t021\n广州\t020"
PART = TablePart(number=1, start=6, end=len(TEXT), total=3, columns=("城市", "区号"), header=6)
CODES = replace(passage(1, TEXT, "区号表"), tables=(PART,))


async def answer(question: str, *passages: Passage) -> str:
    request = AnswerRequest(question=question, passages=passages)
    return "".join([said.text async for said in LocalModel().answer(request) if isinstance(said, Piece)])


def test_lines_are_told_by_what_they_are() -> None:
    rows = RowTexts([CODES], "zh")
    assert rows.tell(1, "北京\t010") == "城市：北京；区号：010"
    assert rows.tell(1, "别的句子") == "别的句子"
    assert rows.tell(2, "北京\t010") == "北京\t010"
    assert rows.is_header(1, "城市\t区号")
    assert not rows.is_header(1, "北京\t010")
    assert rows.is_row(1, "北京\t010")


async def test_a_row_is_quoted_with_its_header_and_without_its_neighbours() -> None:
    said = await answer("北京的区号是多少？", CODES)
    assert "- 城市：北京；区号：010 [1]" in said
    assert "上海" not in said
    assert "城市\t区号" not in said


async def test_a_row_of_a_namesake_is_no_answer() -> None:
    text = "姓名\t分机\n张晓东\t6602\n张东\t6603"
    staff = replace(passage(1, text), tables=(TablePart(number=1, start=6, end=len(text), total=2, columns=("姓名", "分机"), header=6),))
    assert "姓名：张晓东；分机：6602 [1]" in await answer("张晓东的分机号？", staff)
    assert await answer("陈晓东的分机号？", staff) == "知识库中没有找到能回答这个问题的内容。"


async def test_a_form_tells_each_value_with_its_label() -> None:
    text = "Applicant:\tAda Byron\nAmount claimed:\t1,250.00 EUR"
    form = replace(passage(1, text), tables=(TablePart(number=1, start=0, end=len(text), total=2, columns=("", "")),))
    assert "- Amount claimed: 1,250.00 EUR [1]" in await answer("What amount did Ada Byron claim?", form)


async def test_a_computed_answer_is_told_with_its_rows() -> None:
    computed = replace(CODES, text="上海\t021\n广州\t020", tables=(replace(PART, start=0, end=13, header=0),), computed="共 2 行：")
    said = await answer("有哪些城市？", computed)
    assert said.endswith("共 2 行：\n- 城市：上海；区号：021 [1]\n- 城市：广州；区号：020 [1]")
    assert tell_computed("有哪些城市？", [CODES]) == []


async def test_a_result_without_rows_cites_nothing() -> None:
    said = await answer("有几个？", replace(CODES, tables=(), computed="符合条件的有 0 行。"))
    assert "0 行" in said
    assert "[1]" not in said


def test_a_model_reads_the_result_and_the_whole_rows() -> None:
    computed = replace(CODES, text="上海\t021", tables=(replace(PART, start=0, end=6, header=0),), computed="区号最大的是：上海。")
    sent = build_messages(AnswerRequest(question="区号最大的城市？", passages=(computed,)))[-1].content
    assert "区号最大的是：上海。\n- 城市：上海；区号：021" in sent
    assert TEXT not in sent
