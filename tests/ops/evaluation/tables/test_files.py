"""The files of an evaluation hold their tables: every cell of every format comes out of the parser, in its column."""

from datetime import date

import pytest

from adapters.parsing.core.source import Entry
from adapters.parsing.dispatch import parse_entry
from ops.evaluation.tables import dev
from ops.evaluation.tables.case import TableCase
from ops.evaluation.tables.files import write_file
from ops.evaluation.tables.run import CASES
from tests.support.office_files import BOUNDS
from tests.support.read_tables import hits_of, read_whole

ALL = [case.at(date(2026, 11, 30)) for cases in CASES.values() for case in cases]


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.name}.{case.format}")
def test_every_format_gives_its_rows_back(case: TableCase) -> None:
    parsed = parse_entry(Entry(data=write_file(case), bounds=BOUNDS, filename=f"{case.name}.{case.format}"))
    table = read_whole(hits_of(parsed, case.title))
    assert table.whole
    assert len(table.rows) == len(case.rows)
    filled = [list(row) for row in case.rows]
    for first, left, last, right in case.merged:
        for row in range(max(first, len(case.header)), last + 1):
            for column in range(left, right + 1):
                filled[row - len(case.header)][column] = case.rows[first - len(case.header)][left]
    width = len(case.header[0])
    assert [[*row.cells, *[""] * (width - len(row.cells))] for row in table.rows] == filled  # a sheet's row ends with its last cell
    assert case.header[0][0] in table.columns[0].name


def test_a_header_of_two_levels_is_joined() -> None:
    case = dev.OBSERVATORIES
    parsed = parse_entry(Entry(data=write_file(case), bounds=BOUNDS, filename="visitors.html"))
    names = [column.name for column in read_whole(hits_of(parsed)).columns]
    assert names == ["Observatory", "2023 / Spring", "2023 / Autumn", "2024 / Spring", "2024 / Autumn"]
