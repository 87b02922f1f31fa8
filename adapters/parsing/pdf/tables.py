"""Tables of a page: grids of ruled lines, and aligned rows without lines."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from adapters.parsing.core.cell_ranges import CellRange
from adapters.parsing.core.merged_cells import fill_grid
from adapters.parsing.pdf.drawing import RuledLine
from adapters.parsing.pdf.lines import Table, join_lines, rows_of
from adapters.parsing.pdf.ruled_rows import row_text, split_row
from adapters.parsing.pdf.text import TextSpan

_NEAR = 3.0  # points: lines meant to meet, or to be one line
_CELLS_MAX = 20_000  # of one grid
_LINES_MAX = 600  # of one grid's lines, each way: beyond, it is a drawing
FILL_CHARS_MAX = 400_000  # of one table: a quarter of it may be merged cells said again
_WRAP_EM = 1.5  # between lines of one cell
_WRAP_PITCH = 0.85  # times the usual pitch of rows: lines of one cell are closer
_PROSE_CHARS = 1_200  # a cell with more is a frame around text, not a cell


@dataclass(frozen=True, slots=True)
class Grid:
    """Ruled cells: edges from the left and from the top, and the region each elementary cell belongs to."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    region: tuple[tuple[int, ...], ...]  # [row][column]

    def contains(self, span: TextSpan) -> bool:
        x, y = span.middle
        return self.xs[0] - _NEAR <= x <= self.xs[-1] + _NEAR and self.ys[0] - _NEAR <= y <= self.ys[-1] + _NEAR

    def cell(self, span: TextSpan) -> tuple[int, int]:
        """Row and column of the elementary cell that the span's middle is in."""
        x, y = span.middle
        column = int(np.searchsorted(self.xs, x)) - 1
        row = int(np.searchsorted(self.ys, y)) - 1
        return min(max(row, 0), len(self.ys) - 2), min(max(column, 0), len(self.xs) - 2)

    @property
    def area(self) -> float:
        return (self.xs[-1] - self.xs[0]) * (self.ys[-1] - self.ys[0])


def grids_of(rules: Sequence[RuledLine]) -> list[Grid]:
    """Grids with at least two columns, the biggest first. ``rules`` as turned, y down."""
    flat = _merge_collinear([rule for rule in rules if not rule.is_upright], flat=True)
    upright = _merge_collinear([rule for rule in rules if rule.is_upright], flat=False)
    if not flat or not upright or max(len(flat), len(upright)) > _LINES_MAX:
        return []
    h, v = np.array(flat), np.array(upright)  # at, from, to
    meet = (v[None, :, 0] >= h[:, None, 1] - _NEAR) & (v[None, :, 0] <= h[:, None, 2] + _NEAR)
    meet &= (h[:, None, 0] >= v[None, :, 1] - _NEAR) & (h[:, None, 0] <= v[None, :, 2] + _NEAR)
    grids = []
    for rows, columns in _components(meet):
        if grid := _make_grid([flat[row] for row in rows], [upright[column] for column in columns]):
            grids.append(grid)
    return sorted(grids, key=lambda grid: -grid.area)


def _merge_collinear(rules: Sequence[RuledLine], *, flat: bool) -> list[tuple[float, float, float]]:
    """Pieces of one line joined: where it runs, and from where to where."""
    lines = sorted((r.y0, r.x0, r.x1) if flat else (r.x0, r.y0, r.y1) for r in rules)
    bands: list[list[tuple[float, float, float]]] = []
    for line in lines:
        if bands and line[0] - bands[-1][0][0] <= _NEAR / 2:
            bands[-1].append(line)
        else:
            bands.append([line])
    found = []
    for band in bands:
        at = sum(line[0] for line in band) / len(band)
        start, end = None, 0.0
        for _, low, high in sorted(band, key=lambda line: line[1]):
            if start is None:
                start, end = low, high
            elif low <= end + _NEAR:
                end = max(end, high)
            else:
                found.append((at, start, end))
                start, end = low, high
        if start is not None:
            found.append((at, start, end))
    return found


def _components(meet: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """Lines that hang together: indexes of flat ones and of upright ones."""
    left = set(range(meet.shape[0]))
    found = []
    while left:
        rows, columns, waiting = set(), set(), [left.pop()]
        while waiting:
            row = waiting.pop()
            rows.add(row)
            for column in np.flatnonzero(meet[row]).tolist():
                if column not in columns:
                    columns.add(column)
                    more = set(np.flatnonzero(meet[:, column]).tolist()) & left
                    left -= more
                    waiting.extend(more)
        if columns:
            found.append((sorted(rows), sorted(columns)))
    return found


def _edges(places: Sequence[float], ends: Sequence[float]) -> list[float]:
    """Distinct places; the ends of the crossing lines too, where those reach beyond: a table open at its sides."""
    distinct: list[float] = []
    for place in sorted(places):
        if not distinct or place - distinct[-1] > _NEAR:
            distinct.append(place)
    if min(ends) < distinct[0] - 3 * _NEAR:
        distinct.insert(0, min(ends))
    if max(ends) > distinct[-1] + 3 * _NEAR:
        distinct.append(max(ends))
    return distinct


def _make_grid(flat: list[tuple[float, float, float]], upright: list[tuple[float, float, float]]) -> Grid | None:
    xs = _edges([line[0] for line in upright], [end for line in flat for end in line[1:]])
    ys = _edges([line[0] for line in flat], [end for line in upright for end in line[1:]])
    if len(xs) < 3 or len(ys) < 2 or len(xs) * len(ys) > _CELLS_MAX:  # noqa: PLR2004
        return None
    h, v = np.array(flat), np.array(upright)
    mid_x, mid_y = (np.array(xs[1:]) + xs[:-1]) / 2, (np.array(ys[1:]) + ys[:-1]) / 2
    region = np.arange(mid_y.size * mid_x.size).reshape(mid_y.size, mid_x.size)
    across = [_has_line_at(v, x, mid_y) for x in xs[1:-1]]  # is there a line between column c and c + 1, by row
    below = [_has_line_at(h, y, mid_x) for y in ys[1:-1]]
    parent = list(range(region.size))

    def root(cell: int) -> int:
        while parent[cell] != cell:
            parent[cell] = parent[parent[cell]]
            cell = parent[cell]
        return cell

    def unite(one: int, other: int) -> None:
        low, high = sorted((root(one), root(other)))
        parent[high] = low

    for row in range(mid_y.size):
        for column in range(mid_x.size):
            if column + 1 < mid_x.size and not across[column][row]:
                unite(int(region[row, column]), int(region[row, column + 1]))
            if row + 1 < mid_y.size and not below[row][column]:
                unite(int(region[row, column]), int(region[row + 1, column]))
    return Grid(tuple(xs), tuple(ys), tuple(tuple(root(int(cell)) for cell in row) for row in region))


def _has_line_at(lines: np.ndarray, place: float, points: np.ndarray) -> np.ndarray:
    near = lines[np.abs(lines[:, 0] - place) <= _NEAR + 0.1]
    return np.asarray(((near[None, :, 1] <= points[:, None]) & (near[None, :, 2] >= points[:, None])).any(axis=1))


def table_from_grid(grid: Grid, spans: Sequence[TextSpan]) -> Table | list[list[TextSpan]] | None:
    """The table that these spans of a grid make; their groups by region when it frames prose; None when it frames anything else."""
    regions: dict[int, list[TextSpan]] = defaultdict(list)
    for span in spans:
        row, column = grid.cell(span)
        regions[grid.region[row][column]].append(span)
    columns = len(grid.xs) - 1
    filled = {region % columns for region in regions}
    if len(filled) < 2 or any(sum(len(span.text) for span in group) > _PROSE_CHARS for group in regions.values()):  # noqa: PLR2004
        return [regions[region] for region in sorted(regions)]
    if any(_has_rows(group) for group in regions.values()):
        return None
    rows: list[list[str]] = []
    for index in range(len(grid.ys) - 1):
        firsts = range(index * columns, (index + 1) * columns)
        cells = [rows_of(regions[region]) if region in regions else [] for region in firsts]
        rights = [_right_edge(grid, index, column) for column in range(columns)]
        rows.extend(split_row(cells, rights) or [[join_lines(row_text(line) for line in cell) for cell in cells]])
    header_rows = 1
    is_plain = len(rows) == len(grid.ys) - 1  # no ruled row was several: a row of text is one of the grid
    if is_plain and (ranges := _merged_ranges(grid)):
        merged = fill_grid([[(at, cell) for at, cell in enumerate(row, 1) if cell] for row in rows], ranges, FILL_CHARS_MAX)
        rows, header_rows = [[*row, *[""] * (columns - len(row))] for row in merged.rows], merged.header_rows
    used = [column for column in range(columns) if any(row[column] for row in rows)]
    kept = [index for index, row in enumerate(rows) if any(row)]
    size = float(np.median([span.size for span in spans]))
    return Table(
        [[rows[index][column] for column in used] for index in kept],
        *(grid.xs[0], grid.xs[-1], grid.ys[0], grid.ys[-1]),
        size,
        grid.xs,
        min(header_rows, max(1, len(kept) - 1)),
        tuple(tuple(grid.region[index][column] for column in used) for index in kept) if is_plain else (),
    )


def _merged_ranges(grid: Grid) -> list[CellRange]:
    """The cells of a grid that cover several rows or columns, counted from 1."""
    reached: dict[int, CellRange] = {}
    for row, regions in enumerate(grid.region, 1):
        for column, region in enumerate(regions, 1):
            known = reached.get(region, CellRange(row, column, row, column))
            reached[region] = CellRange(known.first_row, known.first_column, row, max(known.last_column, column))
    return [cells for cells in reached.values() if cells[:2] != cells[2:]]


def _right_edge(grid: Grid, row: int, column: int) -> float:
    """Where the cell ends that begins here."""
    last = column
    while last + 1 < len(grid.region[row]) and grid.region[row][last + 1] == grid.region[row][column]:
        last += 1
    return grid.xs[last + 1]


def _has_rows(spans: Sequence[TextSpan]) -> bool:
    """Whether a cell contains a table."""
    return len(spans) >= 6 and sum(1 for row in rows_of(spans) if len(row) > 1) >= 3  # noqa: PLR2004


def find_aligned_tables(rows: list[list[TextSpan]]) -> list[Table | list[TextSpan]]:
    """Runs of rows whose cells stand under each other become tables; other rows stay as they are, in order."""
    found: list[Table | list[TextSpan]] = []
    index = 0
    while index < len(rows):
        end = _run_end(rows, index) if len(rows[index]) > 1 else index
        table = _align_rows(rows[index:end]) if end - index >= 2 else None  # noqa: PLR2004
        if table is None:
            found.append(rows[index])
            index += 1
        else:
            found.append(table)
            index = end
    return found


def _run_end(rows: list[list[TextSpan]], start: int) -> int:
    """Behind the last row of a run: rows of several spans, and rows of one that go on with a cell of the row above."""
    end = last = start + 1
    while end < len(rows):
        row, above = rows[end], rows[end - 1]
        size = max(above[0].size, row[0].size)
        if row[0].base - above[0].base > 4 * size:
            break
        if len(row) > 1:
            last = end + 1
        elif not _continues_cell(row[0], rows[start:last]) or row[0].base - above[0].base > 1.8 * size:
            break
        end += 1
    if end < len(rows) and end == last:
        return last
    # rows of one span at the end belong to it while they continue a cell at the distance of a line
    while last < end and rows[last][0].base - rows[last - 1][0].base <= 1.5 * rows[last][0].size:
        last += 1
    return last


def _continues_cell(span: TextSpan, rows: list[list[TextSpan]]) -> bool:
    """It stands under one cell, and not the first: what stands under that is a new row, or the text below the table."""
    above = max(rows, key=len)
    under = [index for index, cell in enumerate(above) if span.x0 < cell.x1 and span.x1 > cell.x0]
    right = above[under[-1] + 1].x0 if under and under[-1] + 1 < len(above) else float("inf")
    return len(under) == 1 and span.x1 < right and (under[0] > 0 or (len(rows) > 1 and span.x1 < above[1].x0))


def _align_rows(rows: list[list[TextSpan]]) -> Table | None:
    """The table of these rows, when clear gaps run down between their cells."""
    most = max(len(row) for row in rows)
    columns = _column_extents([row for row in rows if len(row) > max(1, most - 2)])
    full = sum(1 for row in rows if len(row) > 1)
    if len(columns) < 2 or full < (3 if len(columns) == 2 else 2):  # noqa: PLR2004
        return None
    usual = _usual_pitch(rows)
    made: list[list[str]] = []
    clashes = 0
    for index, row in enumerate(rows):
        cells = [""] * len(columns)
        for span in row:
            reached = [c for c, (x0, x1) in enumerate(columns) if span.x0 < x1 and span.x1 > x0]
            column = reached[0] if reached else min(range(len(columns)), key=lambda c: abs(columns[c][0] - span.x0))
            clashes += len(reached) > 1 or bool(cells[column])
            cells[column] = f"{cells[column]} {span.text.strip()}".strip()
        near = min(_WRAP_EM * row[0].size, usual if len(row) == 1 else _WRAP_PITCH * usual)
        wraps = index > 0 and not cells[0] and row[0].base - rows[index - 1][0].base <= near
        if made and wraps and all(made[-1][c] for c, cell in enumerate(cells) if cell):
            made[-1] = [join_lines((above, cell)) for above, cell in zip(made[-1], cells, strict=True)]
        else:
            made.append(cells)
    if clashes > max(1, len(rows) // 4) or len(made) < 2:  # noqa: PLR2004
        return None
    spans = [span for row in rows for span in row]
    place = min(s.x0 for s in spans), max(s.x1 for s in spans), min(s.top for s in spans), max(s.bottom for s in spans)
    return Table(made, *place, float(np.median([span.size for span in spans])))


def _usual_pitch(rows: list[list[TextSpan]]) -> float:
    """Between a row that begins at the left edge and what is above it."""
    edge = min(row[0].x0 for row in rows) + _NEAR
    pitches = [row[0].base - above[0].base for above, row in pairwise(rows) if row[0].x0 <= edge]
    return float(np.median(pitches)) if pitches else float("inf")


def _column_extents(rows: list[list[TextSpan]]) -> list[tuple[float, float]]:
    """From where to where each column reaches: what the cells of these rows cover, seen from above."""
    columns: list[tuple[float, float]] = []
    for x0, x1 in sorted((span.x0, span.x1) for row in rows for span in row):
        if columns and x0 <= columns[-1][1]:
            columns[-1] = columns[-1][0], max(columns[-1][1], x1)
        else:
            columns.append((x0, x1))
    return columns
