"""Rows of tables as answers tell them: each value with its column, a header never alone, a computed answer with the rows it rests on."""

from collections.abc import Iterable, Sequence

from adapters.text.language import Language, language_of
from adapters.text.namesakes import is_namesake
from adapters.text.script import follow_script
from adapters.text.table_rows import find_lines, read_rows, split_row, tell_row
from schemas.chats import Passage


class RowTexts:
    """Which lines of some passages are rows or headers of tables."""

    def __init__(self, passages: Iterable[Passage], language: Language) -> None:
        self._rows: dict[tuple[int, str], str] = {}
        self._headers: set[tuple[int, str]] = set()
        self._cells: dict[tuple[int, str], tuple[str, ...]] = {}
        self._fields: set[tuple[int, str]] = set()  # rows of a form
        for passage in passages:
            for start, end, part, is_header in find_lines(passage.text, passage.tables):
                line = passage.text[start:end].strip()
                if is_header:
                    self._headers.add((passage.marker, line))
                elif part.columns:
                    cells = split_row(passage.text[start:end], part)
                    indent = part.indent if start == part.start else 0
                    self._rows[passage.marker, line] = tell_row(part.columns, ("",) * indent + cells, language)
                    self._cells[passage.marker, line] = cells
                    if not any(part.columns):
                        self._fields.add((passage.marker, line))

    def is_header(self, marker: int, sentence: str) -> bool:
        """Whether a sentence of a passage is a table's header, which says nothing by itself."""
        return (marker, sentence) in self._headers

    def is_row(self, marker: int, sentence: str) -> bool:
        """Whether it is a row of a table, beside others about other things; the lines of a form are about the same one."""
        return (marker, sentence) in self._rows and (marker, sentence) not in self._fields

    def names_another(self, marker: int, sentence: str, names: Sequence[str]) -> bool:
        """Whether a row is about another thing than the ``names`` in a question, with the same ending: 王晓明, and not 李晓明."""
        return self.is_row(marker, sentence) and is_namesake(self._cells[marker, sentence], names)

    def tell(self, marker: int, sentence: str) -> str:
        """A row as ``column: value`` pairs, anything else as it is."""
        return self._rows.get((marker, sentence), sentence)


def is_heading(sentence: str, passage: Passage) -> bool:
    """Whether a sentence is only the title of the passage or one of its headings."""
    said = sentence.strip("#* ")
    return said == passage.title or said in passage.headings


def tell_computed(question: str, passages: Sequence[Passage]) -> list[str]:
    """The lines of an answer that was computed from tables, with markers; empty when none was.

    The first passage with a result has it; those of other documents have the rest of the rows that it rests on.
    """
    computed = [passage for passage in passages if passage.computed]
    told: list[str] = []
    for place, passage in enumerate(computed):
        rows = tell_rows(passage, language_of(question))
        # without a row there is nothing to cite, and a sentence that introduces rows leaves it to them
        cited = [] if not rows or passage.computed.endswith((":", "：")) else [passage, *(computed[1:] if place == 0 else ())]
        markers = "".join(f"[{each.marker}]" for each in cited)
        told.append(follow_script(passage.computed, question) + (f" {markers}" if markers else ""))
        told += [f"- {row} [{passage.marker}]" for row in rows]
    return told


def tell_rows(passage: Passage, language: Language) -> list[str]:
    """All rows in a passage as pairs."""
    return [tell_row(part.columns, cells, language) for part in passage.tables for cells in read_rows(passage.text, part)]


def passage_text(passage: Passage, language: Language) -> str:
    """A passage as a model reads it: an answer computed from a table before its rows, everything else as it is."""
    if not passage.computed:
        return passage.text
    return "\n".join((passage.computed, *(f"- {row}" for row in tell_rows(passage, language))))
