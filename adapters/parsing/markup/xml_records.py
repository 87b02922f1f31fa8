"""XML of any vocabulary: records become rows, values keep the names of their elements, prose stays prose.

What an element means only its vocabulary knows, so three shapes decide: like elements one after another that hold values are a table,
a single value is a line ``name: value``, and an element with text around its inner tags is a paragraph.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.core.text import decode_entry
from adapters.parsing.core.xml_options import XML_OPTIONS
from schemas.errors import Refused

RECORDS_MIN = 2  # elements of one name in a row are a table from here on
COLUMNS_MAX = 100  # of a table; records with more kinds of values are read one by one
_TITLES = ("title", "name", "heading", "label", "标题", "名称", "標題", "名稱")
_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}"
_XML = "{http://www.w3.org/XML/1998/namespace}"


def parse_xml(entry: Entry) -> ParsedText:
    """The values of an XML file in any encoding, under the titles of the elements that hold them.

    Raises Refused: ``document_unreadable`` when it is not well-formed, ``document_too_complex``.
    """
    text = decode_entry(entry, html=True)
    try:
        root = etree.fromstring(_without_declaration(text).encode("utf-8"), etree.XMLParser(encoding="utf-8", **XML_OPTIONS))
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refused("document_unreadable", f"the XML is not well-formed: {error}") from error
    reader = _XmlReader(entry.bounds)
    reader.read(root, 1)
    return reader.assembly.build()


def _without_declaration(text: str) -> str:
    """The declaration names an encoding, which the text no longer has."""
    text = text.lstrip()
    return text.partition("?>")[2] if text.startswith("<?xml") else text


class _XmlReader:
    """Reads elements from the outside in."""

    def __init__(self, bounds: Bounds) -> None:
        self.assembly = Assembly(bounds.chars_max)
        self._cells_left = bounds.cells_max
        self._lines: list[str] = []

    def read(self, element: Any, level: int) -> None:
        """Read an element with everything in it."""
        if _is_prose(element):
            self._flush()
            self.assembly.add_paragraph(_text_of(element))
            return
        children = [child for child in element if isinstance(child.tag, str)]
        if not children and (text := _text_of(element)):
            self._lines.append(f"{_name(element.tag)}: {text}")
        title = next((child for child in children if _is_title(child)), None)
        if title is not None:
            self._flush()
            self.assembly.add_heading(level, _text_of(title))
        self._lines += (f"{name}: {value}" for name, value in _attributes(element))
        for run in _runs(child for child in children if child is not title):
            self._read_run(run, level + (title is not None))
        self._flush()

    def _read_run(self, run: list[Any], level: int) -> None:
        """Neighbours of one name: a table when each is a record, else one after another."""
        if len(run) >= RECORDS_MIN and (columns := _columns(run)):
            self._flush()
            self._cells_left -= len(columns) * len(run)
            if self._cells_left < 0:
                raise Refused("document_too_complex", "it holds too many values (CLAW_DOCUMENT_CELLS_MAX)")
            rows = (dict(_values(record)) for record in run)
            self.assembly.add_table([columns, *([row.get(column, "") for column in columns] for row in rows)])
            return
        for element in run:
            if len(element) or _attributes(element):
                self._read_holder(element, level)
            elif text := _text_of(element):
                self._lines.append(f"{_name(element.tag)}: {text}")

    def _read_holder(self, element: Any, level: int) -> None:
        if not len(element) and (text := _text_of(element)):  # a value with attributes: on one line
            said = ", ".join(f"{name}: {value}" for name, value in _attributes(element))
            self._lines.append(f"{_name(element.tag)}: {text} ({said})")
            return
        self._flush()
        self.read(element, level)

    def _flush(self) -> None:
        """Add the lines collected so far as one paragraph."""
        self.assembly.add_paragraph("\n".join(self._lines))
        self._lines.clear()


def _runs(elements: Iterable[Any]) -> Iterator[list[Any]]:
    run: list[Any] = []
    for element in elements:
        if run and run[-1].tag != element.tag:
            yield run
            run = []
        run.append(element)
    if run:
        yield run


def _columns(records: list[Any]) -> list[str]:
    """The names of the values of records, in order; empty when they are not records: nested, prose, or of one value each."""
    names: dict[str, None] = {}
    for record in records:
        if _is_prose(record) or any(len(child) for child in record):
            return []
        held = [name for name, _ in _values(record)]
        if len(held) != len(set(held)):  # a list inside the record
            return []
        names |= dict.fromkeys(held)
        if len(names) > COLUMNS_MAX:
            return []
    return list(names) if len(names) > 1 else []


def _values(record: Any) -> Iterator[tuple[str, str]]:
    """Names and values of a record: attributes, then elements; its own text goes under its own name."""
    yield from _attributes(record)
    if not len(record) and (text := _text_of(record)):
        yield _name(record.tag), text
    for child in record:
        if isinstance(child.tag, str):
            yield _name(child.tag), _text_of(child)
            yield from ((f"{_name(child.tag)} {name}", value) for name, value in _attributes(child))


def _attributes(element: Any) -> list[tuple[str, str]]:
    return [(_name(name), value) for name, value in element.attrib.items() if value.strip() and not name.startswith((_SCHEMA, _XML))]


def _is_prose(element: Any) -> bool:
    """Whether text stands beside inner elements."""
    return len(element) > 0 and bool((element.text or "").strip() or any((child.tail or "").strip() for child in element))


def _is_title(element: Any) -> bool:
    """Whether an element names the one that it is in."""
    return _name(element.tag).lower() in _TITLES and not len(element) and not _attributes(element) and bool(_text_of(element))


def _text_of(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def _name(tag: str) -> str:
    """Without its namespace."""
    return tag.rpartition("}")[2]
