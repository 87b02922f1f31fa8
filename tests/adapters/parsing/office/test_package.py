"""Office files that are broken, hostile or encrypted: each ends in text or in a named refusal."""

import random
import struct
import zipfile
from datetime import date
from io import BytesIO

import pytest

from adapters.parsing.office.slides import parse_pptx
from adapters.parsing.office.workbook import parse_workbook
from schemas.errors import Refused
from tests.support.office_files import NUMBERING, STYLES, W, code, encrypted, p, packed, parse_docx, parsed, presentation, word, workbook


@pytest.fixture(scope="module")
def slides() -> bytes:
    return presentation()


def test_encrypted_files_want_their_password():
    """None, a wrong one, the right one; what Excel opens without asking needs none."""
    data = encrypted("sésame")
    assert code(parse_docx, data) == "password_required"
    assert code(parse_docx, data, password="other") == "password_wrong"
    assert parsed(parse_docx, data, password="sésame").text.startswith("秘密 0\n")
    assert parsed(parse_docx, encrypted("VelvetSweatshop")).text.startswith("秘密 0\n")
    assert code(parse_docx, data[:3000]) == "document_unreadable"


LAUGHS = '<!DOCTYPE d [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>'
XXE = '<!DOCTYPE d [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
ENTITY = f"<w:document {W}><w:body><w:p><w:r><w:t>&b;</w:t></w:r></w:p></w:body></w:document>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("declared", [LAUGHS, XXE])
def test_document_types_are_refused_in_any_encoding(declared, encoding):
    """Billion laughs and files from outside, in a part that is read and in one that is not."""
    text = f'<?xml version="1.0" encoding="{encoding}"?><!-- {"x" * 70_000} -->{declared}{ENTITY}'
    assert code(parse_docx, packed("word/document.xml", text.encode(encoding))) == "document_unreadable"
    assert code(parse_docx, word(p("text"), unread=f"{declared}<d/>")) == "document_unreadable"


def test_bombs_are_refused_by_the_limit_they_reach():
    """Bytes, ratio, entries; and what the headers say does not matter."""
    bomb = word(p("start") + " " * 3_000_000)
    assert code(parse_docx, bomb) == "document_too_complex"
    assert parsed(parse_docx, bomb, archive_ratio_max=100_000).text == "start"
    assert code(parse_docx, bomb, archive_ratio_max=100_000, archive_bytes_max=2_000_000) == "document_too_complex"
    assert code(parse_docx, word(p("many")), archive_entries_max=3) == "document_too_complex"
    size = zipfile.ZipFile(BytesIO(bomb)).getinfo("word/document.xml").file_size
    lying = bomb.replace(struct.pack("<I", size), struct.pack("<I", 500))
    assert lying != bomb
    assert code(parse_docx, lying) == "document_unreadable"


@pytest.mark.parametrize(
    ("opened", "closed", "levels"),
    [
        ("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>", 3),
        ("<w:tbl><w:tr><w:tc><w:p/></w:tc><w:tc>", "</w:tc></w:tr></w:tbl>", 3),
        ("<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>", 2),
        ("<w:p><w:r><w:pict><w:txbxContent>", "</w:txbxContent></w:pict></w:r></w:p>", 4),
        ("<w:ins>", "</w:ins>", 1),
    ],
)
def test_depth_has_an_end(opened, closed, levels):
    """As deep as the XML parser goes is read, what is deeper is refused; Python's stack is not what ends it."""
    most = 245 // levels
    assert parsed(parse_docx, word(opened * most + p("bottom") + closed * most)).text.strip("\t") == "bottom"
    assert code(parse_docx, word(opened * 2 * most + p("bottom") + closed * 2 * most)) == "document_unreadable"


def test_names_that_lead_elsewhere_are_never_followed(tmp_path):
    """They are neither written nor read."""
    made = BytesIO(word(p("safe")))
    with zipfile.ZipFile(made, "a") as archive:
        for name in (f"../../../../../..{tmp_path}/escaped.xml", f"{tmp_path}/escaped.xml", "..\\..\\escaped.xml"):
            archive.writestr(name, "<x/>")
    assert parsed(parse_docx, made.getvalue()).text == "safe"
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_kind_is_unreadable(slides):
    """Or none at all."""
    for data in (slides, b"", b"PK\x05\x06" + bytes(18), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(900)):
        assert code(parse_docx, data) == "document_unreadable"


def test_damaged_files_end_in_text_or_a_refusal(slides):
    """Cut anywhere, or with bytes turned over: never an error of another kind."""
    chance = random.Random(7)
    locked = encrypted("x")
    sheet = workbook(lambda book: book.active.append(["a", 1, date(2024, 1, 1)]))
    for parse, data in [
        (parse_docx, word(p("text"), styles=STYLES)),
        (parse_pptx, slides),
        (parse_workbook, sheet),
        (parse_docx, locked),
    ]:
        for _ in range(25):
            damaged = bytearray(data[: chance.randrange(len(data))] if chance.random() < 0.3 else data)
            for _ in range(chance.randrange(1, 20)):
                if damaged:
                    damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            try:
                parsed(parse, bytes(damaged))
            except Refused as refused:
                assert refused.code.startswith(("document_", "password_"))  # noqa: PT017


def test_damaged_xml_ends_in_text_or_a_refusal(slides):
    """The ZIP is whole, the parts are not what they should be: other values, elements gone."""
    chance = random.Random(11)
    sheet = workbook(lambda book: book.active.append(["a", 1, date(2024, 1, 1)]))
    for parse, data in [
        (parse_docx, word(p("text", '<w:pStyle w:val="clause"/>'), styles=STYLES, numbering=NUMBERING)),
        (parse_pptx, slides),
        (parse_workbook, sheet),
    ]:
        for _ in range(25):
            made = BytesIO()
            with zipfile.ZipFile(BytesIO(data)) as source, zipfile.ZipFile(made, "w") as target:
                for name in source.namelist():
                    content = source.read(name)
                    if name.endswith((".xml", ".rels")):
                        for old in chance.sample([b'val="', b'r="', b'="1"', b"cSld", b'idx="', b'y="', b'Id="', b"<v>", b'numFmtId="'], 2):
                            content = content.replace(
                                old, chance.choice([old + b"-9e9", old.swapcase(), old.replace(b'"1', b'"99999999999')])
                            )
                    target.writestr(name, content)
            try:
                parsed(parse, made.getvalue())
            except Refused as refused:
                assert refused.code.startswith("document_")  # noqa: PT017
