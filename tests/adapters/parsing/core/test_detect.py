"""What a file is: by its content, whatever its name and its sender say."""

import io
import random
import zipfile

import pytest

from adapters.parsing import parse
from adapters.parsing.core.detect import (
    CSV,
    DOC,
    DOCX,
    EML,
    EPUB,
    HTML,
    MARKDOWN,
    MSG,
    ODP,
    ODS,
    ODT,
    ORG,
    PDF,
    PLAIN,
    PPT,
    PPTX,
    RST,
    RTF,
    XLS,
    XLSX,
    XML,
    ZIP,
    detect,
)
from adapters.parsing.core.source import Bounds, DocumentSource, Entry
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.zip_crypto import zipped

BOUNDS = Bounds.of(DocumentSettings())
OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def entry(data, filename="", media_type=""):
    return Entry(data=data, bounds=BOUNDS, filename=filename, media_type=media_type)


def package(folder, **more):
    return zipped({"[Content_Types].xml": "<Types/>", f"{folder}/main.xml": "<x/>"} | more)


def stream(*names):
    return OLE2 + b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in names)


def archive(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in names:
            made.writestr(name, "<a>words</a>")
    return buffer.getvalue()


def open_document(kind, *, first=True):
    """As the standards ask: the first entry is stored and names the type."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if not first:
            archive.writestr("content.xml", "<x/>")
        archive.writestr("mimetype", kind, zipfile.ZIP_STORED if first else zipfile.ZIP_DEFLATED)
        archive.writestr("META-INF/container.xml" if "epub" in kind else "META-INF/manifest.xml", "<x/>")
    return buffer.getvalue()


FOUND = {
    "pdf": (b"%PDF-1.7\n", "x.txt", PLAIN, PDF),
    "pdf behind a mark": (b"\xef\xbb\xbf\r\n%PDF-1.4", "", "", PDF),
    "pdf behind junk": (b"HTTP/1.1 200 OK\r\n\r\n%PDF-1.4\n1 0 obj endobj", "", "", PDF),
    "text about pdf": (b"The header is %PDF-1.4 and so on.", "", "", PLAIN),
    "docx": (package("word"), "x.zip", "", DOCX),
    "pptx": (package("ppt"), "", ZIP, PPTX),
    "xlsx": (package("xl"), "x.xls", XLS, XLSX),
    "docx with a workbook": (package("word", **{"word/embeddings/a.xlsx": package("xl")}), "", "", DOCX),
    "docx cut off": (package("word")[:60], "x.docx", "", DOCX),
    "zip of a docx": (zipped({"a.docx": package("word")}), "x.zip", "", ZIP),
    "unpacked docx": (zipped({"a/[Content_Types].xml": "", "a/word/document.xml": ""}), "", "", ZIP),
    "zip called docx": (zipped({"a.txt": "words"}), "x.docx", "", ZIP),
    "xls": (stream("Workbook"), "x.doc", "", XLS),
    "old xls": (stream("Book"), "", "", XLS),
    "encrypted workbook": (stream("EncryptedPackage"), "x.xlsx", "", XLSX),
    "encrypted, nameless": (stream("EncryptedPackage"), "", "", DOCX),
    "doc": (stream("WordDocument"), "x.doc", "", DOC),
    "doc with a workbook": (stream("WordDocument", "Workbook"), "x.doc", "", DOC),
    "workbook with a doc": (stream("WordDocument", "Workbook"), "x.xls", "", XLS),
    "doc called docx": (stream("WordDocument"), "x.docx", "", DOC),
    "ppt": (stream("PowerPoint Document"), "", PPT, PPT),
    "msg": (stream("__nameid_version1.0", "__properties_version1.0"), "x.eml", "", MSG),
    "msg with a doc": (stream("__properties_version1.0", "WordDocument"), "", "", MSG),
    "rtf": (b"{\\rtf1 words}", "x.doc", "", RTF),
    "rtf behind blanks": (b"\xef\xbb\xbf \r\n{\\rtf1 words}", "", "", RTF),
    "odt": (open_document("application/vnd.oasis.opendocument.text"), "x.zip", "", ODT),
    "odt template": (open_document("application/vnd.oasis.opendocument.text-template"), "", "", ODT),
    "odt packed anew": (open_document("application/vnd.oasis.opendocument.text", first=False), "x.odt", "", ODT),
    "ods": (open_document("application/vnd.oasis.opendocument.spreadsheet"), "", "", ODS),
    "odp template": (open_document("application/vnd.oasis.opendocument.presentation-template"), "", "", ODP),
    "epub": (open_document("application/epub+zip"), "", "", EPUB),
    "epub packed anew": (open_document("application/epub+zip", first=False), "", "", EPUB),
    "rst": (b"Title\n=====\n\nwords", "x.rst", "", RST),
    "rst declared": (b"Title\n=====\n\nwords", "", RST, RST),
    "org": (b"* Title\n\nwords", "x.org", "", ORG),
    "xml": (b'<?xml version="1.0"?><a><b>c</b></a>', "", "", XML),
    "xml by name": (b"<a><b>c</b></a>", "x.xml", "", XML),
    "page called xml": (b'<?xml version="1.0"?><html><p>x', "x.xml", "", HTML),
    "page": (b"<!DOCTYPE html><p>x", "x.txt", PLAIN, HTML),
    "page in utf-16": ("<html><p>x".encode("utf-16"), "", "", HTML),
    "xhtml": (b'<?xml version="1.0"?>\n<!-- c -->\n<html xmlns="x">', "", "", HTML),
    "page called xls": (b"<html><table>", "x.xls", "", HTML),
    "piece of a page": (b"<div class=a>words</div>", "", "", HTML),
    "markdown with tags": (b"<h1 align=center>x</h1>\n\n# y", "README.md", "", MARKDOWN),
    "markdown about pages": (b"<html> is a tag", "x.md", "", MARKDOWN),
    "table called xls": ("a\tb\n1\t2".encode("gbk"), "x.xls", "", CSV),
    "tsv": (b"a\tb", "x.TSV", "", CSV),
    "mail": (b"Received: by x\r\nFrom: a\r\nSubject: b\r\n\r\nwords", "", "", EML),
    "mail called txt": (b"Message-ID: <a>\r\nMIME-Version: 1.0\r\nFrom: a\r\n\r\nwords", "x.txt", "", EML),
    "a letter": (b"From: me\nTo: you\nSubject: us\n\nwords", "", "", PLAIN),
    "declared": (b"a,b", "", CSV, CSV),
    "name before declaration": (b"a,b", "x.txt", CSV, PLAIN),
    "nothing said": ("正文".encode("gb18030"), "", "", PLAIN),
    "damaged": ("正常开头\n".encode() + b"\x00\xff\xfe\xc3\x28\xed\xa0\x80" * 50, "x.txt", "", PLAIN),
    "a table without a name": ("品名,单价\n灯,3\n椅,4\n".encode(), "", "", CSV),
    "tabs": (b"name\tprice\nlamp, red\t3\nchair\t4\n", "", "", CSV),
    "prose with commas": (b"First, this.\nThen, that.\nAt last, an end.\n", "", "", PLAIN),
    "two lines": (b"a,b\nc,d\n", "", "", PLAIN),
    "rows of comments": (b"<!---->" * 45 + b" ", "", "", PLAIN),
    "a page after comments": (b"<!-- a - b -- c --> <!---->\n<!doctype html><p>x", "", "", HTML),
    "code": (b"import sys\n", "x.py", "", PLAIN),
    "text that begins like a program": (b"MZ is a magic number", "", "", PLAIN),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(64), "picture_named.pdf", "", "image/png"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(64), "x.txt", "", "image/jpeg"),
    "gif": (b"GIF89a" + bytes(64), "", "", "image/gif"),
    "tiff": (b"MM\0*" + bytes(64), "", "", "image/tiff"),
    "bmp": (b"BM\x46\0\0\0" + bytes(64), "", "", "image/bmp"),
    "webp": (b"RIFF\x40\0\0\0WEBPVP8 " + bytes(64), "", "", "image/webp"),
}


@pytest.mark.parametrize("case", FOUND)
def test_types(case):
    data, filename, media_type, found = FOUND[case]
    assert detect(entry(data, filename, media_type)) == found


REFUSED = {
    "empty": (b"", "x.pdf", "document_empty", ""),
    "text called png": (b"just words", "x.png", "document_unreadable", "picture"),
    "photoshop": (b"8BPS\0\1" + bytes(64), "x.pdf", "document_type_unsupported", "Photoshop"),
    "odg": (open_document("application/vnd.oasis.opendocument.graphics"), "x.odg", "document_type_unsupported", "graphics"),
    "unknown container": (stream("Contents"), "", "document_type_unsupported", "OLE2"),
    "text called rtf": (b"just words", "x.rtf", "document_unreadable", "RTF"),
    "text called epub": (b"just words", "x.epub", "document_unreadable", "EPUB"),
    "pages of 2009": (archive("index.xml", "buildVersionHistory.plist"), "x.pages", "document_type_unsupported", "Pages"),
    "keynote": (archive("Index/Document.iwa", "Metadata/Properties.plist"), "x.zip", "document_type_unsupported", "Keynote"),
    "visio": (stream("VisioDocument"), "x.vsd", "document_type_unsupported", "Visio"),
    "publisher": (stream("Quill"), "x.pub", "document_type_unsupported", "Publisher"),
    "help file": (b"ITSF\3\0\0\0" + bytes(64), "x.chm", "document_type_unsupported", "CHM"),
    "rar": (b"Rar!\x1a\x07\x01\x00", "x.zip", "document_type_unsupported", "RAR"),
    "tar": (b"a.txt".ljust(257, b"\0") + b"ustar\0", "", "document_type_unsupported", "tar"),
    "program": (b"MZ\x90\0\3\0\0\0", "", "document_type_unsupported", "program"),
    "noise": (bytes(range(256)) * 8, "", "document_type_unsupported", "binary"),
    "noise called txt": (random.Random(1).randbytes(4_000), "x.txt", "document_type_unsupported", "binary"),
    "text called pdf": (b"just words", "x.pdf", "document_unreadable", "PDF"),
    "text called docx": (b"just words", "x.docx", "document_unreadable", "Word"),
    "empty archive called docx": (b"PK\x05\x06" + bytes(18), "zip_named.docx", "document_unreadable", "Word"),
    "empty archive": (b"PK\x05\x06" + bytes(18), "x.zip", "document_empty", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_say_what_it_looks_like(case):
    data, filename, code, word = REFUSED[case]
    with pytest.raises(Refused) as refused:
        detect(entry(data, filename))
    assert refused.value.code == code
    assert word in refused.value.detail


def test_texts_are_what_their_owner_says():
    """A text that travels inside an event is not asked, unless nothing is said."""
    page = "<!DOCTYPE html><p>words</p>"
    assert parse(DocumentSource(text=page, media_type=PLAIN), BOUNDS).text == page
    assert parse(DocumentSource(text=page, media_type=HTML), BOUNDS).text == "words"
    assert parse(DocumentSource(text=page), BOUNDS).media_type == HTML


def test_files_are_read_from_their_path(tmp_path):
    """Name and charset come with the source: the path is the store's own."""
    path = tmp_path / "0a1b2c"
    path.write_bytes("姓名;备注\n张三;好".encode("gbk"))
    parsed = parse(DocumentSource(path=str(path), filename="表.csv", charset="utf-8"), BOUNDS)
    assert (parsed.media_type, parsed.text) == (CSV, "姓名\t备注\n张三\t好")
