"""DOCX: headings by style, lists with the numbers that Word shows, tables row by row, text boxes, notes, headers and footers.

Read from the parts' XML: what python-docx leaves out (text boxes, content controls, insertions, nested tables, notes) is text as well.
Comments and what was deleted with track changes are not. Pages are known only when Word wrote down where it broke all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.cell_ranges import CellRange
from adapters.parsing.core.hidden import HiddenContent
from adapters.parsing.core.merged_cells import HEADER_ROWS_MAX, fill_grid
from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.office.drawings import CHART, DIAGRAM, chart_rows, choose_alternative, diagram_texts
from adapters.parsing.office.package import Package, open_package
from adapters.parsing.office.word_fields import field_state, is_placeholder, run_text, symbol_text
from adapters.parsing.office.word_styles import Numbering, Styles, W, child_value, parse_number
from schemas.documents import Locator

COLUMNS_MAX = 63  # Word's own limit
PAGES_MAX = 100_000
_R_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_ALTERNATE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_BREAKS = {W + "tab": "\t", W + "ptab": "\t", W + "br": "\n", W + "cr": "\n", W + "noBreakHyphen": "-"}
_SIGNS = {W + "sym": symbol_text, W + "fldChar": field_state}
_DELETED = {W + "del", W + "moveFrom", W + "instrText", W + "delText", W + "rt"}
_PROPERTIES = {W + "pPr", W + "rPr", W + "sdtPr", W + "sdtEndPr", W + "smartTagPr", W + "customXmlPr", W + "tblPr", W + "tblGrid"}
_SKIPPED = _DELETED | _PROPERTIES
_BLOCKS = (_ALTERNATE, *(W + name for name in ("p", "tbl", "sdt", "customXml", "ins", "moveTo")))
_PICTURES = {W + "drawing", W + "pict", W + "object"}
_NOTES = {W + "footnoteReference": "footnotes", W + "endnoteReference": "endnotes"}


@dataclass(slots=True)
class _BlockContext:
    """Text boxes, charts and notes of a block, and the page on which its text begins."""

    page: int
    boxes: list[Any] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    begun: bool = False
    text: str = ""
    paragraph: Any = None  # the last one that the text is of


def parse_docx(entry: Entry) -> ParsedText:
    """Raises Refused: ``document_unreadable``, ``document_too_complex``, ``password_required``, ``password_wrong``."""
    package = open_package(entry)
    return _DocxReader(package, entry.bounds).read()


class _DocxReader:
    """Walks the document once, in reading order."""

    def __init__(self, package: Package, bounds: Bounds) -> None:
        self._package, self._chars_max = package, bounds.chars_max
        self._hidden = HiddenContent(include=bounds.include_hidden)
        self._name = package.main_part("document")
        self._assembly = Assembly(bounds.chars_max)
        self._styles = Styles(package.find_tree(self._name, "styles"))
        self._numbering = Numbering(package.find_tree(self._name, "numbering"))
        self._targets = {relation.id: relation.target for relation in package.relations(self._name)}
        self._notes = {(kind, note_id): note for kind in _NOTES.values() for note_id, note in self._notes_of(kind)}
        self._joined: _BlockContext | None = None  # a paragraph that goes on
        self._title = ""  # the first paragraph of the style Title
        self._page = 1 if self._has_all_page_breaks() else 0

    def read(self) -> ParsedText:
        self._read_blocks(self._package.children(self._name, W + "body", _BLOCKS))
        self._add_paragraph()
        for note in list(self._notes):  # those that no text refers to
            self._add_note(note)
        self._add_margins()
        self._hidden.note_in(self._assembly)
        return self._assembly.build(self._title, self._package.title())

    def _has_all_page_breaks(self) -> bool:
        """Whether every page break is recorded in the file: then its properties count as many pages."""
        properties = self._package.find_tree("", "extended-properties")
        pages = 0 if properties is None else parse_number(properties.findtext("{*}Pages", ""), 0, PAGES_MAX)
        return pages > 1 and self._package.parts[self._name.lower()].count(b"lastRenderedPageBreak/>") == pages - 1

    def _notes_of(self, kind: str) -> Iterator[tuple[str, Any]]:
        tree = self._package.find_tree(self._name, kind)
        for note in () if tree is None else tree.iterchildren(W + kind[:-1]):
            if note.get(W + "type", "normal") == "normal":
                yield note.get(W + "id", ""), note

    def _read_blocks(self, container: Any) -> None:
        for element in container:
            if element.tag == W + "p":
                self._read_paragraph(element)
            elif element.tag == W + "tbl":
                self._read_table(element)
            elif element.tag == _ALTERNATE:
                self._read_blocks(choose_alternative(element))
            elif element.tag not in _SKIPPED and not is_placeholder(element):  # content controls, insertions, custom markup
                self._read_blocks(element)

    def _read_paragraph(self, paragraph: Any) -> None:
        found = self._joined or _BlockContext(self._page)
        found.text += "".join(self._text(paragraph, found))
        found.paragraph, self._joined = paragraph, found
        if paragraph.find(f"{W}pPr/{W}rPr/{W}del") is None:  # of one whose end was deleted, the next one is the rest
            self._add_paragraph()

    def _add_paragraph(self) -> None:
        """Add what was read of paragraphs and not added yet, as the last of them is."""
        if (found := self._joined) is None:
            return
        self._joined, paragraph, text = None, found.paragraph, found.text.strip()
        if text:
            place = self._locator(found)
            level = self._styles.level(paragraph)
            list_id, depth = self._styles.numbering(paragraph)
            label = self._numbering.next_label(list_id, depth) if list_id else ""
            text = f"{label} {text}" if label else text
            if level:
                self._title = self._title or (text if self._styles.is_title(paragraph) else "")
                self._assembly.add_heading(level, text, place)
            elif list_id:
                self._assembly.add_item(text, place)
            else:
                self._assembly.add_paragraph(text, place)
        self._add_attachments(found)

    def _read_table(self, table: Any) -> None:
        self._add_paragraph()
        elements = [row for row in _rows(table) if not self._leaves_out(row, "trPr/", "hidden", "table rows")]
        rows = [list(_cells(row)) for row in elements]
        if all(len(row) == 1 for row in rows):  # a frame around text, not a table
            for row in rows:
                self._read_blocks(row[0])
            return
        found = _BlockContext(self._page)
        cells: list[list[tuple[int, str]]] = []
        ranges: list[CellRange] = []
        open_ranges: dict[int, int] = {}  # by first column: where in ``ranges`` the merged cell is that may go on below
        for number, (element, row) in enumerate(zip(elements, rows, strict=True), 1):
            column = 1 + _grid_number(element.find(W + "trPr"), "gridBefore", 0)
            cells.append([])
            for cell in row:
                properties = cell.find(W + "tcPr")
                last = column + _grid_number(properties, "gridSpan", 1) - 1
                text = "\n".join(self._lines(cell, found)).strip()
                merge = _merge_kind(properties)
                if merge == "continue" and column in open_ranges:
                    ranges[open_ranges[column]] = ranges[open_ranges[column]]._replace(last_row=number)
                else:
                    open_ranges.pop(column, None)
                    if merge:
                        open_ranges[column] = len(ranges)
                    if merge or last > column:
                        ranges.append(CellRange(number, column, number, last))
                if text:
                    cells[-1].append((column, text))
                column = last + 1
        grid = fill_grid(cells, ranges, self._chars_max)
        marked = sum(1 for _ in takewhile(lambda row: row.find(f"{W}trPr/{W}tblHeader") is not None, elements))
        header = min(max(marked, grid.header_rows), HEADER_ROWS_MAX)
        self._assembly.add_table(grid.rows, self._locator(found), header_rows=header)
        self._add_attachments(found)

    def _lines(self, container: Any, found: _BlockContext) -> Iterator[str]:
        """Everything in a cell or a note as lines, tables in it too."""
        for element in container:
            if element.tag == W + "p":
                yield "".join(self._text(element, found))
            elif element.tag == W + "tbl":
                for row in _rows(element):
                    yield " ".join(line for cell in _cells(row) for line in self._lines(cell, found))
            elif element.tag == _ALTERNATE:
                yield from self._lines(choose_alternative(element), found)
            elif element.tag not in _SKIPPED and not is_placeholder(element):
                yield from self._lines(element, found)

    def _text(self, element: Any, found: _BlockContext) -> Iterator[str]:
        """The text of a paragraph or of anything inside one."""
        for child in element:
            tag = child.tag
            if tag in (W + "t", _MATH_TEXT):
                found.begun = found.begun or bool(child.text)
                yield run_text(child.text or "", element)
            elif tag in _BREAKS:
                yield _BREAKS[tag]
            elif tag in _SIGNS:
                yield _SIGNS[tag](child)
            elif tag == W + "lastRenderedPageBreak":
                self._turn_page(found)
            elif tag in _NOTES:
                found.notes.append((_NOTES[tag], child.get(W + "id", "")))
            elif tag == _ALTERNATE:
                yield from self._text(choose_alternative(child), found)
            elif tag in _PICTURES:
                found.boxes.append(child)
            elif tag not in _SKIPPED and not is_placeholder(child) and not (tag == W + "r" and self._is_left_out(child)):
                yield from self._text(child, found)

    def _is_left_out(self, run: Any) -> bool:
        properties = run.find(W + "rPr")
        if properties is None:
            return False
        style = child_value(properties, "rStyle")
        mark = properties.find(W + "vanish")
        if (_is_on(mark) if mark is not None else style in self._styles.hidden) and run.find(W + "t") is not None:
            self._hidden.add("text")
            return self._hidden.leave_out
        return False

    def _leaves_out(self, element: Any, path: str, mark: str, what: str) -> bool:
        found = element.find(f"{W}{path}{W}{mark}")
        if found is None or not _is_on(found):
            return False
        self._hidden.add(what)
        return self._hidden.leave_out

    def _turn_page(self, found: _BlockContext) -> None:
        if self._page:
            self._page += 1
            if not found.begun:
                found.page = self._page

    def _locator(self, found: _BlockContext) -> Locator | None:
        if not self._page:
            return None
        return Locator(page=found.page, page_last=self._page if self._page > found.page else 0)

    def _add_attachments(self, found: _BlockContext) -> None:
        """Text boxes, charts and notes of a block, after it."""
        for picture in found.boxes:
            self._add_drawing(picture)
        for note in found.notes:
            self._add_note(note)

    def _add_drawing(self, element: Any) -> None:
        for child in element:
            if child.tag == W + "txbxContent":
                self._read_blocks(child)
            elif child.tag == _ALTERNATE:
                self._add_drawing(choose_alternative(child))
            elif child.tag == CHART:
                chart = self._package.tree(self._targets.get(child.get(_R_ID, ""), ""))
                self._assembly.add_table(chart_rows(chart), self._locator(_BlockContext(self._page)))
            elif child.tag == DIAGRAM:
                for text in diagram_texts(self._package, self._targets, child):
                    self._assembly.add_item(text, self._locator(_BlockContext(self._page)))
            else:
                self._add_drawing(child)

    def _add_note(self, key: tuple[str, str]) -> None:
        note = self._notes.pop(key, None)
        if note is not None:
            found = _BlockContext(self._page)
            self._assembly.add_paragraph("\n".join(self._lines(note, found)), self._locator(found))
            self._add_attachments(found)

    def _add_margins(self) -> None:
        """Headers and footers, each text once, at the end: they belong to no section."""
        self._page = 0
        said: set[str] = set()
        for relation in self._package.relations(self._name):
            tree = self._package.tree(relation.target) if relation.kind in ("header", "footer") else None
            found = _BlockContext(0)
            lines = [] if tree is None else list(self._lines(tree, found))
            for box in (box for picture in found.boxes for box in picture.iter(W + "txbxContent")):
                lines += self._lines(box, found)
            text = "\n".join(dict.fromkeys(filter(str.strip, lines)))  # a box may be there for old programs, too
            if text not in said and any(map(str.isalpha, text)):
                self._assembly.start_section()
                self._assembly.add_paragraph(text)
                said.add(text)


def _rows(table: Any) -> Iterator[Any]:
    """Rows, also those in content controls and insertions, without deleted ones."""
    for element in table:
        if element.tag == W + "tr":
            if element.find(f"{W}trPr/{W}del") is None:
                yield element
        elif element.tag not in _SKIPPED:
            yield from _rows(element)


def _cells(row: Any) -> Iterator[Any]:
    for element in row:
        if element.tag == W + "tc":
            yield element
        elif element.tag not in _SKIPPED:
            yield from _cells(element)


def _is_on(mark: Any) -> bool:
    return mark.get(W + "val", "1") not in ("0", "false", "off")


def _grid_number(properties: Any, name: str, least: int) -> int:
    """How many columns of the grid a cell covers, or a row leaves free."""
    return least if properties is None else parse_number(child_value(properties, name), least, COLUMNS_MAX)


def _merge_kind(properties: Any) -> str:
    """Restart or continue of a cell that is merged with others of its column; empty of one that is not."""
    mark = None if properties is None else properties.find(W + "vMerge")
    return "" if mark is None else mark.get(W + "val", "continue")
