"""Titles that programs make up: "Sheet1", "PowerPoint Presentation", the name of a template's file. They name no document."""

import re
from collections.abc import Iterable

from adapters.parsing.core.blocks import clean

_NUMBERED = (
    "document|doc|workbook|book|worksheet|sheet|presentation|slide|chart|page|table|feuille?|feuil|hoja|tabelle|blatt|folie|diapositive"
    "|文档|文檔|文件|工作簿|活頁簿|工作表|表|幻灯片|投影片|演示文稿|簡報|图表|圖表|页|頁"
)
_MADE_UP = re.compile(
    rf"(?:{_NUMBERED})[\s_-]?[\d(（][\d)）]*|(?:document|presentation|workbook|sheet|文档|文檔|演示文稿|工作簿|工作表|簡報)"
    r"|untitled.{0,40}|\(?anonymous\)?|no ?title|new (?:document|presentation|workbook|microsoft).{0,60}"
    r"|powerpoint[ -]?(?:presentation|präsentation|演示文稿|簡報|演示)|présentation powerpoint|presentación de powerpoint"
    r"|microsoft (?:office )?(?:word|excel|powerpoint)\b.{0,200}|新建.{0,40}|(?:无标题|無標題|未命名).{0,40}"
    r"|.*\.(?:docx?|dotx?|pdf|pptx?|potx?|xlsx?|xltx?|indd|tex|dvi|html?|rtf|wps|txt|csv)|[\W_]*|\S*\\\S*|/[^\s/]+/\S+|file:.*|(?:about|data|blob):\S+|https?://\S*",
    re.IGNORECASE,
)
CHARS_MAX = 300  # a longer "title" is a paragraph


def is_made_up(title: str) -> bool:
    """Whether a title says nothing of its document: a program's default, a file name, no letters."""
    return _MADE_UP.fullmatch(title.strip()) is not None


def choose_title(candidates: Iterable[str]) -> str:
    """The first candidate that names the document, on one line; "" when none does."""
    lines = (" ".join(clean(title).split())[:CHARS_MAX].rstrip() for title in candidates)
    return next((line for line in lines if line and not is_made_up(line)), "")
