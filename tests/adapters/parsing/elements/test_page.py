"""Pages that unstructured partitions: whatever tags pandoc writes, no word is lost, and structure stays."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.source import Bounds
from adapters.parsing.elements.page import add_page
from schemas.settings.documents import DocumentSettings

BOUNDS = Bounds.of(DocumentSettings())
BLOCKS = st.sampled_from(
    "p div h2 h3 li ul ol dl dt dd blockquote pre section aside figure figcaption details summary form nav main td caption".split()
)
INLINES = st.sampled_from("em strong code span sub sup a del ins label u mark unknown".split())
TEXT = st.sampled_from(["word", "值", "7", "two words", "a@b.org", "38.50", "- dash", "1. one"])


def read(body):
    assembly = Assembly(BOUNDS.chars_max)
    add_page(assembly, body, BOUNDS)
    return assembly.build()


def kinds(body):
    parsed = read(body)
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


def bare(text):
    return re.sub(r"[\s•-]", "", text)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<p>5</p>", [("paragraph", "5")]),
        ("<h2>供水 <em>B</em></h2><p>x</p>", [("heading", "供水 B"), ("paragraph", "x")]),
        ("<dl><dt>T</dt><dd>first</dd><dd>9</dd></dl>", [("paragraph", "T"), ("list", "first"), ("list", "9")]),
        ("<figure><img src='a.png' alt='a'/><figcaption>图 9</figcaption></figure>", [("paragraph", "图 9")]),
        ("<p>电话：6620<br />地址：海边</p>", [("paragraph", "电话：6620\n地址：海边")]),
        ("<pre><code>a\n  b\n</code></pre>", [("code", "a\n  b")]),
        ("<p>said.<a href='#fn1' class='footnote-ref'><sup>1</sup></a> On.</p>", [("paragraph", "said. On.")]),
        (
            "<table><caption>Cap</caption><tr><th>a</th><th>b</th></tr><tr><td rowspan=2>m</td><td>x</td></tr><tr><td>y</td></tr></table>",
            [("paragraph", "Cap"), ("table", "a\tb\nm\tx\nm\ty")],
        ),
    ],
)
def test_structure(body, found):
    assert kinds(body) == found


@settings(max_examples=150, deadline=None)
@given(st.recursive(TEXT, lambda inner: st.tuples(BLOCKS | INLINES, st.lists(inner, min_size=1, max_size=3)), max_leaves=12))
def test_no_word_is_lost(tree):
    """However blocks and inlines are nested, well or badly."""

    def write(node):
        return node if isinstance(node, str) else f"<{node[0]}>{' '.join(map(write, node[1]))}</{node[0]}>"

    page = f"<div>{write(tree)}</div>"
    said = "".join(etree.HTML(page).itertext())
    assert sorted(bare(read(page).text)) == sorted(bare(said))
