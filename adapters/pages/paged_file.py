"""A file that has pages: a PDF file, a picture, an Office file where LibreOffice is installed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Protocol

from adapters.pages.boxes import PageBox
from adapters.parsing.core.detect import DOC, DOCX, ODP, ODS, ODT, PDF, PICTURES, PPT, PPTX, RTF, XLS, XLSX, detect
from adapters.parsing.core.programs import find_libreoffice
from adapters.parsing.core.source import Entry
from schemas.errors import Refused

CONVERTED = {DOC: "doc", DOCX: "docx", ODP: "odp", ODS: "ods", ODT: "odt", PPT: "ppt", PPTX: "pptx", RTF: "rtf", XLS: "xls", XLSX: "xlsx"}


class PagedFile(Protocol):
    """A file that is open. Pages count from 1; methods raise Refused("document_unreadable") for a page that cannot be read, or is none."""

    @property
    def page_count(self) -> int: ...

    def page_size(self, page: int) -> tuple[float, float]:
        """Width and height, in a unit of the file's own."""
        ...

    def page_text(self, page: int) -> str:
        """The page's text, a character for each that ``text_boxes`` counts; empty for a picture."""
        ...

    def text_boxes(self, page: int, start: int, end: int) -> Sequence[PageBox]:
        """The boxes of the characters ``start`` to before ``end`` of the page's text."""
        ...

    def render_page(self, page: int, width: int) -> bytes:
        """An image of so many pixels' width at most, as WebP."""
        ...


def has_pages(media_type: str) -> bool:
    """Whether files of this type have pages here."""
    return media_type == PDF or media_type in PICTURES or (media_type in CONVERTED and bool(find_libreoffice()))


@contextmanager
def open_pages(entry: Entry, convert: Callable[[Entry, str], bytes]) -> Iterator[PagedFile]:
    """The file of ``entry``; ``convert(entry, extension)`` makes a PDF file of one that has to be converted.

    Raises Refused: ``document_type_unsupported`` for a file without pages, and what opening it raises.
    """
    media_type = detect(entry)
    if not has_pages(media_type):
        raise Refused("document_type_unsupported", "a file of this type has no pages here")
    if media_type in CONVERTED:
        entry = replace(entry, data=convert(entry, CONVERTED[media_type]), password="")
    with _opener(entry, is_picture=media_type in PICTURES) as opened:
        yield opened


def _opener(entry: Entry, *, is_picture: bool) -> AbstractContextManager[PagedFile]:
    if is_picture:
        from adapters.pages.picture_file import open_picture  # noqa: PLC0415  only pictures need it

        return open_picture(entry)
    from adapters.pages.pdf_file import open_pdf_pages  # noqa: PLC0415  as above

    return open_pdf_pages(entry)
