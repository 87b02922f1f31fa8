"""Spans to rows, rows to lines, lines to running text."""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from adapters.parsing.pdf.hyphens import Hyphenation, is_broken
from adapters.parsing.pdf.text import SPAN_GAP_EM, TextSpan, is_wide

_BASE_EM = 0.35  # base lines closer than this, in the lower font, are one row: subscripts and notes stand on it
_SPAN_OVERLAP_EM = 0.3  # text drawn over text is not one word
_SPACE_EM = 0.12  # a gap that is a space between words
_MARKER_GAP_EM = 4.0  # between the mark of an item and its text
BULLETS = "☑☐•●○◦▪■◆◇▶➢➤✓✔‣⁃∙"
MARKER = re.compile(  # of an item of a list
    rf"(?:[{BULLETS}]\s*|"
    r"[-–—*·o]\s+|\(?\d{1,3}[.)](?!\d)\s*|[（(][\d一二三四五六七八九十]{1,3}[)）]\s*|\d{1,3}[、）]\s*"
    r"|[一二三四五六七八九十]{1,3}、\s*|[①-⑳]\s*|[a-zA-Z][.)]\s+)"
)
_SECTION = re.compile(r"\d{1,2}(?:\.\d{1,2}){0,4}\.?")
_LAST_SOFT = re.compile("\xad(?=\\n|\\Z)")
_NO_EVIDENCE = Hyphenation()


@dataclass(slots=True)
class Line:
    """A row of text in its column, which reaches from ``left`` to ``right``. More than one of ``cells``: text that stands apart in it."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    base: float
    size: float
    bold: bool
    cells: tuple[str, ...] = ()
    left: float = 0.0
    right: float = 0.0


@dataclass(slots=True)
class Table:
    """Cells by row; ``edges`` are the upright rules between its columns, when it has any.

    ``regions`` has a number for each cell, the same for those that are merged; () where nothing is known of merging.
    """

    rows: list[list[str]]
    x0: float
    x1: float
    top: float
    bottom: float
    size: float = 0.0
    edges: tuple[float, ...] = ()
    header_rows: int = 1
    regions: tuple[tuple[int, ...], ...] = ()


Piece = Line | Table


@dataclass(slots=True)
class Flow:
    """Pieces of one column from top to bottom. ``aside``: its text has another direction than the page."""

    pieces: list[Piece] = field(default_factory=list)
    aside: bool = False


def rows_of(spans: Iterable[TextSpan]) -> list[list[TextSpan]]:
    """Spans on one base line, from left to right; rows from the top."""
    rows: list[list[TextSpan]] = []
    for span in sorted(spans, key=lambda span: (span.base, span.x0)):
        if rows and span.base - rows[-1][0].base <= _BASE_EM * max(1.0, min(span.size, rows[-1][0].size)):
            rows[-1].append(span)
        else:
            rows.append([span])
    return [_merge_neighbours(sorted(row, key=lambda span: span.x0)) for row in _attach_marks(rows)]


def _attach_marks(rows: list[list[TextSpan]]) -> list[list[TextSpan]]:
    """Move small raised or lowered text, such as a note's mark, into the line beside it."""
    kept: list[list[TextSpan]] = []
    for index, row in enumerate(rows):
        host = None
        for other in kept[-1:] + rows[index + 1 : index + 2]:
            if _are_marks_of(row, other):
                host = other
                break
        if host is None:
            kept.append(row)
        else:
            host.extend(row)
    return kept


def _are_marks_of(row: list[TextSpan], host: list[TextSpan]) -> bool:
    tall = max(span.size for span in host)
    if any(span.size > 0.8 * tall or len(span.text) > 12 for span in row):  # noqa: PLR2004
        return False
    top, bottom = min(span.top for span in host), max(span.bottom for span in host)
    for span in row:
        overlap = min(bottom, span.bottom) - max(top, span.top)
        near = any(-0.5 * tall <= span.x0 - other.x1 <= 0.5 * tall or -0.5 * tall <= other.x0 - span.x1 <= 0.5 * tall for other in host)
        if overlap < 0.4 * (span.bottom - span.top) or not near:
            return False
    return True


def _merge_neighbours(row: list[TextSpan]) -> list[TextSpan]:
    """Join neighbouring spans that only the content stream separates."""
    merged = [row[0]]
    for span in row[1:]:
        before = merged[-1]
        size = max(1.0, min(before.size, span.size))
        gap = span.x0 - before.x1
        marks = len(merged) == 1 and gap < _MARKER_GAP_EM * size and _is_mark(before.text, span.text, alone=len(row) == 2)  # noqa: PLR2004
        if not marks and (gap > SPAN_GAP_EM * size or gap < -2 * size):
            merged.append(span)
            continue
        space = (gap > _SPACE_EM * size or gap < -_SPAN_OVERLAP_EM * size) and not (is_wide(before.text[-1:]) and is_wide(span.text[:1]))
        main = before if len(before.text) >= len(span.text) else span
        merged[-1] = TextSpan(
            before.text + (" " if space else "") + span.text,
            before.x0,
            max(before.x1, span.x1),
            min(before.top, span.top),
            max(before.bottom, span.bottom),
            main.base,
            main.size,
            before.bold and span.bold,
            min(before.order, span.order),
            max(before.last, span.last),
        )
    return merged


def _is_mark(mark: str, text: str, *, alone: bool) -> bool:
    """Whether ``mark`` belongs to ``text``: a bullet, an item's number; a section's number when nothing else is on the line."""
    return MARKER.fullmatch(mark + " ") is not None or (alone and _SECTION.fullmatch(mark) is not None and text[0].isalpha())


def line_of(row: Sequence[TextSpan]) -> Line:
    """A row as a line; its size is that of its longest span."""
    main = max(row, key=lambda span: len(span.text))
    cells = tuple(span.text.strip() for span in row)
    return Line(
        " ".join(cells),
        row[0].x0,
        max(span.x1 for span in row),
        min(span.top for span in row),
        max(span.bottom for span in row),
        main.base,
        main.size,
        all(span.bold for span in row),
        cells if len(cells) > 1 else (),
    )


def join_lines(texts: Iterable[str], hyphenation: Hyphenation = _NO_EVIDENCE) -> str:
    """Lines of one paragraph joined."""
    whole = ""
    for text in texts:
        words = text.strip()
        whole = join_two(whole, words, hyphenation) if whole and words else whole or words
    return whole


def join_two(before: str, after: str, hyphenation: Hyphenation = _NO_EVIDENCE) -> str:
    """``after`` goes on where ``before`` ends: without a space in Chinese, with a mended word at a hyphen, else with a space."""
    if is_broken(before, after):
        return before[:-1] + ("" if hyphenation.is_break(before, after) else "-") + after
    if before.endswith(("-", "\xad")) and not before.endswith((" -", " \xad")) and after[:1].isalnum():
        return before[:-1] + "-" + after  # a range or a number, broken at its hyphen
    if is_wide(before[-1]) and is_wide(after[0]):
        return before + after
    return f"{before} {after}"


def without_soft_hyphens(text: str) -> str:
    """Remove soft hyphens inside a text; one at the end of a line that stays was a hyphen."""
    return _LAST_SOFT.sub("-", text).replace("\xad", "") if "\xad" in text else text


def leading_of(lines: Sequence[Line]) -> float:
    """The usual distance between base lines that follow each other; 0 when there is none."""
    pitches = [b.base - a.base for a, b in itertools.pairwise(lines) if 0 < b.base - a.base < 2.6 * max(a.size, b.size)]
    return median(pitches) if pitches else 0.0
