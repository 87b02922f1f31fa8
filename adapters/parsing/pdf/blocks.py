"""Lines to headings, paragraphs, items and tables of one text, over columns and pages."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import has_words
from adapters.parsing.pdf.hyphens import Hyphenation
from adapters.parsing.pdf.lines import BULLETS, MARKER, Flow, Line, Table, join_lines, leading_of, without_soft_hyphens
from adapters.parsing.pdf.text import is_wide
from schemas.documents import Locator

_BIGGER = 1.12  # than body text: a heading
_TITLE = 1.6  # a heading that may be a sentence
_SAME = 1.12  # sizes of one paragraph differ by less
_HEADING_CHARS_MAX = 160
_HEADING_LINES_MAX = 3
_LEVELS = 3
_PITCH = 1.3  # times the usual leading: what is further apart is another paragraph
_INDENT_EM = 0.8  # of a first line
_WIDE_LINE = 0.7  # of its column
_JUSTIFIED_CHARS_MIN = 20
_LETTERS_MIN = 2  # of a heading; a number in large type is none

_SENTENCE_END = re.compile(r"[.。!！?？;；:：…][\"'”’」』）)]*$")
_CLAUSE_END = re.compile(r"[.。,，;；、]$")
_FULL_STOP = re.compile(r"[。！？；]$|[^.\d]\.$")
_LEADERS = re.compile(r"(?<![.·…])(?<![.·…] )(?:[.·…] ?){4,}+\s*+\d*+$")  # of a table of contents
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Style:
    """Typography of the document: the size of its body text, whether that is bold, sizes of headings from the largest."""

    body: float
    bold: bool
    sizes: tuple[float, ...]
    hyphenation: Hyphenation

    @classmethod
    def of(cls, pages: Iterable[tuple[int, Sequence[Flow]]]) -> "Style":
        sizes: Counter[float] = Counter()
        bold = 0
        big: Counter[float] = Counter()
        lines = [piece for _, flows in pages for flow in flows for piece in flow.pieces if not flow.aside]
        for piece in lines:
            if isinstance(piece, Line):
                sizes[round(piece.size * 2) / 2] += len(piece.text)
                bold += len(piece.text) if piece.bold else 0
                if len(piece.text) <= _HEADING_CHARS_MAX and not piece.cells:
                    big[round(piece.size * 2) / 2] += 1
            elif piece.size:
                sizes[round(piece.size * 2) / 2] += sum(len(cell) for row in piece.rows for cell in row) // 2
        body = sizes.most_common(1)[0][0] if sizes else 0.0
        ranked: list[float] = []
        for size in sorted(big, reverse=True):
            if size >= body * _BIGGER and (not ranked or size < ranked[-1] * 0.93):
                ranked.append(size)
        texts = (piece.text for piece in lines if isinstance(piece, Line))
        return cls(body, bold * 2 > sum(sizes.values()), tuple(ranked), Hyphenation.of(texts))

    def level(self, size: float) -> int:
        """The level of a heading of this size; headings that are only bold come below."""
        for index, ranked in enumerate(self.sizes):
            if size >= ranked * 0.93:
                return min(index + 1, _LEVELS)
        return min(len(self.sizes) + 1, _LEVELS)


@dataclass(slots=True)
class _Draft:
    """A block under construction: continued lines in one group, groups on lines of their own."""

    groups: list[list[str]]
    first: Line
    last: Line
    page: int
    page_last: int
    aside: bool
    item: bool = False
    x1: float = 0.0  # where the line before the last one ends
    lines: int = 1
    ragged: bool = False  # has a line of cells


def write_pages(assembly: Assembly, pages: Sequence[tuple[int, Sequence[Flow]]]) -> None:
    """Pages (counted from 1) to blocks. Raises Refused beyond the limit of text."""
    writer = _Writer(assembly, Style.of(pages))
    for number, flows in pages:
        for flow in flows:
            writer.add_flow(number, flow)
    writer.finish()


class _Writer:
    def __init__(self, assembly: Assembly, style: Style) -> None:
        self._assembly, self._style = assembly, style
        self._draft: _Draft | None = None
        self._table: tuple[Table, int] | None = None  # the last one and its page, while nothing came behind it
        self._leading = 0.0
        self._aside = False

    def add_flow(self, page: int, flow: Flow) -> None:
        """Add one column; its first line may continue the last of the column before."""
        lines = [piece for piece in flow.pieces if isinstance(piece, Line)]
        self._leading = leading_of(lines)
        if flow.aside or self._aside:
            self.finish()
        self._aside = flow.aside
        fresh = True
        for index, piece in enumerate(flow.pieces):
            if isinstance(piece, Table):
                self._write_table(piece, page, first=index == 0)
                fresh = False
            else:
                following = flow.pieces[index + 1] if index + 1 < len(flow.pieces) else None
                self._add_line(piece, page, following if isinstance(following, Line) else None, fresh=fresh)
                fresh = False
                self._table = None

    def finish(self) -> None:
        """Finish the last block."""
        if draft := self._draft:
            self._draft = None
            self._write(draft)

    def _add_line(self, line: Line, page: int, following: Line | None, *, fresh: bool) -> None:
        draft = self._draft
        if draft and (relation := self._relation(draft, line, following, fresh=fresh)) != "new":
            if relation == "join":
                draft.groups[-1].append(line.text)
            else:
                draft.groups.append([_line_text(line)])
            draft.x1, draft.last, draft.page_last = draft.last.x1, line, page
            draft.lines += 1
            draft.ragged |= bool(line.cells)
            return
        self.finish()
        self._draft = _Draft(
            [[_line_text(line)]], line, line, page, page, self._aside, bool(MARKER.match(line.text)), ragged=bool(line.cells)
        )

    def _relation(self, draft: _Draft, line: Line, following: Line | None, *, fresh: bool) -> str:
        """How a line relates to the block above: ``join`` continues its last line, ``line`` adds a line, ``new`` begins another."""
        before = draft.last
        big = line.size >= self._style.body * _BIGGER
        if not 1 / _SAME < line.size / max(before.size, 0.1) < _SAME or (before.bold != line.bold and not big):
            return "new"
        full = _is_full(before, line) or _is_justified(draft, line)
        ended = _SENTENCE_END.search(before.text) is not None
        if fresh:
            at_edge = line.x0 - line.left < _INDENT_EM * line.size and not MARKER.match(line.text)
            return "join" if full and not ended and at_edge and (is_wide(line.text[0]) or line.text[0].islower()) else "new"
        marked = MARKER.match(line.text) and (not full or ended or line.text[0] in BULLETS)
        if marked or line.base - before.base > self._pitch_max(line, big=big):
            return "new"
        goes_on = full and not ended and (draft.item or line.text[0].islower())
        if not goes_on and _is_indented(line, before, following, draft):
            return "new"
        if full or (big and not ended and not line.cells and not before.cells):
            return "join"
        return "new" if ended and not before.cells else "line"

    def _pitch_max(self, line: Line, *, big: bool) -> float:
        """Base lines of one block are not further apart."""
        return max(_PITCH * self._leading, (1.75 if big else 1.15) * line.size) + 0.5

    def _write(self, draft: _Draft) -> None:
        text = "\n".join(join_lines(group, self._style.hyphenation) for group in draft.groups)
        text = without_soft_hyphens(text)
        place = Locator(page=draft.page, page_last=draft.page_last if draft.page_last > draft.page else 0)
        if level := self._heading_level(draft, text):
            self._assembly.add_heading(level, text, place)
        elif draft.item:
            self._assembly.add_item(text, place)
        else:
            self._assembly.add_paragraph(text, place)

    def _heading_level(self, draft: _Draft, text: str) -> int:
        """The level of a heading; 0 for other lines."""
        letters = len(_LETTER.findall(text))
        if (
            draft.aside
            or draft.lines > _HEADING_LINES_MAX
            or draft.ragged
            or len(text) > _HEADING_CHARS_MAX
            or letters < _LETTERS_MIN
            or _LEADERS.search(text)
        ):
            return 0
        size = draft.first.size
        if size >= self._style.body * _BIGGER:
            return 0 if size < _TITLE * self._style.body and _FULL_STOP.search(text) else self._style.level(size)
        alone = draft.first.bold and not self._style.bold and draft.lines <= 2 and len(draft.groups) == 1  # noqa: PLR2004
        if alone and size > 0.93 * self._style.body and not _CLAUSE_END.search(text):
            return self._style.level(size)
        return 0

    def _write_table(self, table: Table, page: int, *, first: bool) -> None:
        self.finish()
        if first and self._table and self._table[1] == page - 1 and _is_continuation(self._table[0], table):
            _go_on(self._table[0], table)
        if has_words("".join(cell for row in table.rows for cell in row)):
            cells = [[without_soft_hyphens(cell) for cell in row] for row in table.rows]
            self._assembly.add_table(cells, Locator(page=page), header_rows=table.header_rows)
        else:
            self._assembly.add_paragraph("\n".join("\t".join(row) for row in table.rows), Locator(page=page))
        self._table = table, page


def _go_on(before: Table, table: Table) -> None:
    """Puts the header over the rows of a table that goes on, and the text of a merged cell that reaches over the page break into them."""
    header = before.rows[: before.header_rows]
    repeats = table.rows[: before.header_rows] == header
    start = before.header_rows if repeats else 0
    for column, last in enumerate(before.rows[-1]):
        rows = _covered_rows(table, start, column)
        reaches = len(before.regions) > 1 and before.regions[-1][column] == before.regions[-2][column]
        if last and rows and (reaches or rows > 1):
            for row in table.rows[start : start + rows]:
                row[column] = last
    table.rows = [*header, *table.rows[start:]]
    table.regions = (*before.regions[: before.header_rows], *table.regions[start:]) if before.regions and table.regions else ()
    table.header_rows = before.header_rows


def _covered_rows(table: Table, start: int, column: int) -> int:
    """How many rows the empty cell at the top of a column covers; 0 when it says something."""
    if start >= len(table.regions) or table.rows[start][column]:
        return 0
    first = table.regions[start][column]
    return sum(1 for _ in takewhile(lambda regions: regions[column] == first, table.regions[start:]))


def _is_continuation(before: Table, table: Table) -> bool:
    """The same ruled columns at the top of the next page: the table goes on, and its header with it."""
    if not table.edges or len(before.edges) != len(table.edges) or len(before.rows[0]) != len(table.rows[0]):
        return False
    return all(abs(a - b) <= 3.0 for a, b in zip(before.edges, table.edges, strict=True))  # noqa: PLR2004  points


def _line_text(line: Line) -> str:
    return "\t".join(line.cells) if line.cells else line.text


def _is_full(before: Line, line: Line) -> bool:
    """The first word of ``line`` had no room at the end of the one before: that was broken because it was full."""
    if before.cells or line.cells or _LEADERS.search(before.text):
        return False
    begins = line.text[0].islower() or line.text[0].isdigit()
    if before.text[-1] in "-\xad" and before.text[-2:-1].isalnum() and begins:
        return True
    first = line.text[0] if is_wide(line.text[0]) else re.split(r"[\s\u2e80-\u9fff]", line.text, maxsplit=1)[0]
    room = before.right - before.x1
    width = (line.x1 - line.x0) * len(first) / max(1, len(line.text))
    if (
        line.text[0].islower()
        and not _SENTENCE_END.search(before.text)
        and before.x1 - before.left > _WIDE_LINE * (before.right - before.left)
    ):
        return True  # a line in the middle of a sentence, broken by counting characters
    if is_wide(first[:1]):
        return room < 2.5 * line.size
    return room < width + 0.6 * line.size


def _is_justified(draft: _Draft, line: Line) -> bool:
    """Lines that end at the same place although it is not the edge of the column: a narrower block, such as an abstract."""
    before = draft.last
    if before.cells or line.cells or _LEADERS.search(before.text) or len(before.text) < _JUSTIFIED_CHARS_MIN:
        return False
    slack = 0.06 * line.size
    return abs(before.x1 - line.x1) < slack or (draft.lines > 1 and abs(before.x1 - draft.x1) < slack and line.x1 < before.x1)


def _is_indented(line: Line, before: Line, following: Line | None, draft: _Draft) -> bool:
    """It begins further to the right than what is around it: the first line of a paragraph."""
    indent = _INDENT_EM * line.size
    if abs(line.x0 + line.x1 - before.x0 - before.x1) < indent:  # both in the middle of the column
        return False
    if line.x0 - before.x0 > indent:
        return following is None or line.x0 - following.x0 > indent or not draft.item
    return draft.lines == 1 and abs(line.x0 - before.x0) < 1 and following is not None and line.x0 - following.x0 > indent
