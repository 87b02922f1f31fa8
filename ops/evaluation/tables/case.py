"""A table with its questions, and what a right answer says."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Format = Literal["csv", "xlsx", "docx", "html", "pdf"]
Language = Literal["zh", "en"]
Kind = Literal["lookup", "filter", "count", "extreme", "total", "list", "compare", "absent"]

MARKS = re.compile(
    r"无法计算|表中没有|部分|没有找到|未考虑|not considered|Not computed|does not answer|\(a part\)|does not contain", re.IGNORECASE
)


_MONTH = re.compile(r"\{(?P<span>[mqy])(?P<shift>-?\d)\}")  # {m-1}: last month, {q0}: the first month of this quarter, {y-1}: last year


class TableQuestion(Struct, frozen=True):
    """``expected`` has to be in the answer, each as a whole word or number; ``rows`` are the names of the rows that may be shown.

    No ``expected``: the table does not know, so a right answer says that or cites nothing. ``month_min``: asked from this month of the year
    on, because before it the months that the table has lie in the year before.
    """

    text: str
    kind: Kind
    expected: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    month_min: int = 1


class TableCase(Struct, frozen=True, kw_only=True):
    """A table as a file: ``header`` has one row for each of its levels; ``merged`` are (first row, first column, last row, last column).

    Rows count from 0, those of the header included, columns too. A merged cell's text is in its first cell, the others are empty.
    ``key`` is the column that names a row.
    """

    name: str
    format: Format
    language: Language
    title: str
    header: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[str, ...], ...]
    questions: tuple[TableQuestion, ...]
    merged: tuple[tuple[int, int, int, int], ...] = ()
    key: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all rows."""
        return tuple(dict.fromkeys(row[self.key] for row in self.rows if row[self.key]))

    def at(self, today: date) -> "TableCase":
        """The table on a day: with the months and years that it counts from today, and the questions that can be asked."""

        def fill(found: re.Match[str]) -> str:
            shift = int(found["shift"])
            if found["span"] == "y":
                return str(today.year + shift)
            month = today.month + shift if found["span"] == "m" else today.month - (today.month - 1) % 3 + 3 * shift
            return f"{today.year + (month - 1) // 12}-{(month - 1) % 12 + 1:02}"

        rows = tuple(tuple(_MONTH.sub(fill, cell) for cell in row) for row in self.rows)
        return replace(self, rows=rows, questions=tuple(each for each in self.questions if each.month_min <= today.month))


def is_right(case: TableCase, question: TableQuestion, text: str, *, cites: bool) -> bool:
    """Whether an answer says all that is expected, and names no row that it should not."""
    if not question.expected:
        return not cites or MARKS.search(text) is not None
    if not cites or not all(says(text, expected) for expected in question.expected):
        return False
    left = text
    for name in sorted(case.names, key=len, reverse=True):  # a longer name first: a shorter one may be inside it
        if says(left, name) and name not in question.rows:
            return False
        left = _whole(name).sub(" ", left)
    return True


def is_honest(text: str, *, cites: bool) -> bool:
    """Whether an answer that is not right is at least refused, or marked as partial or impossible."""
    return not cites or MARKS.search(text) is not None


def says(text: str, expected: str) -> bool:
    """Whether a text has this word or number, and not only as a part of a longer one."""
    return _whole(expected).search(text) is not None


def _whole(words: str) -> re.Pattern[str]:
    before = r"(?<![\d.,])" if words[0].isdigit() else r"(?<![A-Za-z])" if words[0].isascii() and words[0].isalpha() else ""
    after = r"(?!\d|[.,]\d)" if words[-1].isdigit() else r"(?![A-Za-z])" if words[-1].isascii() and words[-1].isalpha() else ""
    return re.compile(before + re.escape(words) + after, re.IGNORECASE)


def names_of(rows: Sequence[Sequence[str]], key: int = 0) -> tuple[str, ...]:
    """The names of some rows."""
    return tuple(row[key] for row in rows)
