"""HTML pages: the tree of tags is read from end to end; structure comes from the tags, nothing is guessed and no text is lost.

A table of data is rows; a table that only arranges a page (others inside it, headings in it, one column) is read as what it holds.
"""

import re
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText, has_words
from adapters.parsing.core.cell_ranges import CellRange
from adapters.parsing.core.hidden import HiddenContent
from adapters.parsing.core.merged_cells import MergedGrid, fill_grid
from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.core.text import decode_entry
from adapters.parsing.markup.boilerplate import remove_boilerplate
from adapters.parsing.markup.visibility import empty_hidden
from schemas.errors import Refused

SPAN_MAX = 100  # columns of one cell: more is a mistake, or meant to fill memory
ROWS_MAX = 65_534  # of one cell, as in browsers; rows that are not there cost nothing

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_KINDS = {"li": "item", "dt": "item", "dd": "item", "pre": "code", "listing": "code", "blockquote": "quote"} | dict.fromkeys(
    _HEADINGS, "heading"
)
_BLOCKS = frozenset(
    """address article aside body caption center details dialog dir div dl fieldset figcaption figure footer form head header hr html legend
    main menu ol option p search section summary table tbody td textarea tfoot th thead tr ul""".split()
) | set(_KINDS)
HIDDEN_TAGS = frozenset(("script", "style", "template", "title", "noscript", "select", "datalist"))
_NAVIGATION_TAGS = frozenset(("nav",))
_SOFT_HYPHEN = re.compile("\xad|&shy;|&#173;|&#xad;", re.IGNORECASE)  # where a word may be broken: not part of it
_WIDE = "\u2e80-\ua4cf\uf900-\ufaff\uff00-\uffef"
_WIDE_BREAK = re.compile(f"(?<=[{_WIDE}])[ \t]*\n[ \t]*(?=[{_WIDE}])")  # a line wrapped in Chinese: no space belongs there
_SPACE = re.compile(r"\s+")
_LIMITS_HIT = re.compile("excessive depth|huge", re.IGNORECASE)  # of the tag parser, which then stops silently
_LAYOUT = ("table", *_HEADINGS)


def parse_html(entry: Entry) -> ParsedText:
    """A page as a file: in the encoding that it or its sender names, unless the bytes say otherwise. Raises as ``parse_page`` does."""
    return parse_page(decode_entry(entry, html=True), entry.bounds)


def parse_page(text: str, bounds: Bounds) -> ParsedText:
    """Blocks of the visible text, without scripts, styles and, unless there is nothing else, what is the site's (``boilerplate``).

    ``text`` must be clean.

    Raises Refused("document_unreadable") when tags nest too deep for the parser, which would silently lose what is inside, and
    Refused("document_too_complex") for too much text.
    """
    text = _SOFT_HYPHEN.sub("", text)
    hidden, root = HiddenContent(include=bounds.include_hidden), parse_tree(text)
    if root is None:
        return Assembly(bounds.chars_max).build()
    empty_hidden(root, hidden, HIDDEN_TAGS)
    _remove_line_numbers(root)
    remove_boilerplate(root)
    parsed = _read_tree(root, bounds, HIDDEN_TAGS | _NAVIGATION_TAGS, hidden)
    if has_words(parsed.text):
        return parsed
    hidden, root = HiddenContent(include=bounds.include_hidden), parse_tree(text)
    empty_hidden(root, hidden, HIDDEN_TAGS)
    return _read_tree(root, bounds, HIDDEN_TAGS, hidden)


def _remove_line_numbers(root: Any) -> None:
    """Numbers of lines of code, in a column beside it."""
    for code in root.iterdescendants("pre"):
        numbers = "".join(code.itertext()).split()
        counts = len(numbers) > 1 and all(map(str.isdecimal, numbers)) and code.xpath("ancestor::td[1]/following-sibling::td//pre")
        if counts and all(int(after) == int(before) + 1 for before, after in pairwise(numbers)):
            code.clear(keep_tail=True)


def parse_tree(text: str) -> Any:
    """The tree, or None when there are no tags and no text. Raises Refused("document_unreadable") for too deep a nesting."""
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except etree.LxmlError:
        return None
    if any(_LIMITS_HIT.search(entry.message) for entry in parser.error_log):
        raise Refused("document_unreadable", "the HTML nests its tags deeper than 256 levels, or has one piece of more than 10 MB")
    return root


def _read_tree(root: Any, bounds: Bounds, unseen: frozenset[str], hidden: HiddenContent) -> ParsedText:
    assembly = Assembly(bounds.chars_max)
    page = _HtmlReader(assembly)
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if event == "end":
            page.leave(element)
        elif element.tag in unseen:
            page.skip(element)
            walk.skip_subtree()
        elif element.tag == "table" and (grid := table_grid(element, bounds, unseen)):
            page.add_table(element, grid)
            walk.skip_subtree()
        else:
            page.enter(element)
    hidden.note_in(assembly)
    title = root.find(".//title")
    return assembly.build("".join(title.itertext()) if title is not None else "")


class _HtmlReader:
    """Reads a page: text is collected until a tag ends the block."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._open: list[str] = []  # tags that say what kind of block text belongs to, outermost first
        self._pieces: list[str] = []
        self._skipped: Any = None

    def enter(self, element: Any) -> None:
        if element.tag in _BLOCKS:
            self._flush()
        if element.tag in _KINDS:
            self._open.append(element.tag)
        if element.tag == "br":
            self._pieces.append("\n")
        self._add_text(element.text)

    def leave(self, element: Any) -> None:
        if element is self._skipped:
            self._skipped = None
        else:
            if element.tag in _BLOCKS:
                self._flush()
            if element.tag in _KINDS:
                self._open.pop()
        self._add_text(element.tail)

    def skip(self, element: Any) -> None:
        """Skip an element's text; the text after it is read."""
        self._skipped = element

    def add_table(self, element: Any, grid: MergedGrid) -> None:
        self._flush()
        self._skipped = element
        for caption in element.iterfind("caption"):
            self._assembly.add_paragraph(_inline_text(caption))
        self._assembly.add_table(grid.rows, header_rows=grid.header_rows)

    def _add_text(self, text: str | None) -> None:
        if not text:
            return
        if self._is_preformatted:
            self._pieces.append(text)
        else:
            self._pieces.append(_SPACE.sub(" ", _WIDE_BREAK.sub("", text)))

    @property
    def _is_preformatted(self) -> bool:
        return any(_KINDS[tag] == "code" for tag in self._open)

    def _flush(self) -> None:
        """Add the block that ends here, if there is one."""
        text = "".join(self._pieces)
        self._pieces.clear()
        if not text.strip():
            return
        tag = "pre" if self._is_preformatted else self._open[-1] if self._open else ""
        if _KINDS.get(tag) != "code":
            text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
        match _KINDS.get(tag):
            case "heading":
                self._assembly.add_heading(_HEADINGS[tag], text)
            case "item":
                self._assembly.add_item(text)
            case "code":
                self._assembly.add_code(text)
            case "quote":
                self._assembly.add_quote(text)
            case _:
                self._assembly.add_paragraph(text)


def table_grid(table: Any, bounds: Bounds, unseen: frozenset[str] = HIDDEN_TAGS) -> MergedGrid | None:
    """The rows of a table of data; None when it arranges a page, or has text outside its cells that would be lost."""
    if next(table.iterdescendants(*_LAYOUT), None) is not None or any("\n" in (text or "") for text in _code_texts(table)):
        return None
    rows, ranges = _grid_cells(table, bounds, unseen)
    if max(map(len, rows), default=0) <= 1:
        return None
    told = sum(len(_SPACE.sub("", text)) for row in rows for _, text in row)
    told += sum(len(_SPACE.sub("", _inline_text(caption, unseen))) for caption in table.iterfind("caption"))
    if told != len(_SPACE.sub("", _inline_text(table, unseen))):
        return None
    grid = fill_grid(rows, ranges, bounds.chars_max)
    return grid._replace(header_rows=0) if _names_rows(table) else grid


def _code_texts(element: Any) -> Iterator[str]:
    """The texts of code in an element, end to end: a table with code of several lines is there for its line numbers."""
    for code in element.iterdescendants("pre"):
        yield from code.itertext()


def _names_rows(table: Any) -> bool:
    """Whether the first row says its name and then values, as those below it do: then nothing names the columns."""
    lines = list(islice(table.iter("tr"), 2))
    cells = [[cell.tag for cell in line.iterchildren("td", "th")] for line in lines]
    return len(cells) > 1 and all(tags[:1] == ["th"] and "td" in tags for tags in cells)


def spell_out_merged(tree: Any, bounds: Bounds) -> None:
    """Rows of tables with merged cells say what covers them: for readers that keep a merged cell in its first one only."""
    for table in tree.iter("table"):
        spans = any(cell.get(name, "1").strip() != "1" for cell in table.iter("td", "th") for name in ("rowspan", "colspan"))
        grid = table_grid(table, bounds) if spans else None
        for line, row in zip(list(table.iter("tr")), grid.rows if grid else (), strict=False):
            tag = line[0].tag if len(line) else "td"
            for cell in list(line):
                line.remove(cell)
            for text in row:
                etree.SubElement(line, tag).text = text


def _grid_cells(table: Any, bounds: Bounds, unseen: frozenset[str]) -> tuple[list[list[tuple[int, str]]], list[CellRange]]:
    """The cells that say something, row by row with their columns from 1, and the merged ones, which end with their group of rows."""
    rows: list[list[tuple[int, str]]] = []
    ranges: list[CellRange] = []
    covered: dict[int, int] = {}  # column -> last row that a cell above reaches into
    group, group_ranges, width = None, 0, 0
    for number, line in enumerate(table.iter("tr"), 1):
        if (parent := line.getparent()) is not group:
            _end_ranges(ranges, group_ranges, number - 1)
            group, group_ranges, covered = parent, len(ranges), {}
        rows.append([])
        column = 1
        for cell in line.iterchildren("td", "th"):
            while covered.get(column, 0) >= number:
                column += 1
            last_row, last = number + _rows_of(cell) - 1, column + _columns_of(cell) - 1
            if last_row > number or last > column:
                ranges.append(CellRange(number, column, last_row, last))
            for beside in range(column, last + 1) if last_row > number else ():
                covered[beside] = last_row
            if text := _inline_text(cell, unseen):
                rows[-1].append((column, text))
                width = max(width, column)
            column = last + 1
        if column + width * number > bounds.cells_max:
            raise Refused("document_too_complex", f"a table has more than {bounds.cells_max:,} cells (CLAW_DOCUMENT_CELLS_MAX)")
    _end_ranges(ranges, group_ranges, len(rows))
    return rows, ranges


def _end_ranges(ranges: list[CellRange], first: int, last_row: int) -> None:
    for index in range(first, len(ranges)):
        ranges[index] = ranges[index]._replace(last_row=min(ranges[index].last_row, last_row))


def _columns_of(cell: Any) -> int:
    return max(1, _span(cell, "colspan", SPAN_MAX))


def _rows_of(cell: Any) -> int:
    """How many rows a cell covers; 0 says all that follow in its group."""
    return _span(cell, "rowspan", ROWS_MAX) or ROWS_MAX


def _span(cell: Any, name: str, most: int) -> int:
    value = cell.get(name, "1").strip()
    return min(int(value[:8]), most) if value.isascii() and value.isdigit() else 1


def _inline_text(element: Any, unseen: frozenset[str] = HIDDEN_TAGS) -> str:
    """All text of an element on one line; blocks inside it are apart."""
    pieces: list[str] = []
    walk = etree.iterwalk(element, events=("start", "end"))
    for event, inner in walk:
        if inner.tag in _BLOCKS or inner.tag == "br":
            pieces.append(" ")
        if event == "start" and inner.tag in unseen:
            walk.skip_subtree()
        elif event == "start":
            pieces.append(inner.text or "")
        elif inner is not element:
            pieces.append(inner.tail or "")
    return " ".join("".join(pieces).split())
