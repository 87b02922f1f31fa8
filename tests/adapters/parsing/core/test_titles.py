"""Titles that programs make up are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.titles import CHARS_MAX, choose_title, is_made_up

MADE_UP = [
    *(
        "Sheet1",
        "sheet 12",
        "工作表1",
        "Slide 3",
        "幻灯片 2",
        "Book1",
        "文档1",
        "Document",
        "PowerPoint Presentation",
        "PowerPoint 演示文稿",
    ),
    *(
        "Microsoft Word - draft.doc",
        "新建 Microsoft Word 文档",
        "无标题",
        "Untitled document",
        "report_v2.docx",
        "C:\\temp\\x",
        "—",
        "Tabelle1",
        "about:blank",
        "https://intranet.example/handbook",
    ),
]
NAMES = [
    "Sheet music",
    "文档管理制度",
    "输入/输出",
    "GB/T 19001",
    "Document retention policy",
    "Slides of 2031",
    "表彰决定",
    "1984",
    "Page design",
    "About: the house",
]


@pytest.mark.parametrize("title", MADE_UP)
def test_a_default_names_nothing(title: str) -> None:
    assert is_made_up(title)
    assert choose_title((title, "Travel rules")) == "Travel rules"


@pytest.mark.parametrize("title", NAMES)
def test_a_title_stays(title: str) -> None:
    assert not is_made_up(title)


def test_a_text_is_named_by_its_first_heading_unless_that_is_a_default() -> None:
    assembly = Assembly(1_000)
    assembly.add_heading(1, "Sheet1")
    assembly.add_paragraph("x")
    assert (assembly.build().title, assembly.build("PowerPoint Presentation", "  Costs\n2031 ").title) == ("", "Costs 2031")


@given(st.lists(st.text(max_size=400), max_size=3))
def test_a_title_is_one_line_and_bounded(candidates: list[str]) -> None:
    chosen = choose_title(candidates)
    assert len(chosen) <= CHARS_MAX
    assert "\n" not in chosen
    assert not is_made_up(chosen or "a name")
