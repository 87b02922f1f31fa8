"""A sheet between its file format and the text: rows that hold something, what is merged, what is hidden."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from adapters.parsing.core.merged_cells import MergedCells


class Row(NamedTuple):
    """A row that holds something: its number and the columns that do, from 1. ``adjoins``: nothing visible and empty is above it."""

    number: int
    cells: list[tuple[int, str]]
    hidden: bool = False
    adjoins: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """``rows`` are a stream; ``hidden_columns`` (first and last of each run) may come with the first of them."""

    name: str
    rows: Iterable[Row]
    merged: MergedCells
    hidden_columns: list[tuple[int, int]]
