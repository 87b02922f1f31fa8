"""Builder of a parsed text: a parser adds what it finds in reading order, and gets blocks with heading paths and places."""

from collections.abc import Iterable, Sequence

from adapters.parsing.core.blocks import Block, HeadingPath, Kind, ParsedText, clean, first_heading
from adapters.parsing.core.cell_ranges import locate_rows
from adapters.parsing.core.titles import choose_title
from adapters.text.labels import ROWS_MAX, is_form
from schemas.documents import Locator, Note
from schemas.errors import Refused

CELL_SEPARATOR = "\t"  # white space: a phrase that spans cells is still found
HEADING_LEVELS = 6
TITLES_MAX = 3  # rows above a table's header that say what it is
NOTES_MAX = 100  # they travel with every event of the document


class Assembly:
    """Collects blocks. Raises Refused("document_too_complex") beyond ``chars_max`` characters."""

    def __init__(self, chars_max: int) -> None:
        self.chars_max = chars_max
        self._parts: list[str] = []
        self._blocks: list[Block] = []
        self._notes: list[Note] = []
        self._path = HeadingPath()
        self._length = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added yet."""
        return not self._blocks

    def add_heading(self, level: int, text: str, place: Locator | None = None) -> None:
        """Add a heading. ``level`` counts from 1, the outermost; deeper than 6 counts as 6."""
        line = " ".join(clean(text).split())
        if line:
            self._add("heading", line, place, level=max(1, min(level, HEADING_LEVELS)))

    def add_paragraph(self, text: str, place: Locator | None = None) -> None:
        """Add prose; line feeds inside stay."""
        self._add("paragraph", text, place)

    def add_item(self, text: str, place: Locator | None = None) -> None:
        """Add one item of a list."""
        self._add("list", text, place)

    def add_quote(self, text: str, place: Locator | None = None) -> None:
        """Add a quotation."""
        self._add("quote", text, place)

    def add_code(self, text: str, place: Locator | None = None) -> None:
        """Add preformatted text."""
        self._add("code", text, place)

    def add_table(self, rows: Iterable[Sequence[str]], place: Locator | None = None, *, header_rows: int = 1) -> None:
        """Add a table, one line per row; the first ``header_rows`` are the header, which chunks of a long table repeat; a form has none.

        Rows of one cell above the first that has more are its title, not its header: paragraphs.
        """
        lines: list[str] = []
        length = 0
        for row in rows:
            line = CELL_SEPARATOR.join(" ".join(clean(cell).split()) for cell in row).rstrip()
            if line.strip():
                lines.append(line)
                length += len(line)
                self._check_length(length)
        if titles := _count_titles(lines):
            places = [locate_rows(place, line, line, len(lines)) for line in range(titles)]
            place = locate_rows(place, titles, len(lines) - 1, len(lines))
            for line, at in zip(lines[:titles], places, strict=True):
                self.add_paragraph(line, at)
            lines, header_rows = lines[titles:], header_rows and max(1, header_rows - titles)
        if header_rows == 1 and len(lines) <= ROWS_MAX and is_form([line.split(CELL_SEPARATOR) for line in lines]):
            header_rows = 0
        self._add("table", "\n".join(lines), place, header_lines=header_rows if len(lines) > header_rows else 1)

    def start_section(self) -> None:
        """End all sections: what follows is under no heading of what came before, such as another sheet."""
        self._path = HeadingPath()

    def add_note(self, code: str, detail: str) -> None:
        """Note that something was left out."""
        self._notes.append(Note(code, detail))

    def absorb(self, parsed: ParsedText, part: str) -> None:
        """Add all of another text as the file ``part`` inside this one."""
        self.start_section()
        for block in parsed.blocks:
            text = parsed.text[block.start : block.end]
            inner = block.place or Locator()
            name = f"{part} > {inner.part}" if inner.part else part
            place = Locator(page=inner.page, page_last=inner.page_last, slide=inner.slide, sheet=inner.sheet, cells=inner.cells, part=name)
            self._add(block.kind, text, place, level=block.level, shown=_path_heading(block), header_lines=block.header_lines)
        self._notes.extend(Note(note.code, f"{part}: {note.detail}") for note in parsed.notes)

    def include(self, parsed: ParsedText, *, below: int = 0) -> None:
        """Add all of another text as a part of this one, its headings ``below`` levels deeper."""
        for block in parsed.blocks:
            level = min(block.level + below, HEADING_LEVELS) if block.level else 0
            text = parsed.text[block.start : block.end]
            self._add(block.kind, text, block.place, level=level, shown=_path_heading(block), header_lines=block.header_lines)
        self._notes.extend(parsed.notes)

    def build(self, *titles: str) -> ParsedText:
        """The parsed text. Its title is the first of the file's own that names it, else the heading it begins with."""
        blocks, notes = tuple(self._blocks), self._notes
        if len(notes) > NOTES_MAX:
            notes = [*notes[: NOTES_MAX - 1], Note(notes[-1].code, f"{len(notes) - NOTES_MAX + 1:,} more")]
        return ParsedText(choose_title((*titles, first_heading(blocks))), "".join(self._parts), blocks, tuple(notes))

    def _add(self, kind: Kind, text: str, place: Locator | None, *, level: int = 0, shown: str = "", header_lines: int = 1) -> None:
        text = clean(text)
        # an empty cell before the first name of a table is a column
        text = text.strip("\n").rstrip() if kind == "table" else text.strip()
        if not text:
            return
        self._check_length(len(text))
        separator = "\n" if self._blocks and kind == self._blocks[-1].kind == "list" else "\n\n"
        start = self._length + len(separator) if self._blocks else 0
        if self._blocks:
            self._parts.append(separator)
        self._parts.append(text)
        self._length = start + len(text)
        headings = self._path.enter(level, shown or text) if kind == "heading" else self._path.path
        self._blocks.append(Block(kind, start, self._length, level, headings, place, header_lines))

    def _check_length(self, more: int) -> None:
        if self._length + more > self.chars_max:
            raise Refused(
                "document_too_complex", f"more than {self.chars_max:,} characters of text came out (CLAW_DOCUMENT_TEXT_CHARS_MAX)"
            )


def _count_titles(lines: Sequence[str]) -> int:
    """Lines of one cell above the first with more, when they are few."""
    titles = next((index for index, line in enumerate(lines) if CELL_SEPARATOR in line), 0)
    return titles if titles <= TITLES_MAX else 0


def _path_heading(block: Block) -> str:
    """A heading's text for heading paths, without Markdown marks."""
    return block.headings[-1] if block.kind == "heading" and block.headings else ""
