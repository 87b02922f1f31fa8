"""Fetched pages: what a reader would read, with its structure; all of it where there is little."""

from pathlib import Path

import pytest

from adapters.parsing import parse
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.source import Bounds, DocumentSource
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings

BOUNDS = Bounds.of(DocumentSettings())
LONG = "Everybody has 25 days of leave per year, which must be taken before the end of March of the year that follows. " * 2
ARTICLE = f"""<html><head><title>Leave rules</title><script>var tracking = 1</script></head><body>
<nav><ul><li><a href="/">Home page</a></li><li><a href="/x">Other pages</a></li></ul></nav>
<article><h1>Leave rules</h1><p>{LONG}</p><h2>Carry over</h2><p>Up to <b>five</b> days may be carried over,<br>with consent.</p>
<ul><li>Ask early</li><li>Ask in writing<ul><li>by mail</li></ul></li></ul>
<table><tr><th>Grade</th><th>Days</th></tr><tr><td>A</td><td>25</td></tr><tr><td>B</td><td>28</td></tr></table>
<pre><code>def days():
    return 25</code></pre><blockquote><p>Rest is work.</p></blockquote><p>年假为二十五天，需提前申请。</p></article>
<footer>Copyright ACME 2026. All rights reserved. Imprint and privacy.</footer></body></html>"""


def read(tmp_path: Path, page: str | bytes, **source: str) -> ParsedText:
    path = tmp_path / "page"
    path.write_bytes(page if isinstance(page, bytes) else page.encode())
    return parse(DocumentSource(path=str(path), media_type="text/html", url="https://example.com/leave", **source), BOUNDS)


def test_article(tmp_path: Path):
    """Headings, lists, tables by row, code and quotes; nothing of what stands around it."""
    parsed = read(tmp_path, ARTICLE)
    assert parsed.title == "Leave rules"
    assert parsed.media_type == "text/html"
    blocks = [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]
    assert ("heading", "Leave rules") in blocks
    assert ("table", "Grade\tDays\nA\t25\nB\t28") in blocks
    assert [text for kind, text in blocks if kind == "list"] == ["Ask early", "Ask in writing", "by mail"]
    assert ("code", "def days():\n    return 25") in blocks
    assert ("paragraph", "Rest is work.") in blocks
    assert ("paragraph", "年假为二十五天，需提前申请。") in blocks
    assert "Up to five days may be carried over,\nwith consent." in parsed.text
    assert next(block for block in parsed.blocks if block.kind == "table").headings == ("Leave rules", "Carry over")
    for around in ("Home page", "Other pages", "Imprint", "tracking"):
        assert around not in parsed.text


def test_little_is_taken_whole(tmp_path: Path):
    parsed = read(tmp_path, "<html><head><title>Note</title></head><body><div>The office is closed.</div></body></html>")
    assert "The office is closed." in parsed.text
    assert parsed.title == "Note"


def test_encoding(tmp_path: Path):
    """As the server said, or the page itself."""
    page = ARTICLE.replace("Leave rules", "休假规定").encode("gb18030")
    assert read(tmp_path, page, charset="gbk").title == "休假规定"


@pytest.mark.parametrize("page", ["<html><body></body></html>", "<html><script>x</script></html>"])
def test_nothing(tmp_path: Path, page: str):
    with pytest.raises(Refused) as refused:
        read(tmp_path, page)
    assert refused.value.code in ("document_empty", "document_unreadable")


@pytest.mark.parametrize(
    "page",
    ["<div>" * 200 + "words", "<p>" + "<b>words " * 200, "<table>" + "<tr><td>words" * 2_000, "words" * 20_000, "<a <b <c <p>words"],
)
def test_odd_pages(tmp_path: Path, page: str):
    assert "words" in read(tmp_path, page).text


def test_too_deep_is_refused(tmp_path: Path):
    with pytest.raises(Refused) as refused:
        read(tmp_path, "<div>" * 3_000 + "words")
    assert refused.value.code == "document_unreadable"
