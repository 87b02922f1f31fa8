"""Archives: every file under its name, what is broken left out by name, bombs and endless nesting stopped by limits."""

import contextlib
import io
import time
import zipfile

import pytest
import pyzipper  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.dispatch import parse_entry
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.zip_crypto import AES, encrypted, named, zipped

BOUNDS = Bounds.of(DocumentSettings())


def read(data, filename="files.zip", bounds=BOUNDS, **more):
    return parse_entry(Entry(data=data, bounds=bounds, filename=filename, **more))


def refused(data, **more) -> Refused:
    with pytest.raises(Refused) as raised:
        read(data, **more)
    return raised.value


def test_files_in_order_under_their_names():
    """Each is read as what it is, headings of one say nothing about the next, and a chunk knows its file."""
    parsed = read(zipped({"b/指南.md": "# 指南\n\n第一步。", "a.txt": "plain words", "表.csv": "姓名;备注\n张三;好\n".encode("gb18030")}))
    assert [(block.place.part, block.place.cells, block.headings) for block in parsed.blocks] == [
        ("b/指南.md", "", ("指南",)),
        ("b/指南.md", "", ("指南",)),
        ("a.txt", "", ()),
        ("表.csv", "A1:B2", ()),
    ]
    assert "张三\t好" in parsed.text
    assert parsed.media_type == "application/zip"
    assert parsed.notes == ()


@pytest.mark.parametrize(
    ("raw", "name"),
    [("备注.txt".encode("gbk"), "备注.txt"), ("メモ帳.txt".encode("cp932"), "メモ帳.txt"), ("說明.txt".encode(), "說明.txt")],
)
def test_names_without_a_flag_are_guessed(raw, name):
    """Old packers write names as their system did."""
    placeholder = "x" * (len(raw) - 4) + ".txt"
    assert read(named(zipped({placeholder: "words"}), placeholder, raw)).blocks[0].place.part == name


def test_what_cannot_be_read_is_noted_and_the_rest_is_there():
    """Pictures, broken files and empty ones; packers' litter is not worth a note."""
    files = {
        "ok.txt": "words",
        "p.psd": b"8BPS\0\1" + bytes(9),
        "broken.pdf": "no pdf",
        "blank.md": "---",
        "__MACOSX/._ok.txt": b"\0\5\x16\7",
        "nil": b"",
    }
    parsed = read(zipped(files))
    assert parsed.text == "words"
    assert [note.detail.partition(":")[0] for note in parsed.notes] == ["p.psd", "broken.pdf", "blank.md"]
    assert {note.code for note in parsed.notes} == {"part_unreadable"}


def test_an_archive_of_nothing_readable_says_what_was_wrong():
    """As the file alone would have."""
    assert refused(zipped({"p.psd": b"8BPS\0\1" + bytes(9)})).code == "document_type_unsupported"
    assert refused(zipped({"a.txt": "  "})).code == "document_empty"
    assert refused(zipped({})).code == "document_empty"
    assert refused(zipped({}), filename="zip_named.docx").code == "document_unreadable"


def test_damage_is_named():
    """A file whose bytes do not match its checksum is left out; an archive without its list is refused."""
    archive = bytearray(zipped({"good.txt": "good words", "bad.txt": "bad words " * 50}))
    at = archive.index(b"bad.txt") + len("bad.txt") + 6
    archive[at : at + 4] = b"\xff\xff\xff\xff"
    parsed = read(bytes(archive))
    assert parsed.text == "good words"
    assert parsed.notes[0].detail.startswith("bad.txt: ")
    assert refused(zipped({"a.txt": "words"})[:-30]).code == "document_unreadable"


@pytest.mark.parametrize("archive", [encrypted("secret.txt", "机密 words".encode(), b"open"), AES], ids=["classic", "aes"])
def test_encrypted_files(archive):
    """Named without a password, named with a wrong one, read with the right one."""
    assert refused(archive).code == "password_required"
    assert refused(archive, password="wrong").code == "password_wrong"
    assert read(archive, password="open").text == "机密 words"


def test_an_encrypted_bomb_is_stopped_like_any_other():
    """Of strong encryption only the unpacking differs; files beside it may be open."""
    buffer = io.BytesIO()
    with pyzipper.AESZipFile(buffer, "w", compression=pyzipper.ZIP_DEFLATED) as archive:
        archive.writestr("open.txt", "open words")
        archive.setencryption(pyzipper.WZ_AES)
        archive.setpassword(b"open")
        archive.writestr("bomb.txt", b"a" * 20_000_000)
    parsed = read(buffer.getvalue(), password="open")
    assert parsed.text == "open words"
    assert "CLAW_DOCUMENT_ARCHIVE_RATIO_MAX" in parsed.notes[0].detail


def test_damage_under_encryption_is_no_text():
    """The signature covers every byte; the first ones are the password's check."""
    for at in range(AES.index(b"secret.txt") + 41, AES.index(b"PK\x07\x08")):
        assert refused(AES[:at] + bytes([AES[at] ^ 1]) + AES[at + 1 :], password="open").code in ("password_wrong", "document_unreadable")


def test_names_are_never_paths(tmp_path, monkeypatch):
    """Nothing is written, wherever a name points."""
    monkeypatch.chdir(tmp_path)
    names = ("../../escaped.txt", str(tmp_path / "absolute.txt"), "..\\..\\back.txt", "a/../../b.txt")
    parsed = read(zipped(dict.fromkeys(names, "words")))
    assert [block.place.part for block in parsed.blocks] == list(names)
    assert list(tmp_path.iterdir()) == []


def nested(levels, width=1) -> bytes:
    inner = zipped({"deepest.txt": "bottom"})
    for _ in range(levels):
        inner = zipped({f"{n}.zip": inner for n in range(width)})
    return inner


def test_archives_inside_archives():
    """As many as the setting says; the place names the way."""
    parsed = read(nested(2))
    assert str(parsed.blocks[0].place) == "0.zip > 0.zip > deepest.txt"
    refusal = refused(nested(3))
    assert refusal.code == "document_too_complex"
    assert "CLAW_DOCUMENT_ARCHIVE_DEPTH_MAX" in refusal.detail


def test_many_times_many_is_counted_together():
    """However they are nested, files and bytes of one document share one allowance."""
    refusal = refused(nested(2, 30), bounds=replace(BOUNDS, archive_entries_max=500))
    assert "CLAW_DOCUMENT_ARCHIVE_ENTRIES_MAX" in refusal.detail
    ten = zipped({f"{n}.txt": "word " * 20_000 for n in range(10)})
    refusal = refused(zipped({"a.zip": ten, "b.zip": ten}), bounds=replace(BOUNDS, archive_bytes_max=1_500_000))
    assert "CLAW_DOCUMENT_ARCHIVE_BYTES_MAX" in refusal.detail


def test_a_bomb_is_stopped_by_what_comes_out_of_it():
    """Not by what its header says; a small one that packs well is no bomb."""
    refusal = refused(zipped({"bomb.txt": b"a" * 20_000_000}))
    assert "CLAW_DOCUMENT_ARCHIVE_RATIO_MAX" in refusal.detail
    assert len(read(zipped({"fine.txt": b"a" * 900_000})).text) == 900_000


def test_too_many_files_are_refused_before_they_are_listed():
    """A million entries would be a gigabyte of them."""
    started = time.process_time()
    assert refused(zipped(dict.fromkeys(map(str, range(6_000)), b""))).code == "document_too_complex"
    assert time.process_time() - started < 3


def test_notes_are_bounded():
    """They travel with every event of the document."""
    picture = b"8BPS\0\1" + bytes(9)
    parsed = read(zipped({"a.txt": "words"} | {f"{n}.psd": picture for n in range(250)}))
    assert len(parsed.notes) == 100
    assert parsed.notes[-1].detail == "151 more"


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_broken_archives_are_text_or_a_refusal(data):
    """Whatever bytes are wrong."""
    archive = bytearray(zipped({"a.txt": "words of a", "b/c.md": "# words of c", "d.zip": zipped({"e.csv": "a,b\n1,2\n"})}))
    for at in data.draw(st.lists(st.integers(4, len(archive) - 1), min_size=1, max_size=6)):
        archive[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Refused):
        assert read(bytes(archive)).text


def test_packing_methods():
    """Whatever the standard library unpacks."""
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.writestr("a.txt", "words")
        assert read(buffer.getvalue()).text == "words"
