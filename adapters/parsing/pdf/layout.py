"""A page in reading order: columns of running text, tables in their place, everything exactly once.

A page is cut at gutters, upright gaps that no text crosses, but only between columns of prose: lines that fill their column. What stands
side by side otherwise is a table, and a table is read row by row.
"""

import itertools
from collections.abc import Sequence
from statistics import median

from adapters.parsing.pdf.lines import Flow, Line, Piece, Table, line_of, rows_of
from adapters.parsing.pdf.tables import Grid, find_aligned_tables, table_from_grid
from adapters.parsing.pdf.text import TextSpan, is_wide

_DEPTH_MAX = 6  # of columns in columns
_GUTTERS_MAX = 8  # tried per region
_COLUMN_EM_MIN = 9.0  # a column of prose is at least this wide
_COLUMN_LINES_MIN = 3
_FILL_MIN = 0.55  # how much of its column the middle line of prose fills
_FILL_ROWS_MIN = 0.8  # the same where the content stream goes row by row, as tables do
_PROSE_CHARS = 14  # of the middle line of a column of prose; Chinese says as much in half

Item = TextSpan | Table


def flows_of(spans: Sequence[TextSpan], grids: Sequence[Grid]) -> list[Flow]:
    """Columns of the page in reading order."""
    left = list(spans)
    items: list[Item] = []
    frames: list[tuple[float, list[list[TextSpan]]]] = []
    for grid in grids:
        inside = [span for span in left if grid.contains(span)]
        if not inside:
            continue
        made = table_from_grid(grid, inside)
        if made is None:
            continue
        left = [span for span in left if not grid.contains(span)]
        if isinstance(made, Table):
            items.append(made)
        else:
            frames.append((grid.ys[0], made))
    if frames:
        return _frame_flows([*left, *items], frames)
    return _reading_order([*left, *items], 0)


def _frame_flows(items: list[Item], frames: list[tuple[float, list[list[TextSpan]]]]) -> list[Flow]:
    """Frames around text: each cell is read on its own, between the text above and below its frame."""
    flows: list[Flow] = []
    for top, cells in sorted(frames, key=lambda frame: frame[0]):
        above = [item for item in items if item.top < top]
        items = [item for item in items if item.top >= top]
        flows.extend(_reading_order(above, 0))
        for cell in cells:
            flows.extend(_reading_order(list(cell), 1))
    return flows + _reading_order(items, 0)


def _reading_order(items: list[Item], depth: int) -> list[Flow]:
    if not items:
        return []
    if depth < _DEPTH_MAX and (cut := _find_cut(items)):
        flows: list[Flow] = []
        for part in cut:
            flows.extend(_reading_order(part, depth + 1))
        return flows
    return [_make_flow(items)]


def _find_cut(items: list[Item]) -> list[list[Item]] | None:
    """Parts in reading order, cut at the gutter with most text beside it."""
    spans = [item for item in items if isinstance(item, TextSpan)]
    if len(spans) < 2 * _COLUMN_LINES_MIN:
        return None
    best: tuple[int, list[list[Item]]] | None = None
    for gutter in _gutters(spans):
        parts, beside = _split_bands(items, gutter)
        if beside and (best is None or beside > best[0]):
            best = beside, parts
    return best[1] if best else None


def _gutters(spans: Sequence[TextSpan]) -> list[float]:
    """Places just left of where most lines begin, other than at the left edge."""
    starts = sorted(span.x0 for span in spans)
    groups: list[list[float]] = []
    for start in starts:
        if groups and start - groups[-1][0] <= 4.0:  # noqa: PLR2004  points
            groups[-1].append(start)
        else:
            groups.append([start])
    edge = starts[0] + 4.0
    wide = [group for group in groups if len(group) >= _COLUMN_LINES_MIN and group[0] > edge]
    return [group[0] - 1.0 for group in sorted(wide, key=len, reverse=True)[:_GUTTERS_MAX]]


def _split_bands(items: list[Item], gutter: float) -> tuple[list[list[Item]], int]:
    """Bands from the top: those that the gutter divides in two, left before right; how many items stand beside it."""
    bands: list[list[Item]] = [[]]
    crossing: list[bool] = [False]
    for item in sorted(items, key=lambda item: (item.bottom if isinstance(item, Table) else item.base, item.x0)):
        crosses = item.x0 < gutter < item.x1
        if crosses != crossing[-1]:
            bands.append([])
            crossing.append(crosses)
        bands[-1].append(item)
    parts: list[list[Item]] = [[]]
    beside = 0
    for band, crosses in zip(bands, crossing, strict=True):
        left = [item for item in band if item.x1 <= gutter]
        right = [item for item in band if item.x0 >= gutter]
        if not crosses and left and right and _are_columns(left, right):
            beside += len(band)
            parts += [left, right, []]
        else:
            parts[-1].extend(band)
    return [part for part in parts if part], beside


def _are_columns(left: Sequence[Item], right: Sequence[Item]) -> bool:
    one, other = ([item for item in side if isinstance(item, TextSpan)] for side in (left, right))
    if not one or not other:
        return False
    size = median(span.size for span in (*one, *other))
    if min(span.x0 for span in other) - max(span.x1 for span in one) < 0.6 * size:
        return False
    fill = _FILL_ROWS_MIN if _is_row_order(one, other) else _FILL_MIN
    return all(_is_prose(side, size, fill) for side in (one, other))


def _is_row_order(left: Sequence[TextSpan], right: Sequence[TextSpan]) -> bool:
    """Whether the content stream goes from side to side: it was written row by row."""
    sides = [side for _, side in sorted([(span.order, 0) for span in left] + [(span.order, 1) for span in right])]
    switches = sum(1 for a, b in itertools.pairwise(sides) if a != b)
    return switches >= min(len(left), len(right))


def _is_prose(spans: Sequence[TextSpan], size: float, fill_min: float) -> bool:
    rows = rows_of(spans)
    x0, x1 = min(span.x0 for span in spans), max(span.x1 for span in spans)
    if len(rows) < _COLUMN_LINES_MIN or x1 - x0 < _COLUMN_EM_MIN * size:
        return False
    fill = median(sum(span.x1 - span.x0 for span in row) for row in rows) / (x1 - x0)
    said = median(sum(len(span.text) + sum(map(is_wide, span.text)) for span in row) / len(row) for row in rows)
    return fill >= fill_min and said >= _PROSE_CHARS


def _make_flow(items: Sequence[Item]) -> Flow:
    """One column: rows from the top, tables where they stand."""
    tables = sorted((item for item in items if isinstance(item, Table)), key=lambda table: table.top)
    rows = rows_of(item for item in items if isinstance(item, TextSpan))
    pieces: list[Piece] = []
    start = 0
    for table in tables:
        end = next((index for index in range(start, len(rows)) if rows[index][0].base > table.top), len(rows))
        pieces += _pieces(rows[start:end])
        pieces.append(table)
        start = end
    pieces += _pieces(rows[start:])
    lines = [piece for piece in pieces if isinstance(piece, Line)]
    if lines:
        left, right = min(line.x0 for line in lines), max(line.x1 for line in lines)
        for line in lines:
            line.left, line.right = left, right
        _unstretch(lines)
    return Flow(pieces)


def _unstretch(lines: Sequence[Line]) -> None:
    """Whether wide gaps come from justification and not from cells: such a line fills its column, and so does one next to it."""
    filling = [line.x1 > line.right - 0.6 * line.size for line in lines]
    for index, line in enumerate(lines):
        beside = [near for near in (index - 1, index + 1) if 0 <= near < len(lines) and filling[near] and not lines[near].cells]
        if line.cells and filling[index] and beside and line.x0 < line.left + 2 * line.size:
            line.cells = ()


def _pieces(rows: list[list[TextSpan]]) -> list[Piece]:
    return [piece if isinstance(piece, Table) else line_of(piece) for piece in find_aligned_tables(rows)]
