"""The input of a parser: bytes, what is declared about them, and limits."""

import time
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from schemas.documents import FileType
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings

OCR_EVENT = "claw.ocr"  # audit event of a parser that begins to read pictures, which takes more time and memory than text does
OCR_TIME_SHARE = 0.8  # of the longest parse with scanned pages: the rest is for what comes before and after them


class Bounds(Struct, frozen=True, kw_only=True):
    """Limits of one document. Exceeding one raises Refused("document_too_complex"), which names the setting."""

    chars_max: int
    pages_max: int
    cells_max: int
    archive_entries_max: int
    archive_bytes_max: int
    archive_ratio_max: int
    archive_depth_max: int
    ocr: Literal["auto", "rapidocr", "tesseract", "off"]
    ocr_languages: str  # by Tesseract's names, joined by +
    ocr_pages_max: int
    ocr_page_s: float
    ocr_wall_s: float  # for a whole document, other work included
    picture_pixels_max: int
    include_hidden: bool = False  # read what a reader of the file does not see

    @classmethod
    def of(cls, settings: DocumentSettings) -> "Bounds":
        """The limits as the settings say."""
        return cls(
            chars_max=settings.text_chars_max,
            pages_max=settings.pages_max,
            cells_max=settings.cells_max,
            archive_entries_max=settings.archive_entries_max,
            archive_bytes_max=settings.archive_bytes_max,
            archive_ratio_max=settings.archive_ratio_max,
            archive_depth_max=settings.archive_depth_max,
            ocr=settings.ocr,
            ocr_languages=settings.ocr_languages,
            ocr_pages_max=settings.ocr_pages_max,
            ocr_page_s=settings.ocr_page_s,
            ocr_wall_s=settings.ocr_wall_s,
            picture_pixels_max=settings.picture_pixels_max,
            include_hidden=settings.include_hidden,
        )


class DocumentSource(Struct, frozen=True, kw_only=True):
    """A document as a child process gets it: ``text``, or the ``path`` of a file that it can read.

    ``media_type`` and ``charset`` are declared by the sender, or empty; detection from the content comes first.
    """

    media_type: FileType = ""
    text: str = ""
    path: str = ""
    filename: str = ""
    charset: str = ""
    password: str = ""
    url: str = ""  # of a fetched page: its article is extracted, without navigation and advertisements
    digest: str = ""  # SHA-256 of a fetched page's content, in hex


@dataclass(slots=True)
class Allowance:
    """What is left of the limits for all files inside a document together, however they are nested."""

    entries: int
    bytes: int
    ocr_pages: int
    ocr_until: float  # of the monotonic clock: no further page is recognised

    @classmethod
    def of(cls, bounds: Bounds) -> "Allowance":
        until = time.monotonic() + OCR_TIME_SHARE * bounds.ocr_wall_s
        return cls(bounds.archive_entries_max, bounds.archive_bytes_max, bounds.ocr_pages_max, until)

    @property
    def is_exhausted(self) -> bool:
        """Whether a limit was reached: the whole document is refused, not only the file that reached it."""
        return self.entries < 0 or self.bytes < 0

    def take_entry(self) -> None:
        """Count one more file. Raises Refused("document_too_complex")."""
        self.entries -= 1
        if self.entries < 0:
            raise Refused("document_too_complex", "it holds too many files (CLAW_DOCUMENT_ARCHIVE_ENTRIES_MAX)")

    def take_bytes(self, count: int) -> None:
        """Count unpacked bytes. Raises Refused("document_too_complex")."""
        self.bytes -= count
        if self.bytes < 0:
            raise Refused("document_too_complex", "it unpacks to too many bytes (CLAW_DOCUMENT_ARCHIVE_BYTES_MAX)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file to be parsed: alone, or inside another one (then ``depth`` is above 0). Each format is a function ``Entry -> ParsedText``."""

    data: bytes
    bounds: Bounds
    media_type: FileType = ""
    filename: str = ""
    charset: str = ""
    password: str = ""
    url: str = ""
    depth: int = 0
    allowance: Allowance | None = None  # None: as the bounds say


def check_depth(entry: Entry) -> None:
    """Raises Refused("document_too_complex") when ``entry`` is nested too deep for its files to be opened."""
    if entry.depth >= entry.bounds.archive_depth_max:
        raise Refused("document_too_complex", "files are nested too deep (CLAW_DOCUMENT_ARCHIVE_DEPTH_MAX)")
