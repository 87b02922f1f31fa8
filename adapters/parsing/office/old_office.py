"""DOC and PPT: LibreOffice converts them, where it is installed, and the parsers of DOCX and PPTX read what they become."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.programs import find_libreoffice
from adapters.parsing.core.source import Entry
from adapters.parsing.office.libreoffice_kit import convert
from adapters.parsing.office.package import decrypt_entry
from adapters.parsing.office.slides import parse_pptx
from adapters.parsing.office.word import parse_docx
from schemas.errors import Refused


def parse_doc(entry: Entry, parse_inner: Callable[[Entry], ParsedText]) -> ParsedText:
    """A Word document of before 2007. Raises as ``_convert`` and ``word.parse_docx`` do."""
    return parse_docx(_convert(entry, "doc", "docx"), parse_inner)


def parse_ppt(entry: Entry) -> ParsedText:
    """A presentation of before 2007. Raises as ``_convert`` and ``slides.parse_pptx`` do."""
    return parse_pptx(_convert(entry, "ppt", "pptx"))


def _convert(entry: Entry, old: str, new: str) -> Entry:
    """The same document in its present format.

    Raises Refused: ``document_type_unsupported`` without LibreOffice, ``document_unreadable``, ``document_too_complex``,
    ``password_required``, ``password_wrong``.
    """
    if not find_libreoffice():
        raise Refused(
            "document_type_unsupported",
            f"an Office file of before 2007 (.{old}) is read where LibreOffice is installed, and here it is not; save it as .{new}",
        )
    data = decrypt_entry(entry)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target = folder / f"document.{old}", folder / f"document.{new}"
        source.write_bytes(data)
        convert(source, target, new)
        if target.stat().st_size > entry.bounds.archive_bytes_max:
            raise Refused("document_too_complex", "it converts to a file of too many bytes (CLAW_DOCUMENT_ARCHIVE_BYTES_MAX)")
        return replace(entry, data=target.read_bytes(), password="")
