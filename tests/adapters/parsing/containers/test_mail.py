"""Mail: headers and bodies in whatever encoding, both sides of an alternative, attachments, and messages made to hurt."""

import base64
import time
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.dispatch import parse_entry
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.zip_crypto import zipped

BOUNDS = Bounds.of(DocumentSettings())
CHINESE = "请在本周五之前确认第三季度的容量规划。附件是各部门的联系人名单。"


def read(data, bounds=BOUNDS):
    return parse_entry(Entry(data=data, bounds=bounds, filename="mail.eml"))


def kinds(parsed):
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


def test_headers_body_and_attachment():
    """The subject is title and heading; an attachment is a file of its own name."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"], message["Cc"] = (
        "平台上线安排",
        "运维组 <ops@example.com>",
        "all@example.com",
        "boss@example.com",
    )
    message["Date"] = "Mon, 06 Jan 2025 09:30:00 +0800"
    message.set_content(CHINESE)
    message.add_attachment("部门,联系人\n研发部,李雷\n".encode("gb18030"), maintype="text", subtype="csv", filename="联系人.csv")
    parsed = read(message.as_bytes())
    assert parsed.title == "平台上线安排"
    assert kinds(parsed) == [
        ("heading", "平台上线安排"),
        ("paragraph", "From: 运维组 <ops@example.com>\nTo: all@example.com\nCc: boss@example.com\nDate: Mon, 06 Jan 2025 09:30:00 +0800"),
        ("paragraph", CHINESE),
        ("table", "部门\t联系人\n研发部\t李雷"),
    ]
    assert str(parsed.blocks[-1].place) == "联系人.csv > A1:B2"
    assert parsed.blocks[2].headings == ("平台上线安排",)
    assert parsed.blocks[3].headings == ()


@pytest.mark.parametrize("label", ["gb2312", "gb18030", "utf-8", "iso-8859-1", "us-ascii", "x-unknown", ""])
@pytest.mark.parametrize("transport", ["base64", "quoted-printable", "8bit", "BASE64 "])
def test_labels_lie(label, transport):
    """The body is GB18030 whatever is said of it."""
    raw = (CHINESE * 2).encode("gb18030")
    if "64" in transport:
        raw = base64.encodebytes(raw)
    elif transport[0] == "q":
        raw = b"".join(b"=%02X" % byte for byte in raw)
    head = (
        f'Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset="{label}"\r\nContent-Transfer-Encoding: {transport}\r\n\r\n'
    )
    assert CHINESE * 2 in read(head.encode() + raw).text.replace("\n", "")


@pytest.mark.parametrize("codec", ["utf-8", "gb18030", "big5hkscs"])
def test_raw_headers(codec):
    """Mailers that never heard of encoded words."""
    subject = "平台上線安排及聯絡方式"
    data = f"Subject: {subject}\r\nFrom: a@example.com\r\nMIME-Version: 1.0\r\n\r\nbody".encode(codec)
    assert read(data).title == subject


@pytest.mark.parametrize(
    "parameter",
    [
        "filename*=gb18030''%C1%AA%CF%B5%C8%CB.csv",
        "filename*0*=utf-8''%E8%81%94%E7%B3%BB; filename*1*=%E4%BA%BA.csv",
        'filename="=?GB2312?B?warPtcjL?=.csv"',
        'filename="联系人.csv"',
    ],
)
def test_names_of_attachments(parameter):
    """In all the ways that are in use, and one that is wrong."""
    head = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
    assert (
        str(read(f"{head}Content-Disposition: attachment; {parameter}\r\n\r\na,b\r\n1,2\r\n".encode()).blocks[-1].place)
        == "联系人.csv > A1:B2"
    )


def test_both_sides_of_an_alternative():
    """The plain text, and of the page only what the plain text does not say."""
    message = EmailMessage()
    message["Subject"] = "Two sides"
    message.set_content("Common words here.\n\nOnly in plain.\n")
    message.add_alternative(
        "<p>Common <b>words</b> here.</p><p>Only on the page.</p><table><tr><td>a</td><td>b</td></tr></table>", subtype="html"
    )
    assert [text for _, text in kinds(read(message.as_bytes()))] == [
        "Two sides",
        "Common words here.",
        "Only in plain.",
        "Only on the page.",
        "a\tb",
    ]


def test_a_page_alone_keeps_its_structure():
    """Headings of the body stand below the subject."""
    message = EmailMessage()
    message["Subject"] = "News"
    message.set_content("<h1>First</h1><p>Words.</p>", subtype="html")
    assert read(message.as_bytes()).blocks[-1].headings == ("News", "First")


def test_what_cannot_be_read_is_noted():
    """A picture and an encrypted file, by name; signatures are no content."""
    message = EmailMessage()
    message["Subject"] = "Mixed"
    message.set_content("Words.")
    message.add_attachment(b"8BPS\0\1" + bytes(9), maintype="image", subtype="x-psd", filename="logo.psd")
    message.add_attachment(zipped({"in.txt": "inside"}), maintype="application", subtype="zip", filename="a.zip")
    message.add_attachment(b"-----BEGIN PGP SIGNATURE-----", maintype="application", subtype="pgp-signature")
    parsed = read(message.as_bytes())
    assert [note.detail for note in parsed.notes] == ["logo.psd: the file looks like a Photoshop image"]
    assert str(parsed.blocks[-1].place) == "a.zip > in.txt"


def test_flowed_lines_are_sentences_again():
    """As many programs send them: a space at the end of a line says that it goes on."""
    body = "The hall closes at \nsix on Fridays.\nNew line.\n> Who has \n> the key?\n>> Me.\n-- \nAnn \nDesk 4\n"
    flowed = read(f"Subject: a\nContent-Type: text/plain; charset=utf-8; format=flowed\n\n{body}".encode())
    assert flowed.text.split("\n", 2)[2] == "The hall closes at six on Fridays.\nNew line.\n> Who has the key?\n>> Me.\n-- \nAnn Desk 4"
    packed = read("Subject: a\nContent-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\n\n会议改到 \n周五。\n".encode())
    assert packed.text.endswith("会议改到周五。")
    fixed = read(f"Subject: a\nContent-Type: text/plain; charset=utf-8\n\n{body}".encode())
    assert "closes at \nsix" in fixed.text


def test_messages_inside_messages():
    """As deep as the setting says; what lies deeper is noted."""
    message = b"Subject: deepest\r\n\r\nbottom\r\n"
    for level in range(2_000):
        message = b"Subject: level %d\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n" % level + message
    parsed = read(message)
    assert [text for _, text in kinds(parsed)] == ["level 1999", "level 1998", "level 1997", "level 1996"]
    assert "CLAW_DOCUMENT_ARCHIVE_DEPTH_MAX" in parsed.notes[0].detail


def test_parts_inside_parts():
    """Multiparts a thousand levels deep are cut off, not recursed into."""
    body = b"bottom"
    for level in range(1_000):
        body = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) + body + b"\r\n--b%d--\r\n" % level
    parsed = read(b"Subject: deep\r\nMIME-Version: 1.0\r\n" + body)
    assert parsed.text == "deep"
    assert len(parsed.notes) == 1


def test_too_many_parts():
    """Refused in a moment; a thousand are read."""
    head = b"Subject: many\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B1\r\n\r\n"
    part = b"--B1\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    started = time.process_time()
    with pytest.raises(Refused) as refused:
        read(head + part * 200_000 + b"--B1--\r\n")
    assert "CLAW_DOCUMENT_ARCHIVE_ENTRIES_MAX" in refused.value.detail
    assert read(head + part * 1_000, replace(BOUNDS, archive_entries_max=1_001)).text.count("x") == 1_000
    assert time.process_time() - started < 4


@pytest.mark.parametrize(
    "data",
    [
        b"Subject: no end\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=X\r\n\r\n--X\r\n\r\nwords",
        b"Subject: no boundary\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\n\r\nwords",
        b"Subject: other boundary\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=X\r\n\r\n--Y\r\n\r\nwords",
        b"Subject: bad base64\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nd29yZHM",
        b"Subject: no type\nMIME-Version: 1.0\nContent-Type: nonsense\n\nwords",
        b"\n\nSubject: late\r\nMIME-Version: 1.0\r\n\r\nwords",
        b"Subject: cr\rMIME-Version: 1.0\r\rwords",
    ],
)
def test_broken_messages(data):
    """What is there is read."""
    assert read(data).text.endswith("words")


LINES = """Subject: =?gb2312?B?1qrK?=|Content-Type: multipart/alternative; boundary="a|Content-Type: text/html; charset*=x''%ff|--a|--a--|
Content-Type: multipart/mixed; boundary=a|Content-Transfer-Encoding: base64|Content-Disposition: attachment; filename*1=x||<p>words|
Content-Type: message/rfc822|\xff\xfe| folded|MIME-Version: 1.0|From: a|a,b"""


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(LINES.replace("|\n", "|").encode("latin-1").split(b"|"))), st.sampled_from([b"\n", b"\r\n"]))
def test_any_message_is_text_or_a_refusal(lines, end):
    """Whatever stands where."""
    try:
        assert read(b"Subject: start" + end + end.join(lines)).text
    except Refused as refusal:
        assert refusal.code.startswith("document_")  # noqa: PT017
