"""Outlook messages: header lines, body, attachments and messages in messages, in whatever code page, and broken containers."""

import contextlib
import struct

import compressed_rtf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.parsing.containers.outlook import unpack_rich_text
from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.dispatch import parse_entry
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.ole2_files import BODY, CC, SENDER_ADDRESS, SENDER_NAME, SUBJECT, TO, message_tree, outlook_message

BOUNDS = Bounds.of(DocumentSettings())
TEXTS = {
    SUBJECT: "平台上线安排",
    SENDER_NAME: "运维组",
    SENDER_ADDRESS: "ops@example.com",
    TO: "全体同事",
    CC: "boss@example.com",
    BODY: "请在本周五之前确认容量规划。\r\n\r\n值班电话：6620\r\n",
}


def read(data, bounds=BOUNDS):
    return parse_entry(Entry(data=data, bounds=bounds, filename="mail.msg"))


def kinds(parsed):
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


def test_headers_body_and_attachment():
    """As mail: the subject is title and heading, an attachment is a file of its own name."""
    parsed = read(outlook_message(TEXTS, {"联系人.csv": "部门,联系人\n研发部,李雷\n".encode("gb18030")}))
    assert (parsed.title, parsed.media_type, parsed.notes) == ("平台上线安排", "application/vnd.ms-outlook", ())
    assert kinds(parsed) == [
        ("heading", "平台上线安排"),
        ("paragraph", "From: 运维组 <ops@example.com>\nTo: 全体同事\nCc: boss@example.com\nDate: 2024-12-30 02:40 UTC"),
        ("paragraph", "请在本周五之前确认容量规划。"),
        ("paragraph", "值班电话：6620"),
        ("table", "部门\t联系人\n研发部\t李雷"),
    ]
    assert str(parsed.blocks[-1].place) == "联系人.csv > A1:B2"


def test_a_page_goes_before_its_plain_text():
    """With its tables; a page without words is none."""
    page = '<html><meta charset="gbk"><h2>报价</h2><table><tr><td>型号<td>单价<tr><td>A-12<td>38</table>'.encode("gbk")
    assert kinds(read(outlook_message(TEXTS, html=page)))[2:] == [("heading", "报价"), ("table", "型号\t单价\nA-12\t38")]
    assert "值班电话" in read(outlook_message(TEXTS, html=b"<html><p> </p></html>")).text


RICH = (
    rb"{\rtf1\ansi\ansicpg936\fromhtml1{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 \'b1\'b8\'d3\'c3\'b5\'e7\'bb\'b0\'a3\'ba6620"
    rb"\htmlrtf }\htmlrtf0 {\*\htmltag </p>}}"
)


@pytest.mark.parametrize("kind", [b"LZFu", b"MELA"])
def test_a_body_that_is_only_rich_text(kind):
    """Packed or stored; what is HTML inside it is no text. A plain text goes before it."""
    packed = compressed_rtf.compress(RICH, compressed=kind == b"LZFu")
    assert packed[8:12] == kind
    data = outlook_message({SUBJECT: "通知"}, rich=packed)
    assert kinds(read(data))[-1] == ("paragraph", "备用电话：6620")
    assert "6620" in read(outlook_message({SUBJECT: "通知"}, rich=packed[:12] + b"\1\2\3\4" + packed[16:])).text or kind == b"MELA"
    assert "值班电话" in read(outlook_message(TEXTS, rich=packed)).text


@pytest.mark.parametrize("rich", [b"", b"LZFu", bytes(40), struct.pack("<LL4sL", 20, 99, b"LZFu", 0) + bytes(7)])
def test_rich_text_that_is_broken(rich):
    """The message stays, with a note when there was something."""
    parsed = read(outlook_message({SUBJECT: "通知"}, rich=rich))
    assert parsed.title == "通知"


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_rich_text_of_any_bytes_is_unpacked_or_refused(content):
    with contextlib.suppress(Refused):
        unpack_rich_text(struct.pack("<LL4sL", len(content) + 12, 99, b"LZFu", 0) + content)


@pytest.mark.parametrize("label", [0, 1252])
def test_code_pages(label):
    """Texts in an 8-bit code page, also when its label lies."""
    data = outlook_message(TEXTS, codepage=936)
    if label:  # the property is the last but for those sorted behind it: 936 as a number
        data = data.replace((936).to_bytes(8, "little"), label.to_bytes(8, "little"))
    parsed = read(data)
    assert parsed.title == "平台上线安排"
    assert "值班电话：6620" in parsed.text


def test_messages_in_messages():
    """Read in place, each one level deeper; as many levels as an archive may have."""

    def nest(levels):
        inner = message_tree({SUBJECT: "最里面", BODY: "底"}, {"a.txt": b"words"}, embedded=True)
        for _ in range(levels - 1):
            inner = message_tree({SUBJECT: "转发"}, {"inner": inner}, embedded=True)
        return outlook_message({SUBJECT: "外面"}, {"inner": inner})

    parsed = read(nest(1))
    assert str(parsed.blocks[-1].place) == "inner > a.txt"
    assert "底" in parsed.text
    deep = read(nest(4))
    assert "底" not in deep.text
    assert "CLAW_DOCUMENT_ARCHIVE_DEPTH_MAX" in deep.notes[0].detail


def test_attachments_are_counted_and_noted():
    """One that cannot be read is named; too many refuse the whole."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(9)
    parsed = read(outlook_message(TEXTS, {"图.png": picture}))
    assert parsed.notes[0].detail.startswith("图.png: ")
    with pytest.raises(Refused, match="CLAW_DOCUMENT_ARCHIVE_ENTRIES_MAX"):
        read(outlook_message(TEXTS, {f"{n}.txt": b"words" for n in range(9)}), replace(BOUNDS, archive_entries_max=8))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_broken_containers_are_text_or_a_refusal(data):
    """Whatever bytes are wrong."""
    container = bytearray(outlook_message(TEXTS, {"a.csv": b"a,b\n1,2\n", "inner": message_tree({SUBJECT: "x"}, {}, embedded=True)}))
    for at in data.draw(st.lists(st.integers(8, len(container) - 1), min_size=1, max_size=8)):
        container[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Refused):
        assert read(bytes(container)).text
