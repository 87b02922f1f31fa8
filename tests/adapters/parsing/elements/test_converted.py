"""EPUB, ODT, RTF, reStructuredText and Org: structure kept, nothing lost, no file of the machine let in, bombs stopped by name."""

import contextlib

import pytest
from msgspec.structs import replace

from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.dispatch import parse_entry
from benchmarks.parser_samples import convert_markdown
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.open_documents import open_document, text_document
from tests.support.zip_crypto import zipped

BOUNDS = Bounds.of(DocumentSettings())
FORMATS = {"epub": "epub3", "odt": "odt", "rtf": "rtf", "rst": "rst", "org": "org"}


def read(data, filename, bounds=BOUNDS):
    return parse_entry(Entry(data=data, bounds=bounds, filename=filename))


def kinds(parsed):
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


@pytest.mark.parametrize("kind", FORMATS)
def test_structure(kind):
    """Title, headings with their paths, table, list, definition, code, quote and footnote of one handbook."""
    parsed = read(convert_markdown(FORMATS[kind]), f"handbook.{kind}")
    assert parsed.title == ("" if kind == "rtf" else "值班手册")  # pandoc writes the title of an RTF file as a paragraph
    assert parsed.notes == ()
    found = kinds(parsed)
    assert ("heading", "供水") in found
    assert ("table", "Level\tResponse\nred\t15 min\n黄色\t2 小时") in found
    assert [text for block, text in found if block == "list"][:2] == ["check the valve", "记录压力"]
    table = next(block for block in parsed.blocks if block.kind == "table")
    assert table.headings[-2:] == ("供水", "Alarm levels")
    for value in (
        "值班手册",
        "泵房的备用电话是6620。",
        "Reserve pump",
        "定义里的型号是PPR-9087",
        "pump --start 3",
        "引用的规定第八条",
        "FN-204",
        "张三",
    ):
        assert value in parsed.text


def test_titles_and_fields_of_a_text_are_not_lost():
    """A title, an author and other fields are metadata to pandoc, and text to people."""
    rst = "手册标题\n========\n\n:Author: 张三\n:Version: 2.1\n\n第一节\n------\n\n正文 words.\n"
    parsed = read(rst.encode("gb18030"), "a.rst")
    assert parsed.title == "手册标题"
    assert kinds(parsed)[0] == ("heading", "手册标题")
    assert "Version: 2.1" in parsed.text or "version: 2.1" in parsed.text
    assert parsed.blocks[-1].headings == ("手册标题", "第一节")
    assert read(rb"{\rtf1{\info{\title Manual}{\author Li}}words\par}", "a.rtf").title == "Manual"
    org = "#+TITLE: 手册标题\n#+DATE: 2026-03-01\n\n* 第一节\n正文 words.\n"
    parsed = read(org.encode(), "a.org")
    assert (parsed.title, parsed.blocks[-1].headings) == ("手册标题", ("手册标题", "第一节"))
    assert "2026-03-01" in parsed.text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.rst", "words\n\n.. include:: {path}\n"),
        ("a.rst", "words\n\n.. include:: {path}\n   :literal:\n"),
        ("a.rst", "words\n\n.. csv-table:: t\n   :file: {path}\n"),
        ("a.rst", "words\n\n.. raw:: html\n   :file: {path}\n"),
        ("a.org", 'words\n\n#+INCLUDE: "{path}" src text\n'),
    ],
)
def test_no_file_is_included(name, text, tmp_path):
    """Whatever a directive names."""
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden,value\n")
    with contextlib.suppress(Refused):
        assert "hidden" not in read(text.format(path=secret).encode(), name).text


CODEPAGES = {
    "936": "备用电话是6620。",
    "950": "備用電話是6620。",
    "932": "予備の電話は6620。",
    "949": "예비 전화는 6620.",
    "1251": "Телефон 6620.",
    "1252": "Téléphone 6620.",
}


@pytest.mark.parametrize("page", CODEPAGES)
def test_code_pages_of_rtf(page):
    """Characters as bytes of the code page of the document or of the font, as numbers with their replacements, or plain."""
    said = CODEPAGES[page]
    charset = {"936": 134, "950": 136, "932": 128, "949": 129, "1251": 204, "1252": 0}[page]
    escaped = "".join(f"\\'{byte:02x}" if byte > 127 or byte in b"\\{}" else chr(byte) for byte in said.encode(f"cp{page}"))
    numbers = "".join(f"\\u{ord(one) if ord(one) < 32768 else ord(one) - 65536}?" if ord(one) > 127 else one for one in said)
    fonts = f"{{\\fonttbl{{\\f0\\fnil\\fcharset0 Arial;}}{{\\f1\\fnil\\fcharset{charset} Any;}}}}"
    for body in (f"\\f1 {escaped}", f"\\f1\\b {escaped}\\b0", f"\\f0\\uc1 {numbers}"):
        for declared in (page, "1252"):
            assert read(f"{{\\rtf1\\ansi\\ansicpg{declared}\\deff0{fonts}\\pard {body}\\par}}".encode(), "a.rtf").text == said
    twice = "".join(f"\\u{ord(one)}\\'{one.encode('cp936')[0]:02x}\\'{one.encode('cp936')[1]:02x}" for one in "备用")
    assert read(f"{{\\rtf1\\ansi\\ansicpg936\\uc2 {twice}\\par}}".encode(), "a.rtf").text == "备用"


def test_fields_of_rtf_are_text():
    """What a field shows is said, its code is not."""
    link = r'{\field{\*\fldinst HYPERLINK "https://x.org"}{\fldrslt here}}'
    rtf = r"{\rtf1 Page {\field{\*\fldinst MERGEFIELD code}{\fldrslt A-12}} of " + link + r".\par}"
    assert read(rtf.encode(), "a.rtf").text == "Page A-12 of here."


def test_characters_that_no_tree_takes():
    """A list whose template counts its levels writes them by number."""
    assert read(rb"{\rtf1\ansi Level \u1?one\u8?\par\par Next}", "x.rtf").text == "Level one\n\nNext"


def test_bombs_are_stopped_by_name():
    """By what comes out of them, before pandoc sees it."""
    body = text_document("<text:p>" + "重复" * 3_000_000 + "</text:p>")
    with pytest.raises(Refused, match="CLAW_DOCUMENT_ARCHIVE_RATIO_MAX"):
        read(open_document(body), "a.odt")
    epub = {"mimetype": "application/epub+zip", "META-INF/container.xml": "<x/>", "a.xhtml": b"a" * 20_000_000}
    with pytest.raises(Refused, match="CLAW_DOCUMENT_ARCHIVE_RATIO_MAX"):
        read(zipped(epub), "a.epub")
    many = {"mimetype": "application/epub+zip"} | {f"{n}.xhtml": b"" for n in range(6_000)}
    with pytest.raises(Refused, match="CLAW_DOCUMENT_ARCHIVE_ENTRIES_MAX"):
        read(zipped(many), "a.epub")
    with pytest.raises(Refused, match="CLAW_DOCUMENT_TEXT_CHARS_MAX"):
        read(("word " * 10_000).encode(), "a.rst", replace(BOUNDS, chars_max=1_000))


def test_entities_name_nothing():
    """Neither a file nor a billion of laughs."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    doctype = f'<!DOCTYPE d [<!ENTITY l0 "lol">{laughs}<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    with contextlib.suppress(Refused):
        parsed = read(open_document(text_document("<text:p>words &l9; &x;</text:p>", doctype)), "a.odt")
        assert "root:" not in parsed.text
        assert len(parsed.text) < 1_000


@pytest.mark.parametrize("name", ["a.odt", "a.epub"])
def test_a_broken_package_is_named(name):
    """Cut off, or with a part that is no XML."""
    whole = convert_markdown(FORMATS[name.partition(".")[2]])
    for data in (whole[: len(whole) // 2], open_document("<no xml") if name == "a.odt" else whole[:-40]):
        with pytest.raises(Refused) as refused:
            read(data, name)
        assert refused.value.code == "document_unreadable"


def test_inside_archives():
    """A book in a ZIP is read like a book alone, and knows its file."""
    parsed = read(zipped({"书/手册.odt": convert_markdown("odt")}), "all.zip")
    assert {block.place.part for block in parsed.blocks} == {"书/手册.odt"}
    assert ("heading", "供水") in kinds(parsed)
