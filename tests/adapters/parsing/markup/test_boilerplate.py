"""Pages of whole sites lose what is the site's; pages of nobody's site lose nothing."""

import pytest

from adapters.parsing.core.source import Bounds
from adapters.parsing.markup.html import parse_page
from schemas.settings import DocumentSettings

BOUNDS = Bounds.of(DocumentSettings())

ENCYCLOPEDIA = """<html><head><title>Brent Mill</title></head><body>
<a class="mw-jump-link" href="#c">Jump to content</a>
<header class="mw-header"><a href="/">Main page</a> <a href="/r">Random article</a></header>
<nav><ul><li><a href="/a">Contents</a></li><li><a href="/b">Current events</a></li></ul></nav>
<main><h1>Brent Mill</h1>
<ul class="menu"><li><a hreflang="de" href="x">Deutsch</a></li><li><a hreflang="fr" href="y">Français</a></li>
<li><a hreflang="zh" href="z">中文</a></li></ul>
<p>Brent Mill is a tide mill.<sup class="reference"><a href="#n1">[1]</a></sup> It was built in 1790.<sup class="reference">[2]</sup></p>
<div class="mw-heading"><h2>History</h2><span class="mw-editsection">[<a href="e">edit</a>]</span></div>
<p>The wheel broke in 1840. <a href="m">Millers</a> repaired it.</p>
<h2>Notes</h2><p>The mill is closed in January; ring twice.</p>
<div class="mw-heading"><h2>References</h2></div>
<ol class="references"><li>Smith, A. (1990). <a href="u">The tide mills</a>.</li></ol>
<h2>External links</h2><ul><li><a href="v">Official website of the mill</a></li></ul>
<table class="navbox"><tr><td><a href="q">Mills of the county</a></td></tr></table>
<div id="catlinks" class="catlinks"><a href="k">Tide mills</a></div></main>
<footer>Text is available under a licence. <a href="p">Privacy policy</a></footer></body></html>"""

COMPANY = """<html><body><div class="navbar"><a href="/">首页</a><a href="/p">产品</a><a href="/c">联系</a></div>
<header><h1>水泵使用说明</h1><a href="/">返回</a></header>
<div class="breadcrumb"><a href="/">首页</a> / 水泵</div>
<article><p>水泵每年保养一次。</p><footer>作者：工程部</footer>
<aside>警告：保养前先断电。</aside></article>
<div class="menu"><p>今日菜单：红烧豆腐、青菜。</p></div>
<aside><a href="1">相关文章一</a><a href="2">相关文章二</a></aside>
<div class="cookie-consent">本站使用饼干。</div>
<footer>版权所有 某某公司</footer></body></html>"""

PLAIN = """<html><body><div class="menu"><a href="a">Soup</a> <a href="b">Bread</a></div><h2>References</h2>
<ul><li><a href="c">Letter of Mrs. Hale</a></li></ul><div class="footer"><a href="d">Page 3</a></div></body></html>"""


@pytest.mark.parametrize(
    ("page", "said", "unsaid"),
    [
        (
            ENCYCLOPEDIA,
            ["Brent Mill is a tide mill. It was built in 1790.", "History", "Millers repaired it.", "ring twice"],
            [
                "Jump to",
                "Random",
                "Current events",
                "Deutsch",
                "中文",
                "[1]",
                "[2]",
                "edit",
                "Smith",
                "Official",
                "county",
                "Privacy",
                "Tide mills",
            ],
        ),
        (COMPANY, ["水泵使用说明", "每年保养一次", "作者：工程部", "先断电", "红烧豆腐"], ["产品", "首页", "相关文章", "饼干", "版权"]),
        (PLAIN, ["Soup", "Bread", "Letter of Mrs. Hale", "Page 3"], []),
        ("<nav><a href='a'>Only links</a></nav><footer>and a footer</footer>", ["Only links", "and a footer"], []),
    ],
    ids=["encyclopedia", "company", "no site", "nothing else"],
)
def test_what_stays_of_a_page(page: str, said: list[str], unsaid: list[str]) -> None:
    text = parse_page(page, BOUNDS).text
    assert [each for each in said if each not in text] == []
    assert [each for each in unsaid if each in text] == []


def test_text_behind_an_element_stays() -> None:
    page = "<main><p>before<nav><a href='a'>link</a></nav>behind</p><nav>x</nav>last</main>"
    text = parse_page(page, BOUNDS).text
    assert "before" in text
    assert "behind" in text
    assert "last" in text
