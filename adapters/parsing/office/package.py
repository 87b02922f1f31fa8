"""The package of an Office file: encrypted files are decrypted; bombs and document types are refused before a parser reads a part.

A package (DOCX, PPTX, XLSX) is a ZIP of XML parts. Only XML is unpacked, counted while it inflates; pictures and other binary parts stay
packed, names are keys of a mapping and never paths of a disk, and a part that declares a document type is refused, so entities and
external files cannot be named at all. The parsers work on the parts directly: no library opens the ZIP a second time and sees it otherwise.
"""

import posixpath
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import unquote
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from lxml import etree  # type: ignore[import-untyped]

from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.core.xml_options import XML_OPTIONS
from schemas.errors import Refused

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
TREE_SHARE = 4  # a part becomes a tree of several times its size: it may have a quarter of what an archive may unpack to
RATIO_FREE_BYTES = 1024**2  # below that a ratio says nothing
READ_BYTES = 64 * 1024
RELATIONS_MAX = 50_000  # of one part; every hyperlink of a document is one
_DIRECTORY_ENTRY = b"PK\x01\x02"
_ENCRYPTED = 1
_XML_SUFFIXES = (".xml", ".rels")
_ZIP_ERRORS = (BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, OverflowError, RuntimeError)
# The strict flavour of the standard says the same under other names.
_STRICT = b"http://purl.oclc.org/ooxml/"
_TRANSITIONAL = tuple(
    (_STRICT + strict, b"http://schemas.openxmlformats.org/" + transitional)
    for strict, transitional in (
        (b"wordprocessingml/main", b"wordprocessingml/2006/main"),
        (b"spreadsheetml/main", b"spreadsheetml/2006/main"),
        (b"presentationml/main", b"presentationml/2006/main"),
        (b"drawingml/", b"drawingml/2006/"),
        (b"officeDocument/", b"officeDocument/2006/"),
    )
)


class Relation(NamedTuple):
    """``kind`` is the last word of its type, such as ``styles``; ``target`` a part's name."""

    id: str
    kind: str
    target: str


@dataclass(frozen=True, slots=True)
class Package:
    """The XML parts of a file by name, in lower case (the standard ignores case) and without a leading slash."""

    parts: Mapping[str, bytes]
    bounds: Bounds

    def tree(self, name: str) -> Any:
        """A part as a tree; None when there is none. Raises Refused."""
        data = self.parts.get(name.lower())
        if data is None:
            return None
        most = max(self.bounds.archive_bytes_max // TREE_SHARE, RATIO_FREE_BYTES)
        if len(data) > most:
            raise Refused("document_too_complex", f"{name} has {len(data):,} bytes of XML, over {most:,} (CLAW_DOCUMENT_ARCHIVE_BYTES_MAX)")
        try:
            return etree.fromstring(data, etree.XMLParser(**XML_OPTIONS))
        except (etree.XMLSyntaxError, ValueError) as error:
            raise Refused("document_unreadable", f"{name} is not well-formed: {error}") from error

    def children(self, name: str, parent: str, tags: Collection[str]) -> Iterator[Any]:
        """The elements of these ``tags`` directly under ``parent``, one at a time: each is freed when the next is read.

        For parts that are as long as the document. Raises Refused.
        """
        data = self.parts.get(name.lower(), b"")
        try:
            for _, element in etree.iterparse(BytesIO(data), tag=tags, **XML_OPTIONS):
                above = element.getparent()
                if above is not None and above.tag == parent:
                    yield element
                    element.clear()
                    del above[: above.index(element)]
        except (etree.XMLSyntaxError, ValueError) as error:
            raise Refused("document_unreadable", f"{name} is not well-formed: {error}") from error

    @property
    def is_binary(self) -> bool:
        """Whether its main part is binary, as that of XLSB is."""
        return any(one.kind == "officeDocument" and one.target.endswith(".bin") for one in self.relations(""))

    def main_part(self, root: str) -> str:
        """Name of the main part, whose outermost element must be ``root``. Raises Refused."""
        for relation in self.relations(""):
            if relation.kind == "officeDocument" and self._root_tag(relation.target) == root:
                return relation.target
        raise Refused("document_unreadable", f"it has no part with a {root}")

    def _root_tag(self, name: str) -> str:
        try:
            _, element = next(etree.iterparse(BytesIO(self.parts.get(name.lower(), b"")), events=("start",), **XML_OPTIONS))
        except (etree.XMLSyntaxError, ValueError):
            return ""
        return str(etree.QName(element).localname)

    def relations(self, name: str) -> list[Relation]:
        """The relations of a part ("" is the package) inside the package, in order."""
        folder, file = posixpath.split(name)
        tree = self.tree(posixpath.join(folder, "_rels", f"{file}.rels"))
        found: list[Relation] = []
        for element in () if tree is None else tree.iter("{*}Relationship"):
            if element.get("TargetMode") != "External" and len(found) < RELATIONS_MAX:
                target = posixpath.normpath(posixpath.join("/", folder, unquote(element.get("Target", "")))).lstrip("/")
                found.append(Relation(element.get("Id", ""), element.get("Type", "").rpartition("/")[2], target))
        return found

    def find_tree(self, name: str, kind: str) -> Any:
        """The tree of the first related part of a kind; None when there is none."""
        return self.tree(self.find_target(name, kind))

    def find_target(self, name: str, kind: str) -> str:
        """The name of the first part of a kind that a part refers to; empty when there is none."""
        return next((one.target for one in self.relations(name) if one.kind == kind), "")

    def title(self) -> str:
        """The title in the file's properties."""
        core = self.find_tree("", "core-properties")
        return "" if core is None else core.findtext("{http://purl.org/dc/elements/1.1/}title", "").strip()


def open_package(entry: Entry, opened: bytes | None = None, names: Collection[str] = ()) -> Package:
    """``opened`` is the result of ``decrypt_entry`` when it was called before. ``names``: the only parts that are wanted, in lower case.

    Raises Refused: ``document_unreadable``, ``document_too_complex``, ``password_required``, ``password_wrong``.
    """
    data, bounds = decrypt_entry(entry) if opened is None else opened, entry.bounds
    # before the directory is read: a million entries would be a gigabyte of them
    if data.count(_DIRECTORY_ENTRY) > bounds.archive_entries_max:
        raise Refused(
            "document_too_complex", f"it packs more than {bounds.archive_entries_max:,} files (CLAW_DOCUMENT_ARCHIVE_ENTRIES_MAX)"
        )
    try:
        with ZipFile(BytesIO(data)) as archive:
            parts = dict(_inflate_parts(archive, len(data), bounds, names))
    except _ZIP_ERRORS as error:
        raise Refused("document_unreadable", f"it is not a whole Office file: {error}") from error
    return Package(parts, bounds)


def decrypt_entry(entry: Entry) -> bytes:
    """The decrypted bytes of an Office file. An old binary file (XLS) without encryption is returned unchanged."""
    if not entry.data.startswith(OLE_MAGIC):
        return entry.data
    from adapters.parsing.office.encryption import decrypt  # noqa: PLC0415  few files are encrypted, and it loads for a long time

    return decrypt(entry.data, entry.password)


def _inflate_parts(archive: ZipFile, packed_bytes: int, bounds: Bounds, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of every XML part. Sizes in headers are not trusted: unpacked bytes are counted."""
    total = 0
    most = min(bounds.archive_bytes_max, RATIO_FREE_BYTES + bounds.archive_ratio_max * packed_bytes)
    for info in archive.infolist():
        name = info.filename.replace("\\", "/").lstrip("/").lower()
        if not name.endswith(_XML_SUFFIXES) or ".." in name.split("/") or (names and name not in names):
            continue
        if info.flag_bits & _ENCRYPTED or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise Refused("document_unreadable", f"{name} is packed in a way that Office does not write")
        content = _inflate_part(archive, info, most - total, bounds)
        total += len(content)
        yield name, content if _is_plain_xml(name, content) else b""


def _inflate_part(archive: ZipFile, info: ZipInfo, most: int, bounds: Bounds) -> bytes:
    content = bytearray()
    most = min(most, RATIO_FREE_BYTES + bounds.archive_ratio_max * info.compress_size)
    with archive.open(info) as stream:
        while piece := stream.read(READ_BYTES):
            content += piece
            if len(content) > most:
                raise Refused(
                    "document_too_complex",
                    f"it unpacks to over {bounds.archive_bytes_max:,} bytes or over {bounds.archive_ratio_max:,} times its size "
                    "(CLAW_DOCUMENT_ARCHIVE_BYTES_MAX, CLAW_DOCUMENT_ARCHIVE_RATIO_MAX)",
                )
    if _STRICT in content:
        for strict, transitional in _TRANSITIONAL:
            content = content.replace(strict, transitional)
    return bytes(content)


class _RootReached(Exception):
    """Ends the parse of a part at its outermost element."""


def _is_plain_xml(name: str, content: bytes) -> bool:
    """Whether a part is XML up to its outermost element. Raises Refused when it declares a document type, in any encoding."""

    def refuse_doctype(*_: object) -> None:
        raise Refused("document_unreadable", f"{name} declares a document type, which Office never writes")

    def stop_at_root(*_: object) -> None:
        raise _RootReached

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = stop_at_root
    try:
        for start in range(0, len(content), READ_BYTES):
            parser.Parse(content[start : start + READ_BYTES])
    except _RootReached:
        return True
    except (expat.ExpatError, LookupError, ValueError):
        return False
    return False
