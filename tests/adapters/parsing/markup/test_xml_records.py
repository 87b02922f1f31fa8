"""XML of any vocabulary: records, values, prose; what is hostile is refused by name."""

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.dispatch import parse_entry
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings

BOUNDS = Bounds.of(DocumentSettings())


def read(text, bounds=BOUNDS, **more):
    return parse_entry(Entry(data=text if isinstance(text, bytes) else text.encode(), bounds=bounds, filename="data.xml", **more))


def kinds(parsed):
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


def test_records_are_rows():
    """Attributes and elements are columns; a value that is missing leaves its cell empty."""
    text = """<?xml version="1.0"?><catalog><title>秋季目录</title>
    <product sku="PPR-9087"><name>阀门</name><price currency="CNY">38.50</price></product>
    <product sku="PPR-9088"><name>弯头</name><price currency="CNY">4.20</price><stock>17</stock></product></catalog>"""
    parsed = read(text)
    assert parsed.title == "秋季目录"
    assert kinds(parsed) == [
        ("heading", "秋季目录"),
        ("table", "sku\tname\tprice\tprice currency\tstock\nPPR-9087\t阀门\t38.50\tCNY\nPPR-9088\t弯头\t4.20\tCNY\t17"),
    ]
    assert parsed.media_type == "application/xml"


def test_single_values_keep_their_names():
    """With their attributes, under the title of what holds them."""
    text = '<config version="3"><server><name>网关</name><host>10.0.0.8</host><timeout unit="s">30</timeout></server></config>'
    assert kinds(read(text)) == [
        ("paragraph", "version: 3"),
        ("heading", "网关"),
        ("paragraph", "host: 10.0.0.8\ntimeout: 30 (unit: s)"),
    ]


def test_prose_stays_prose():
    """Text around inner tags is one paragraph, and nothing behind a tag is lost."""
    paragraphs = "<para>保修期为<b>两年</b>，自签收之日起。</para><para>电池 <i>除外</i>.</para>"
    text = f"<article><section><title>保修</title>{paragraphs}</section></article>"
    assert kinds(read(text)) == [("heading", "保修"), ("paragraph", "保修期为两年，自签收之日起。"), ("paragraph", "电池 除外.")]


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "gb18030"])
def test_encodings(codec):
    """As declared, or as the bytes say."""
    text = f'<?xml version="1.0" encoding="{codec}"?><a><部门>研发部</部门><联系人>李雷</联系人></a>'
    assert read(text.encode(codec)).text == "部门: 研发部\n联系人: 李雷"


def test_entities_are_not_expanded():
    """Neither a file nor a billion of laughs comes in by one."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<!DOCTYPE d [<!ENTITY l0 "lol">{laughs}<!ENTITY x SYSTEM "file:///etc/passwd">]><d><a>words</a><b>&l9;</b><c>&x;</c></d>'
    started = time.process_time()
    with contextlib.suppress(Refused):
        parsed = read(text)
        assert "root:" not in parsed.text
        assert len(parsed.text) < 1_000
    assert time.process_time() - started < 2


def test_limits_are_named():
    """Of cells, of depth, of what is no XML at all."""
    rows = "<r>" + "<i><a>1</a><b>2</b></i>" * 100 + "</r>"
    with pytest.raises(Refused, match="CLAW_DOCUMENT_CELLS_MAX"):
        read(rows, replace(BOUNDS, cells_max=100))
    with pytest.raises(Refused) as deep:
        read("<a>" * 50_000 + "x" + "</a>" * 50_000)
    assert deep.value.code in ("document_unreadable", "document_too_complex")
    with pytest.raises(Refused) as broken:
        read("<a><b>words</a>")
    assert broken.value.code == "document_unreadable"


NAMES = st.sampled_from(["a", "b", "title", "项"])


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.sampled_from(["x1", "值2", ""]).map(lambda text: (text, [], "")),
        lambda inner: st.tuples(
            st.sampled_from(["", "t3", "文4"]), st.lists(st.tuples(NAMES, inner), max_size=4), st.sampled_from(["", "k5"])
        ),
        max_leaves=12,
    )
)
def test_no_value_is_lost(tree):
    """Whatever the shape: every text and every attribute comes out."""
    said: list[str] = []

    def write(name, node):
        text, children, attribute = node
        said.extend(word for word in (text, attribute) if word)
        inside = "".join(write(child, content) for child, content in children)
        return f'<{name} k="{attribute}">{text}{inside}</{name}>' if attribute else f"<{name}>{text}{inside}</{name}>"

    page = write("root", tree)
    if not said:
        return
    found = read(page).text
    for word in set(said):
        assert found.count(word) >= said.count(word) if word != "k5" else word in found or _is_inside_prose(tree)


def _is_inside_prose(node):
    """Attributes of tags inside prose are about its looks."""
    text, children, _ = node
    return bool(text and children) or any(_is_inside_prose(child) for _, child in children)
