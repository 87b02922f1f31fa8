"""Answers from tables as passages: the rows they rest on, each cited from its own chunk."""

import dataclasses
from typing import Any, cast

import pytest
from msgspec.structs import replace

from adapters.index.port import Hit
from adapters.models.grounding.rows import tell_computed
from adapters.parsing.core.assembly import Assembly
from adapters.parsing.markup.markdown import parse_markdown
from domain.retrieval.passages import put_first
from domain.retrieval.tables.answers import HELD_MAX, TableAnswers, is_better
from domain.retrieval.tables.compute import Finding
from schemas.chats import Passage
from schemas.settings import RetrievalSettings
from tests.support.read_tables import hits_of

SETTINGS = RetrievalSettings()


class Chunks:
    """A search over the chunks of one document, which counts its calls."""

    def __init__(self, hits: list[Hit]) -> None:
        self.hits, self.calls = hits, 0

    async def chunks(self, *_where: Any, first: int, limit: int) -> list[Hit]:
        self.calls += 1
        return [hit for hit in self.hits if first <= hit.ordinal < first + limit]


def stations(count: int) -> list[Hit]:
    assembly = Assembly(1_000_000)
    assembly.add_table([("站名", "线路", "日客流"), *((f"站{n}x", f"{1 + n % 3}号线", str(n)) for n in range(count))])
    return hits_of(assembly.build(), "地铁客流", 64)


def answers(hits: list[Hit], settings: RetrievalSettings = SETTINGS) -> tuple[TableAnswers, Chunks]:
    searching = Chunks(hits)
    return TableAnswers(cast("Any", searching), settings), searching


async def ask(question: str, hits: list[Hit], settings: RetrievalSettings = SETTINGS) -> Passage | None:
    tables, _ = answers(hits, settings)
    found = await tables.find("t", hits[:1], question)
    assert len(found) <= 1
    return found[0] if found else None


async def test_the_rows_of_an_answer_are_literal_and_cited_from_their_chunks() -> None:
    hits = stations(300)
    passage = await ask("日客流最大的两个站是哪些？", [hits[3], *hits])
    assert passage is not None
    assert passage.text == "站299x\t3号线\t299\n站298x\t2号线\t298"
    source = {hit.id: hit for hit in hits}
    for line in passage.text.split("\n"):
        at = passage.text.index(line)
        chunk = next((part.chunk_id for part in reversed(passage.parts) if part.start <= at), passage.chunk_id)
        assert line in source[chunk].text
    assert tell_computed("哪个站？", [passage]) == [
        "“日客流”最大的是：站299x（299）；站298x（298）。 [1]",
        "- 站名：站299x；线路：3号线；日客流：299 [1]",
        "- 站名：站298x；线路：2号线；日客流：298 [1]",
    ]


async def test_rows_of_several_chunks_have_the_number_of_their_own() -> None:
    """It is the place of a row where a document has neither pages nor headings."""
    hits = stations(300)
    passage = await ask("3号线有哪些站？", hits)
    assert passage is not None
    assert len(passage.parts) > 1
    assert [part.ordinal for part in passage.parts] == [{hit.id: hit for hit in hits}[part.chunk_id].ordinal for part in passage.parts]


async def test_a_table_is_read_once_per_version() -> None:
    hits = stations(300)
    tables, searching = answers(hits)
    for _ in range(3):
        assert await tables.find("t", hits[:1], "一共有几个站？")
    read = searching.calls
    assert read > 0
    await tables.find("t", hits[:1], "3号线有几个站？")
    assert searching.calls == read
    await tables.find("another", hits[:1], "一共有几个站？")
    assert searching.calls > read


async def test_what_is_held_is_bounded() -> None:
    hits = stations(3)
    tables, _ = answers(hits)
    for n in range(HELD_MAX + 20):
        await tables.find(f"tenant {n}", hits, "一共有几个站？")
    assert len(tables.held) == HELD_MAX


async def test_a_table_beyond_the_bound_is_said_to_be_a_part() -> None:
    passage = await ask("日客流最大的站是哪个？", stations(300), RetrievalSettings(table_rows_max=100))
    assert passage is not None
    assert "这张表有 300 行" in passage.computed


def test_a_table_with_rows_goes_before_one_without() -> None:
    computed, nothing, refused = Finding("2", (1, 2), 1.0), Finding("0", (), 1.4), Finding("", (1,), 1.6, is_computed=False)
    assert is_better(computed, nothing)
    assert is_better(nothing, refused)
    assert not is_better(nothing, computed)
    assert not is_better(computed, computed)


async def test_tables_of_one_form_answer_together_each_row_from_its_document() -> None:
    """One table a month: a question that names none of them is about all, and says which were read."""
    months = [
        dataclasses.replace(hit, document_id=f"m{number}")
        for number, name in enumerate(("三月水费", "四月水费", "五月水费"))
        for hit in hits_of(parse_markdown(f"| 楼栋 | 水费（元） |\n|---|---|\n| 甲楼 | {10 + number} |\n| 乙楼 | {20 * number} |\n"), name)
    ]
    tables, _ = answers(months)
    found = await tables.find("t", months, "所有楼栋的水费合计是多少？")
    assert "93元（6 行相加）" in found[0].computed
    assert "三月水费、四月水费、五月水费" in found[0].computed
    assert [passage.document_id for passage in found] == ["m0", "m1", "m2"]
    told = tell_computed("水费？", [replace(passage, marker=place) for place, passage in enumerate(found, 1)])
    assert told[0].endswith("[1][2][3]")
    assert told[3] == "“四月水费”中的行："
    assert told[4] == "- 楼栋：甲楼；水费（元）：11 [2]"
    (one,) = await tables.find("t", months, "四月水费最高的是哪栋楼？")
    assert "乙楼（20）" in one.computed
    two = await tables.find("t", months, "三月和五月甲楼的水费一共是多少？")
    assert "22元（2 行相加）" in two[0].computed
    assert [passage.document_id for passage in two] == ["m0", "m2"]


async def test_of_two_tables_that_fit_alike_the_one_in_the_questions_language_answers() -> None:
    chinese = hits_of(parse_markdown("| 编号 | 费用 |\n|---|---|\n| t1x | 3 |\n| t2x | 90 |\n"), "差旅")
    english = [
        dataclasses.replace(hit, document_id="english")
        for hit in hits_of(parse_markdown("| Item | Rate |\n|---|---|\n| Rye | 4 |\n| Oat | 80 |\n"), "Bakery")
    ]
    tables, _ = answers([*chinese, *english])
    (found,) = await tables.find("t", [*chinese, *english], "Which cost less than 5?")
    assert found.document_id == "english"


async def test_tables_can_be_turned_off() -> None:
    assert await ask("一共有几个站？", stations(30), RetrievalSettings(table_rows_max=0)) is None


async def test_chunks_stored_before_there_was_table_data_give_no_answer() -> None:
    hits = [dataclasses.replace(hit, tables=()) for hit in stations(30)]
    assert await ask("一共有几个站？", hits) is None


async def test_a_text_that_answers_goes_before_a_table_without_that_column() -> None:
    rows = hits_of(parse_markdown("| 客栈 | 房间数 |\n|---|---|\n| 听雨楼 | 12 |\n| 望江阁 | 30 |\n"), "客栈")
    text = hits_of(parse_markdown("听雨楼的厨师长是周伯。\n"), "人员")
    tables, _ = answers(rows)
    (marked,) = await tables.find("t", rows, "听雨楼的厨师长是谁？")
    assert "没有" in marked.computed
    assert not await tables.find("t", [*rows, *text], "听雨楼的厨师长是谁？")


async def test_the_answer_goes_before_the_passages_and_replaces_those_of_its_table() -> None:
    hits = stations(20)
    computed = await ask("一共有几个站？", hits)
    assert computed is not None
    rows = replace(computed, computed="", marker=1)
    other = replace(computed, document_id="another", computed="", marker=2)
    assert [(each.marker, each.document_id) for each in put_first((computed,), (rows, other))] == [(1, "document"), (2, "another")]


@pytest.mark.parametrize("question", ["站999x的日客流是多少？", "为什么地铁晚点？", "谢谢"])
async def test_no_answer_where_the_table_has_none(question: str) -> None:
    assert await ask(question, stations(20)) is None
