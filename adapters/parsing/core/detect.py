"""The type of a file: from its content, then its name, then the declared type."""

import re
import struct

from adapters.parsing.core.blocks import has_words
from adapters.parsing.core.encodings import ONE_BYTE, decode, encoding_of
from adapters.parsing.core.source import Entry
from schemas.documents import FileType
from schemas.errors import Refused

PDF: FileType = "application/pdf"
DOCX: FileType = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX: FileType = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX: FileType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLS: FileType = "application/vnd.ms-excel"
ZIP: FileType = "application/zip"
EML: FileType = "message/rfc822"
MSG: FileType = "application/vnd.ms-outlook"
DOC: FileType = "application/msword"
PPT: FileType = "application/vnd.ms-powerpoint"
EPUB: FileType = "application/epub+zip"
ODT: FileType = "application/vnd.oasis.opendocument.text"
ODS: FileType = "application/vnd.oasis.opendocument.spreadsheet"
ODP: FileType = "application/vnd.oasis.opendocument.presentation"
RTF: FileType = "application/rtf"
RST: FileType = "text/x-rst"
ORG: FileType = "text/org"
XML: FileType = "application/xml"
HTML: FileType = "text/html"
MARKDOWN: FileType = "text/markdown"
CSV: FileType = "text/csv"
PLAIN: FileType = "text/plain"
PNG: FileType = "image/png"
JPEG: FileType = "image/jpeg"
TIFF: FileType = "image/tiff"
GIF: FileType = "image/gif"
BMP: FileType = "image/bmp"
WEBP: FileType = "image/webp"

PDF_HEADER_BYTES = 1_024  # junk before the header is allowed so far
HEAD_BYTES = 4_096
CONTROL_SHARE = 0.05  # of the characters: more of them, and it is no text

_EXTENSIONS: dict[str, FileType] = {
    "pdf": PDF,
    "docx": DOCX,
    "docm": DOCX,
    "dotx": DOCX,
    "pptx": PPTX,
    "pptm": PPTX,
    "ppsx": PPTX,
    "xlsx": XLSX,
    "xlsm": XLSX,
    "xltx": XLSX,
    "xlsb": XLSX,
    "xls": XLS,
    "xlt": XLS,
    "doc": DOC,
    "dot": DOC,
    "wps": DOC,
    "ppt": PPT,
    "pps": PPT,
    "pot": PPT,
    "odt": ODT,
    "ott": ODT,
    "ods": ODS,
    "ots": ODS,
    "odp": ODP,
    "otp": ODP,
    "epub": EPUB,
    "rtf": RTF,
    "zip": ZIP,
    "msg": MSG,
    "eml": EML,
    "mht": EML,
    "mhtml": EML,
    "html": HTML,
    "htm": HTML,
    "xhtml": HTML,
    "md": MARKDOWN,
    "markdown": MARKDOWN,
    "mkd": MARKDOWN,
    "rst": RST,
    "rest": RST,
    "org": ORG,
    "xml": XML,
    "csv": CSV,
    "tsv": CSV,
    "tab": CSV,
    "txt": PLAIN,
    "text": PLAIN,
    "log": PLAIN,
    "png": PNG,
    "jpg": JPEG,
    "jpeg": JPEG,
    "tif": TIFF,
    "tiff": TIFF,
    "gif": GIF,
    "bmp": BMP,
    "webp": WEBP,
}
OFFICE = (DOCX, PPTX, XLSX)
_SHEETS = (XLSX, XLS)
_FIRST_ENTRY_TYPES = (EPUB, ODT, ODS, ODP)
PICTURES = (PNG, JPEG, TIFF, GIF, BMP, WEBP)
_DESCRIPTIONS = {  # of binary files: a text is none of them, whatever its name
    PDF: "a PDF file",
    DOCX: "a Word document",
    DOC: "a Word document",
    PPTX: "a presentation",
    PPT: "a presentation",
    XLSX: "a workbook",
    XLS: "a workbook",
    ODT: "an OpenDocument text",
    ODS: "an OpenDocument spreadsheet",
    ODP: "an OpenDocument presentation",
    EPUB: "an EPUB book",
    RTF: "an RTF document",
    MSG: "an Outlook message",
    ZIP: "a ZIP archive",
    **dict.fromkeys(PICTURES, "a picture"),
}
_PICTURE_MAGIC: tuple[tuple[int, bytes, FileType], ...] = (  # place, magic bytes, type
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"GIF87a", GIF),
    (0, b"GIF89a", GIF),
    (0, b"II*\0", TIFF),
    (0, b"MM\0*", TIFF),
    (6, b"\0\0\0\0", BMP),
    (8, b"WEBP", WEBP),
)

_UNSUPPORTED = (  # place, magic bytes, what it is
    (8, b"WAVE", "a WAV recording"),
    (8, b"AVI ", "an AVI film"),
    (0, b"8BPS", "a Photoshop image"),
    (4, b"ftyp", "a film, recording or HEIC image"),
    (0, b"\x1aE\xdf\xa3", "a Matroska film"),
    (0, b"ID3", "an MP3 recording"),
    (0, b"OggS", "an Ogg recording"),
    (0, b"fLaC", "a FLAC recording"),
    (0, b"ITSF", "a compiled help file (CHM)"),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "a OneNote section"),
    (0, b"\xffWPC", "a WordPerfect document"),
    (0, b"HWP Document File", "a Hangul document"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"\x1f\x8b\x08", "a gzip file"),
    (0, b"BZh", "a bzip2 file"),
    (0, b"\xfd7zXZ\0", "an xz file"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (257, b"ustar", "a tar archive"),
    (0, b"%!PS-Adobe", "a PostScript file"),
    (0, b"AT&TFORM", "a DjVu document"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"\xca\xfe\xba\xbe", "a program"),
    (0, b"wOFF", "a font"),
    (0, b"wOF2", "a font"),
)
_PREFIXES = {b"WEBP": b"RIFF", b"WAVE": b"RIFF", b"AVI ": b"RIFF", b"\0\0\0\0": b"BM"}
_AMBIGUOUS_MAGIC = {b"MZ", b"ID3", b"BZh"}  # so short that a text may begin with it

_RTF = b"{\\rtf"
OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE2_STREAMS: tuple[tuple[FileType, tuple[str, ...]], ...] = (  # a message goes first: the streams of its attachments look like its own
    (MSG, ("__properties_version1.0",)),
    (DOC, ("WordDocument",)),
    (PPT, ("PowerPoint Document",)),
    (XLS, ("Workbook", "Book")),
)
_OLE2_UNSUPPORTED = (  # by a stream; the parts of a Visio drawing or of others may be in an Office file
    ("VisioDocument", "a Visio drawing"),
    ("Quill", "a Publisher document"),
    ("HwpSummaryInformation", "a Hangul document"),
    ("\x05HwpSummaryInformation", "a Hangul document"),
    ("MatOST", "a Works document"),
)
_OLE2_ENTRY_BYTES = 128
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK")
_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
_ZIP64_LOCATOR_BYTES = 20
_ZIP64_END_BYTES = 56 + _ZIP64_LOCATOR_BYTES
_ZIP_COMMENT_BYTES_MAX = 65_535
_DIRECTORY_NAME = re.compile(
    rb"PK\x01\x02.{42}(\[Content_Types\]\.xml|word/|ppt/|xl/|visio/|mimetype|META-INF/container\.xml"
    rb"|Index/Document\.iwa|index\.apxl|[Bb]uildVersionHistory\.plist|Metadata/BuildVersionHistory\.plist)",
    re.DOTALL,
)
_IWORK_NAMES = (b"Index/Document.iwa", b"index.apxl", b"buildVersionHistory.plist", b"Metadata/BuildVersionHistory.plist")
_LOCAL_NAME = re.compile(rb"PK\x03\x04.{26}(\[Content_Types\]\.xml|word/|ppt/|xl/|visio/)", re.DOTALL)

_MIMETYPE = re.compile(rb"PK\x03\x04.{22}\x08\0.{2}mimetype(application/[\w.+-]{1,80}?)PK", re.DOTALL)  # stored, as both standards ask
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_EPUB_CONTAINER = b"META-INF/container.xml"

_XML = re.compile(r"\s*+<\?xml\s")
_MARKUP = re.compile(  # a comment ends at its first end, or rows of them are divided in every way there is
    r"\s*+(?:<\?xml[^>]{0,200}+>\s*+)?+(?:<!--(?:[^-]|-(?!->)){0,2000}+-->\s*+)*+(?:<!doctype\s++html|<html[\s>])", re.IGNORECASE
)
_TAG = re.compile(r"\s*<(?:head|title|body|meta|div|p|h[1-6]|table|ul|ol|span|section|article)[\s>]", re.IGNORECASE)
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60}):(?:\s|$)")
_TRANSPORT_HEADERS = {"received", "return-path", "message-id", "mime-version", "delivered-to", "dkim-signature", "x-mailer"}
_MESSAGE_HEADERS = {"from", "to", "subject", "date", "cc", "content-type"}
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")


TABLE_CHARS, TABLE_LINES_MIN, TABLE_LINES_MAX = 8_192, 3, 50  # looked at for rows and columns


def detect(entry: Entry) -> FileType:
    """The type of ``entry``.

    Raises Refused: ``document_empty`` for no bytes at all, ``document_type_unsupported`` that says what it looks like, and
    ``document_unreadable`` for a file that its name calls something it is not.
    """
    data, named = entry.data, _EXTENSIONS.get(extension(entry.filename), "")
    if not data:
        raise Refused("document_empty", "the file has no bytes")
    if data.startswith(_ZIP_STARTS):
        return _detect_zip(data, named or entry.media_type)
    if data.startswith(OLE2):
        return _detect_ole2(data, named or entry.media_type)
    if data[:PDF_HEADER_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_RTF):
        return RTF
    if _is_pdf(data):
        return PDF
    if picture := _identify_picture(data):
        return picture
    if other := _identify_other(data):
        raise Refused("document_type_unsupported", f"the file looks like {other}")
    return _detect_text(entry, named)


def extension(filename: str) -> str:
    """Lower case, without the dot; empty when there is none."""
    return filename.rpartition(".")[2].lower() if "." in filename else ""


def central_directory(data: bytes) -> tuple[int, int] | None:
    """Start and end of a ZIP archive's list of entries; None when the archive has no end record: it was cut off."""
    end = data.rfind(_ZIP_END, max(0, len(data) - _ZIP_COMMENT_BYTES_MAX - _ZIP_END_BYTES))
    if end < 0 or end + _ZIP_END_BYTES > len(data):
        return None
    size = struct.unpack_from("<L", data, end + 12)[0]
    record = end - _ZIP64_END_BYTES
    if record >= 0 and data.startswith(b"PK\x06\x06", record) and data.startswith(b"PK\x06\x07", end - _ZIP64_LOCATOR_BYTES):
        size, end = struct.unpack_from("<Q", data, record + 40)[0], record
    return max(0, end - size), end


def _is_pdf(data: bytes) -> bool:
    at = data.find(b"%PDF-", 0, PDF_HEADER_BYTES)
    return at == 0 or (at > 0 and (not data[:at].strip(b"\xef\xbb\xbf \t\r\n\0") or b"endobj" in data))


def _identify_picture(data: bytes) -> FileType:
    for place, magic, media_type in _PICTURE_MAGIC:
        if data.startswith(magic, place) and data.startswith(_PREFIXES.get(magic, b"")):
            return media_type
    return ""


def _identify_other(data: bytes) -> str:
    for place, magic, name in _UNSUPPORTED:
        if not data.startswith(magic, place) or not data.startswith(_PREFIXES.get(magic, b"")):
            continue
        if magic not in _AMBIGUOUS_MAGIC or b"\0" in data[:HEAD_BYTES]:
            return name
    return ""


def _detect_zip(data: bytes, said: FileType) -> FileType:
    """An Office file by the parts it lists, else an archive."""
    listed = central_directory(data)
    if listed is not None and listed[0] == listed[1]:
        if said in OFFICE:
            raise Refused("document_unreadable", f"the file is called {_DESCRIPTIONS[said]} but is an empty archive")
        raise Refused("document_empty", "the archive has no entries")
    found_names = _DIRECTORY_NAME.finditer(data, *listed) if listed else _LOCAL_NAME.finditer(data)
    names = {match[1] for match in found_names}
    if b"[Content_Types].xml" in names or listed is None:
        for folder, found in ((b"word/", DOCX), (b"ppt/", PPTX), (b"xl/", XLSX)):
            if folder in names:
                return found
        if b"visio/" in names:
            raise Refused("document_type_unsupported", "the file looks like a Visio drawing")
        if b"[Content_Types].xml" in names and said in OFFICE:
            return said  # cut off before its parts, or with parts of other names: its parser knows
    if names.intersection(_IWORK_NAMES):
        raise Refused(
            "document_type_unsupported", "the file looks like one of Pages, Numbers or Keynote; export it as an Office file or PDF"
        )
    if b"mimetype" in names or _EPUB_CONTAINER in names:
        return _detect_open_document(data, said, is_epub=_EPUB_CONTAINER in names)
    return ZIP


def _detect_open_document(data: bytes, said: FileType, *, is_epub: bool) -> FileType:
    """An EPUB book or an OpenDocument file by its first entry, which names the type."""
    found = _MIMETYPE.match(data)
    named = found[1].decode().removesuffix("-template") if found else ""
    for known in _FIRST_ENTRY_TYPES:
        if named == known:
            return known
    if named.startswith(_OPEN_DOCUMENT):
        kind = named.removeprefix(_OPEN_DOCUMENT)
        raise Refused("document_type_unsupported", f"the file looks like an OpenDocument {kind}; save it as an Office file or PDF")
    if is_epub or said in _FIRST_ENTRY_TYPES:
        return said if said in _FIRST_ENTRY_TYPES else EPUB
    return ZIP


def _detect_ole2(data: bytes, said: FileType) -> FileType:
    """An OLE2 container by the names in its directory."""
    if _has_stream(data, "EncryptedPackage"):
        return said if said in OFFICE else DOCX  # which of them only the password tells
    found = [kind for kind, streams in _OLE2_STREAMS if any(_has_stream(data, stream) for stream in streams)]
    said = XLS if said == XLSX else said
    if said in found:
        return said
    if found or said == XLS:
        return found[0] if found else XLS
    other = next((name for stream, name in _OLE2_UNSUPPORTED if _has_stream(data, stream)), "an OLE2 container of an unknown kind")
    raise Refused("document_type_unsupported", f"the file looks like {other}")


def _has_stream(data: bytes, name: str) -> bool:
    """Names stand at the start of directory entries, which are aligned."""
    wanted = name.encode("utf-16-le") + b"\0\0"
    at = data.find(wanted)
    while at >= 0:
        if at % _OLE2_ENTRY_BYTES == 0:
            return True
        at = data.find(wanted, at + 1)
    return False


def _detect_text(entry: Entry, named: FileType) -> FileType:
    said = named or entry.media_type
    head = decode(entry.data[:HEAD_BYTES], entry.charset, html=True)
    if _MARKUP.match(head) and said not in (EML, MARKDOWN):
        return HTML
    if said not in (HTML, EML) and _is_message(head, strict=said in (PLAIN, MARKDOWN, CSV)):
        return EML
    if said in _DESCRIPTIONS:
        if said in _SHEETS and not _is_binary(head):
            return CSV  # programs save tables of text under this name
        raise Refused("document_unreadable", f"the file is called {_DESCRIPTIONS[said]} but is none")
    # text with damage in it is text; what only a one-byte encoding, which can read anything, makes something of is none
    if _is_binary(head) and (not said or encoding_of(entry.data[:HEAD_BYTES], entry.charset) in ONE_BYTE):
        raise Refused("document_type_unsupported", "the file looks like binary data of an unknown kind")
    return said or _guess_text_type(head)


def _guess_text_type(head: str) -> FileType:
    """The type of a text that nothing is said of."""
    if _XML.match(head):
        return XML
    if _TAG.match(head) and has_words(head):
        return HTML
    return CSV if _is_table(head) else PLAIN


def _is_table(head: str) -> bool:
    """Whether rows of as many cells each stand there. A comma before a blank may be prose; a single one then is."""
    lines = [line for line in head[:TABLE_CHARS].splitlines() if line.strip()][:TABLE_LINES_MAX]
    if len(lines) < TABLE_LINES_MIN:
        return False
    lines = lines[:-1] if len(head) > TABLE_CHARS else lines  # the last may be cut off
    for delimiter in ",\t;":
        counts = {line.count(delimiter) for line in lines}
        if len(counts) == 1 and counts != {0} and (delimiter == "\t" or not any(f"{delimiter} " in line for line in lines)):
            return True
    return False


def _is_binary(head: str) -> bool:
    return len(_CONTROL.findall(head)) > CONTROL_SHARE * len(head)


def _is_message(head: str, *, strict: bool) -> bool:
    """Header lines of a mail. ``strict``: not just what a letter may begin with."""
    names = set()
    for line in head.lstrip().split("\n"):
        match = _HEADER.match(line)
        if match:
            names.add(match[1].lower())
        elif not line.startswith((" ", "\t")) or not names:
            break
    return bool(names & _TRANSPORT_HEADERS) and bool(names & _MESSAGE_HEADERS) and (not strict or len(names & _TRANSPORT_HEADERS) > 1)
