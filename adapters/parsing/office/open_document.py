"""OpenDocument packages: what spreadsheets (ODS) and presentations (ODP) have in common."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from adapters.parsing.core.cell_ranges import CellRange
from adapters.parsing.core.source import Entry
from adapters.parsing.core.unpacking import refuse_encrypted
from adapters.parsing.office.package import Package, open_package
from schemas.errors import Refused

_NAMESPACE = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TABLE, TEXT, DRAW, STYLE, SVG, PRESENTATION = (
    f"{{{_NAMESPACE}{name}:1.0}}" for name in ("office", "table", "text", "drawing", "style", "svg-compatible", "presentation")
)
CONTENT, META, MANIFEST = "content.xml", "meta.xml", "meta-inf/manifest.xml"  # macros beside them are not read
SPACES_MAX = 100  # that stand for one element
SPAN_MAX = 16_384  # columns of a sheet; rows are bounded by the cells that hold something
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_LEFT_OUT = {OFFICE + "annotation", TEXT + "note-citation", DRAW + "frame", DRAW + "g", DRAW + "custom-shape"}
_NUMBER = re.compile(r"\d{1,7}")


def open_document(entry: Entry) -> Package:
    """Raises Refused: ``document_unreadable`` (also for one with a password), ``document_too_complex``."""
    package = open_package(entry, names=(CONTENT, META, MANIFEST))
    refuse_encrypted(package.parts.get(MANIFEST, b""))
    if not package.parts.get(CONTENT):
        raise Refused("document_unreadable", "it has no readable content.xml")
    return package


def document_title(package: Package) -> str:
    """The title in the file's properties."""
    meta = package.tree(META)
    return "" if meta is None else (next(meta.iter(_TITLE), etree.Element("none")).text or "").strip()


def styles_with(package: Package, properties: str, attribute: str, values: Sequence[str]) -> frozenset[str]:
    """Names of the styles whose ``properties`` have one of these ``values``, such as those of hidden sheets."""
    found = set()
    for style in package.children(CONTENT, OFFICE + "automatic-styles", (STYLE + "style",)):
        if any(one.get(attribute) in values for one in style.iterchildren(properties)):
            found.add(style.get(STYLE + "name", ""))
    return frozenset(found)


def text_of(paragraph: Any) -> str:
    """The text of a paragraph: spaces, tabs and line breaks are elements; comments and what is drawn on it are left out."""
    return "".join(_pieces(paragraph)).strip()


def _paragraphs_of(element: Any) -> Iterator[Any]:
    """Paragraphs at any depth, but those of comments and of what is drawn."""
    for child in element:
        if child.tag in (TEXT + "p", TEXT + "h"):
            yield child
        elif child.tag not in _LEFT_OUT:
            yield from _paragraphs_of(child)


def _pieces(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if child.tag == TEXT + "s":
            yield " " * min(number_of(child, TEXT + "c"), SPACES_MAX)
        elif child.tag == TEXT + "tab":
            yield "\t"
        elif child.tag == TEXT + "line-break":
            yield "\n"
        elif child.tag not in _LEFT_OUT:
            yield from _pieces(child)
        yield child.tail or ""


def number_of(element: Any, attribute: str) -> int:
    """A count, 1 when it is not given or no number."""
    found = _NUMBER.fullmatch(element.get(attribute, ""))
    return max(1, int(found[0])) if found else 1


def cells_of(row: Any, number: int, ranges: list[CellRange]) -> Iterator[tuple[int, str]]:
    """Columns of a row, from 1, that hold something; its merged cells are added to ``ranges``."""
    column = 1
    for cell in row.iterchildren(TABLE + "table-cell", TABLE + "covered-table-cell"):
        repeated = number_of(cell, TABLE + "number-columns-repeated")
        text = "" if cell.tag != TABLE + "table-cell" else "\n".join(filter(None, map(text_of, _paragraphs_of(cell))))
        if text:
            below, beside = (number_of(cell, f"{TABLE}number-{name}-spanned") - 1 for name in ("rows", "columns"))
            if below or beside:
                ranges.append(CellRange(number, column, number + below, min(column + beside, SPAN_MAX)))
            for offset in range(min(repeated, SPAN_MAX)):
                yield column + offset, text
        column += repeated
        if column > SPAN_MAX:
            return
