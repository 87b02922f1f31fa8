"""Parsing and chunking: structure kept, text never lost or doubled, sizes bounded, hostile input met in bounded time."""

import re
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]

from adapters import parsing
from adapters.parsing import chunk
from adapters.parsing.core.source import Bounds, DocumentSource
from adapters.text.language import estimate_tokens
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings

BOUNDS = Bounds.of(DocumentSettings())
INVISIBLE = re.compile(
    "[\x00-\x1f\x7f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)

WORDS = st.text(st.sampled_from("abc 。！.?，\n\n# |-*>`1好的数据库é"), max_size=400)
MARKS = (
    "# Top|## Sub one|### Deep||A sentence. Another one! e.g. this.|数据库。连接池！|- item|  more|```|code = 1|> quoted|Title|=====|1. one"
)
LINE = st.sampled_from([*MARKS.split("|"), "| a | b |", "|---|---|", "| 1 | 2 |", "x" * 300, "好" * 300, "word " * 90])
LINES = st.lists(LINE, max_size=40).map("\n".join)
TAG = st.sampled_from(
    "<p> </p> <b>bold</b> text数据。 <table><tr><td>a<td>b </table> <ul><li> &amp; < <h2>H</h2> <!-- <pre> </div>".split()
)


def parse(media_type, text):
    return parsing.parse(DocumentSource(text=text, media_type=media_type), BOUNDS)


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def checked(media_type, text, target=40, limit=64):
    parsed = parse(media_type, text)
    chunks = chunk(parsed, title="", target_tokens=target, max_tokens=limit, chunks_max=10_000)
    assert bare("".join(one.text[one.overlap :] for one in chunks)) == bare(parsed.text)
    assert [one.ordinal for one in chunks] == list(range(len(chunks)))
    for one in chunks:
        assert one.tokens == estimate_tokens(one.text) <= limit
        assert parsed.text[one.start : one.start + len(one.text)] == one.text == one.text.strip() != ""
    for before, after in zip(parsed.blocks, parsed.blocks[1:], strict=False):
        assert before.end <= after.start
        assert not parsed.text[before.end : after.start].strip()
    return parsed, chunks


def refusal(media_type, text, **sizes) -> str:
    """The code of the refusal, empty when there was none."""
    try:
        checked(media_type, text, **sizes)
    except Refused as refused:
        return refused.code
    return ""


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["text/plain", "text/markdown"]), st.one_of(WORDS, LINES, st.text(max_size=300)))
def test_nothing_is_lost_doubled_or_too_large(media_type, text):
    """Chunks are the parsed text, cut; and that is the whole document."""
    if not re.search(r"[^\W_]", text):
        assert refusal(media_type, text) == "document_empty"
    else:
        parsed, _ = checked(media_type, text)
        assert bare(INVISIBLE.sub("", text)) == bare(parsed.text)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from(
            ["<p>", "</p>", "<b>bold</b>", "text 数据。", "<table><tr><td>a<td>b", "</table>", "<ul><li>", "&amp;", "<", "<h2>H</h2>"]
        )
    )
)
def test_broken_html_gives_text_or_a_refusal(tags):
    """Whatever the tags do."""
    assert refusal("text/html", "".join(tags)) in ("", "document_empty", "document_unreadable")


@settings(max_examples=150, deadline=None)
@example(["<table><tr><td>a<td>b", "<th rowspan=2 colspan=3>", "<b>bold</b>", "<th rowspan=2 colspan=3>", "<b>bold</b>"])
@given(st.lists(TAG | st.sampled_from(["<details>", "<caption>", "<br>", "<pre>", "<th rowspan=2 colspan=3>", "x", "是", "</li>"])))
def test_no_word_of_a_page_is_lost(tags):
    """However tables, lists and stray text are nested."""
    page = "".join(tag for tag in tags if tag != "<!--")
    root = etree.HTML(page) if page.strip() else None
    said = "".join(root.itertext()) if root is not None else ""
    if re.search(r"\w", said):
        read = bare(parse("text/html", page).text)
        if "colspan" in page:  # a merged cell says its text in every column that it covers
            signs = iter(read)
            assert all(sign in signs for sign in bare(said))
            assert set(read) == set(bare(said))
        else:
            assert read == bare(said)


MARKDOWN = """---
Intro line before anything.

# Guide *to* [Claw](https://example.org)

First paragraph. It has two sentences.

## Install

- one
- two

  continued

```sh
# not a heading
make demo
```

Under **this** title
--------------------

| name | age |
|------|-----|
| 张三 | 30 |

> quoted
> twice
"""


def test_a_sentence_wrapped_in_markdown_is_one_line():
    """Soft breaks are joined as the language writes; hard ones, items, code and verses of plain text stay."""
    text = "A sentence that\nwas wrapped.\n\n中文的一句话\n换了行。\n\nhard  \nbreak\n\n- one\n  goes on\n- two\n\n```\na\nb\n```\n"
    joined = "A sentence that was wrapped.\n\n中文的一句话换了行。\n\nhard  \nbreak\n\n- one goes on\n- two\n\n```\na\nb\n```\n"
    assert parse("text/markdown", text).text == joined
    assert parse("text/plain", text).text == text


def test_markdown_structure():
    """Kinds, levels and heading paths; text is the source, word for word."""
    parsed = parse("text/markdown", MARKDOWN)
    assert [(block.kind, block.level) for block in parsed.blocks] == [
        ("paragraph", 0),
        ("heading", 1),
        ("paragraph", 0),
        ("heading", 2),
        ("list", 0),
        ("code", 0),
        ("heading", 2),
        ("table", 0),
        ("quote", 0),
    ]
    assert parsed.blocks[5].headings == ("Guide to Claw", "Install")
    assert parsed.blocks[7].headings == ("Guide to Claw", "Under this title")
    assert parsed.text.split() == MARKDOWN.split()


def test_html_structure_and_noise():
    """Headings by tag, rows as lines; scripts, styles and navigation stay out."""
    page = """<html><head><title>Page &amp; title</title><style>p{color:red}</style><script>var noise=1</script></head><body>
    <nav><a href="/">Home noise</a></nav><h1>指南</h1><p>第一步：打开应用。</p><h2>表</h2>
    <table><tr><th>姓名</th><th>年龄</th></tr><tr><td>张三</td><td>30</td></tr></table>
    <ul><li>first thing</li><li>second thing</li></ul><pre>code  line
    next</pre><script>var more_noise=2</script></body></html>"""
    parsed, chunks = checked("text/html", page)
    assert parsed.title == "Page & title"
    assert "noise" not in parsed.text
    assert "姓名\t年龄\n张三\t30" in parsed.text
    assert [block.kind for block in parsed.blocks] == ["heading", "paragraph", "heading", "table", "list", "list", "code"]
    assert chunks[0].headings == ("指南",)


@pytest.mark.parametrize("text", ["", " \n\t ", "---\n***", "\ufeff\x00", "？！。"])
@pytest.mark.parametrize("media_type", ["text/plain", "text/markdown", "text/html"])
def test_documents_without_words_are_empty(media_type, text):
    """Nothing to find: said so, not indexed."""
    with pytest.raises(Refused) as refused:
        parse(media_type, text)
    assert refused.value.code == "document_empty"


def test_unwanted_characters_go_and_the_rest_stays():
    """NULs, lone surrogates and byte order marks are not text; line ends become one kind."""
    assert parse("text/plain", "\ufeffa\x00b\ud800c\r\nd\re").text == "abc\nd\ne"


def test_what_is_invisible_neither_hides_nor_turns_text():
    """Zero-width characters inside a number, overrides of direction, hidden letters; joiners that letters need stay."""
    text = "付款\u202e给张三\u202c账户\u200b\u2060\ufeff123456\U000e0041 👩\u200d💻 می\u200cخواهم"
    assert parse("text/plain", text).text == "付款给张三账户123456 👩\u200d💻 می\u200cخواهم"


def test_the_flag_of_a_region_stays():
    """It is written with hidden letters, which are drawn as the flag."""
    flag = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
    assert parse("text/plain", f"{flag}队 3 分 \U0001f3f4\U000e0061").text == f"{flag}队 3 分 \U0001f3f4"


HOSTILE = {
    "one_line_of_words": ("text/plain", "word " * 160_000),
    "one_word": ("text/markdown", "x" * 800_000),
    "one_chinese_line": ("text/plain", "好" * 260_000),
    "hashes": ("text/markdown", "#" * 800_000),
    "headings_only": ("text/markdown", "# h\n" * 200_000),
    "pipes": ("text/markdown", "|-" * 400_000),
    "pipe_lines": ("text/markdown", "|-|-|\n" * 100_000),
    "fences": ("text/markdown", "```\n" * 200_000),
    "nested_lists": ("text/markdown", "".join(" " * (n % 400) + "- x\n" for n in range(4_000))),
    "brackets": ("text/markdown", "# " + "![[" * 200_000),
    "stars": ("text/markdown", "# " + "*" * 300_000),
    "closing_hashes": ("text/markdown", ("# " + " #" * 900 + "x\n") * 400),
    "links_in_headings": ("text/markdown", ("# " + "[" * 300 + "\n") * 2_500),
    "newlines": ("text/plain", "a" + "\n" * 800_000 + "b"),
    "spaces": ("text/plain", "a" + " " * 800_000 + "b"),
    "dots": ("text/plain", "." * 400_000 + "a" + "。" * 100_000),
    "deep_divs": ("text/html", "<div>" * 100_000 + "text" + "</div>" * 100_000),
    "deep_bold": ("text/html", "<b>" * 100_000 + "text"),
    "deep_lists": ("text/html", "<ul><li>" * 5_000 + "text"),
    "open_tags": ("text/html", "<" * 400_000 + "text"),
    "open_scripts": ("text/html", "<script" * 50_000 + ">text"),
    "comment_lines": ("text/html", "<p>x</p>" + "<!-- <script> " * 50_000),
    "comments": ("text/html", "<!--" * 100_000 + "text"),
    "entities": ("text/html", "<p>" + "&amp;" * 100_000 + "text"),
    "paragraphs": ("text/html", "<p>ab</p>" * 50_000),
    "wide_cells": ("text/html", "<table>" + "<tr><td rowspan=9999 colspan=9999>x<td>y" * 20_000),
    "tables_in_tables": ("text/html", "<table><tr><td>x" * 80 + "<table><tr><td>a<td>b" * 2_000),
    "rows": ("text/html", "<table>" + "<tr><td>a<td>b" * 60_000),
    "line_breaks": ("text/html", "<p>x" + "<br>" * 200_000 + "text"),
    "inline_tags": ("text/html", "<pre>" + "<b>x</b>" * 100_000),
    "attributes": ("text/html", "<p " + "a=1 " * 100_000 + ">text"),
}


ENDS = ("", "document_empty", "document_unreadable", "document_too_complex", "document_too_large")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_take_bounded_time(name):
    """Text or a refusal, and never seconds for what an event can carry."""
    media_type, text = HOSTILE[name]
    started = time.process_time()
    assert refusal(media_type, text, target=320, limit=480) in ENDS
    assert time.process_time() - started < 8
