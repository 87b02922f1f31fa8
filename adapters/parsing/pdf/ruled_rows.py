"""Rows inside one ruled row: many tables have lines around their body and none between its rows."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from adapters.parsing.pdf.lines import join_lines
from adapters.parsing.pdf.text import TextSpan, is_wide


def split_row(cells: list[list[list[TextSpan]]], rights: Sequence[float]) -> list[list[str]] | None:
    """Rows inside one ruled row, whose lines stand side by side in several columns: a table without lines between its rows.

    ``rights`` are the right edges of the cells.
    """
    tall = [(cell, right) for cell, right in zip(cells, rights, strict=True) if len(cell) >= 2]  # noqa: PLR2004
    if len(tall) < 2 or len(tall) < len([cell for cell in cells if cell]) - 1:  # noqa: PLR2004
        return None
    tallest = max((cell for cell, _ in tall), key=len)
    bases = [line[0].base for line in tallest]
    slack = 0.35 * tall[0][0][0][0].size
    aligned = all(min(abs(line[0].base - base) for base in bases) <= slack for cell in cells for line in cell)
    if not aligned or not _are_rows(tall):
        return None
    rows = [["" for _ in cells] for _ in bases]
    for column, cell in enumerate(cells):
        for line in cell:
            nearest = min(range(len(bases)), key=lambda index: abs(bases[index] - line[0].base))
            rows[nearest][column] = join_lines((rows[nearest][column], row_text(line)))
    return rows


def _are_rows(tall: Sequence[tuple[list[list[TextSpan]], float]]) -> bool:
    """Whether aligned lines of cells are rows and not broken lines: none was broken because its cell was full.

    Two lines may be a header, so one of their columns must be numbers.
    """
    numbers = sum(1 for cell, _ in tall if _is_numbers(cell))
    if max(len(cell) for cell, _ in tall) == 2:  # noqa: PLR2004
        return numbers > 0 and all(_has_room(cell, right) for cell, right in tall)
    short = sum(1 for cell, _ in tall if _is_numbers(cell) or _has_short_lines(cell))
    return short >= len(tall) / 2 or all(_has_room(cell, right) for cell, right in tall)


def _is_numbers(cell: list[list[TextSpan]]) -> bool:
    """Whether at least half of the lines are numbers, of two both."""
    numbers = sum(1 for line in cell if sum(char.isdigit() for char in row_text(line)) * 2 >= len(row_text(line).replace(" ", "")))
    return numbers * 2 >= len(cell) if len(cell) > 2 else numbers == len(cell)  # noqa: PLR2004


def _has_short_lines(cell: list[list[TextSpan]]) -> bool:
    """Whether most lines differ much in length."""
    widths = [line[-1].x1 - line[0].x0 for line in cell]
    return float(np.median(widths)) < 0.75 * max(widths)


def _has_room(cell: list[list[TextSpan]], right: float) -> bool:
    """Whether the first word of each line would have fitted at the end of the line above."""
    for above, line in pairwise(cell):
        text = row_text(line)
        first = text[0] if is_wide(text[0]) else text.split(maxsplit=1)[0]
        width = (line[-1].x1 - line[0].x0) * len(first) / max(1, len(text))
        if right - above[-1].x1 < width + 0.5 * line[0].size:
            return False
    return True


def row_text(row: Sequence[TextSpan]) -> str:
    """A row's text, with spaces between what stands apart."""
    return " ".join(span.text.strip() for span in row)
