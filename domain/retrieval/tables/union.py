"""Tables of the same form in several documents or sections, such as one for each month: which of them a question means, read as one."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain

from adapters.text.language import content_terms, fold, haystack_of
from domain.retrieval.tables.table import Row, Table, join_columns

CELLS_MAX = 100_000  # of all tables, about 20 MB
_HAN_PAIR = re.compile(r"(?=([\u3400-\u9fff]{2}))")


def group_tables(tables: Sequence[Table]) -> list[list[Table]]:
    """The tables, those with the same columns together, in their order."""
    groups: dict[tuple[object, ...], list[Table]] = {}
    for place, table in enumerate(tables):
        names = tuple(column.levels for column in table.columns)
        key = (place,) if table.is_list or not any(names) else names
        groups.setdefault(key, []).append(table)
    return list(groups.values())


def find_named(question: str, tables: Sequence[Table]) -> list[Table]:
    """Of tables of the same form those that the question names by their titles, headings or captions; all where it names none.

    Words that all of them have tell none apart. Two tables are named by words that no single one has: 一月和二月.
    """
    if len(tables) < 2:  # noqa: PLR2004 - there is nothing to choose
        return list(tables)
    contexts = [haystack_of(table.context) for table in tables]
    folded = fold(question)
    terms = content_terms(folded) | frozenset(_HAN_PAIR.findall(folded))  # 一月 is no content term, and tells months apart
    held = [frozenset(term for term in terms if context.contains(term)) for context in contexts]
    common = frozenset.intersection(*held)
    telling = frozenset(chain.from_iterable(held)) - common
    if not telling:
        return list(tables)
    whole = [table for table, own in zip(tables, held, strict=True) if telling <= own]
    return whole or [table for table, own in zip(tables, held, strict=True) if telling & own]


def join_tables(tables: Sequence[Table]) -> Table:
    """The rows of tables with the same columns as one table; the first alone where all of them have too many cells."""
    cells = sum(len(table.rows) * max(1, len(table.columns)) for table in tables)
    return tables[0] if len(tables) == 1 or cells > CELLS_MAX else _join(tuple(tables))


@lru_cache(maxsize=8)
def _join(tables: tuple[Table, ...]) -> Table:
    first = tables[0]
    rows: list[Row] = []
    chunks = 0
    for table in tables:
        rows += [Row(len(rows) + place, row.cells, row.line, chunks + row.chunk) for place, row in enumerate(table.rows)]
        chunks += len(table.chunks)
    folds = tuple(chain.from_iterable(table.folds for table in tables))
    return replace(
        first,
        columns=join_columns(first.columns, folds),
        rows=tuple(rows),
        chunks=tuple(chain.from_iterable(table.chunks for table in tables)),
        total=sum(table.total for table in tables),
        context="\n".join(table.context for table in tables),
        folds=folds,
        titles=tuple(table.title for table in tables),
    )
