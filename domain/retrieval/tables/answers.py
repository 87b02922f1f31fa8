"""Answers from the tables behind a search: as a passage whose text is the rows that the answer rests on.

Rows are cited from their own chunks: ``Passage.parts`` says which chunk each of them stands in. A table is read once per version, and the
tables used lately are held in memory, within a bound of cells.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby

from msgspec import structs

from adapters.index.port import Hit
from adapters.text.language import haystack_of, language_of
from domain.retrieval.passages import make_part, make_passage
from domain.retrieval.search import SearchService
from domain.retrieval.tables import statements
from domain.retrieval.tables.compute import Finding, answer_question
from domain.retrieval.tables.reading import join_hits, read_hits
from domain.retrieval.tables.table import Row, Table
from domain.retrieval.tables.union import find_named, group_tables, join_tables
from schemas.chats import Passage, PassagePart
from schemas.documents import TablePart
from schemas.settings import RetrievalSettings

TABLES_MAX = 8  # asked per question: those behind the best hits
HITS_MAX = 12  # that may bring one
QUESTION_CHARS_MAX = 1_000  # a longer text asks for more than a table computes, and is read for each table
ON_LOOP_CELLS_MAX = 1_500  # about 3 ms; larger tables are read and asked in a thread
HELD_MAX = 256  # tables in memory
CELLS_HELD_MAX = 1_000_000  # of them together, about 200 MB at the very most
SCORE_MIN = 0.6
OTHER_LANGUAGE = 0.1  # of two tables that fit alike, the one in the question's language is meant

_Key = tuple[str, str, str, int, int]  # tenant, collection, document, version, table


@dataclass(slots=True)
class TableAnswers:
    """One per process. ``settings`` bound the rows and cells of a table that a question may read."""

    searching: SearchService
    settings: RetrievalSettings
    held: OrderedDict[_Key, Table] = field(default_factory=OrderedDict)

    async def find(self, tenant: str, hits: Sequence[Hit], question: str, today: date | None = None) -> tuple[Passage, ...]:
        """The best answer that the tables behind the hits give: a passage for each document that it rests on, the first with the result.

        Empty when none gives one. Relative dates count from ``today``. Raises Unavailable.
        """
        if not self.settings.table_rows_max or len(question) > QUESTION_CHARS_MAX:
            return ()
        tables = [await self.table(tenant, hit, part) for hit, part in tables_of(hits)]
        read = [table for table in tables if table is not None]
        if sum(map(_cells, read)) <= ON_LOOP_CELLS_MAX:
            best = choose_answer(question, read, hits, today)
        else:
            best = await asyncio.to_thread(choose_answer, question, read, hits, today)
        return () if best is None else build_passages(*best, question)

    async def table(self, tenant: str, hit: Hit, part: TablePart) -> Table | None:
        """The table, from memory or the index."""
        key = (tenant, hit.collection, hit.document_id, hit.version, part.number)
        if key in self.held:
            self.held.move_to_end(key)
            return self.held[key]
        rows_max, cells_max = self.settings.table_rows_max, self.settings.table_cells_max

        async def read(of: Hit, first: int, limit: int) -> list[Hit]:
            return await self.searching.chunks(tenant, of.knowledge_base_id, of.document_id, of.version, first=first, limit=limit)

        chunks = await read_hits(hit, part, read, rows_max=rows_max)
        if part.total * max(1, len(part.columns)) <= ON_LOOP_CELLS_MAX:
            table = join_hits(chunks, part.number, rows_max=rows_max, cells_max=cells_max)
        else:
            table = await asyncio.to_thread(join_hits, chunks, part.number, rows_max=rows_max, cells_max=cells_max)
        if table is not None:
            self.hold(key, table)
        return table

    def hold(self, key: _Key, table: Table) -> None:
        """Keep a table in memory; those used longest ago go."""
        self.held[key] = table
        cells = sum(_cells(each) for each in self.held.values())
        while (cells > CELLS_HELD_MAX or len(self.held) > HELD_MAX) and len(self.held) > 1:
            cells -= _cells(self.held.popitem(last=False)[1])


def choose_answer(question: str, tables: Sequence[Table], hits: Sequence[Hit], today: date | None) -> tuple[Finding, Table] | None:
    """The best answer of these tables, and its table. Tables of the same form answer together, those that the question names."""
    best: tuple[Finding, Table] | None = None
    for group in group_tables(tables):
        table = join_tables(find_named(question, group))
        finding = answer_question(question, table, today)
        if finding is None or finding.score < SCORE_MIN or is_elsewhere(finding, hits):
            continue
        if language_of("".join(column.name for column in table.columns)) != language_of(question):
            finding = replace(finding, score=finding.score - OTHER_LANGUAGE)
        if best is None or is_better(finding, best[0]):
            best = finding, table
    return best


def is_better(one: Finding, other: Finding) -> bool:
    """Whether a finding goes before one of a table further up: computed before not, rows before none, the better explained."""
    return (one.is_computed, bool(one.rows), one.score) > (other.is_computed, bool(other.rows), other.score + 1e-6)


def is_elsewhere(finding: Finding, hits: Sequence[Hit]) -> bool:
    """Whether a text says what the table has no column for: then the text answers."""
    if not finding.missing:
        return False
    folds = (haystack_of("\n".join((hit.title, *hit.headings, hit.text))) for hit in hits)
    return any(all(text.contains(word) for word in finding.missing) for text in folds)


def tables_of(hits: Sequence[Hit]) -> list[tuple[Hit, TablePart]]:
    """The tables behind the best hits, each once, with the best hit that has a part of it."""
    found: dict[tuple[str, str, int, int], tuple[Hit, TablePart]] = {}
    for hit in hits[:HITS_MAX]:
        for part in hit.tables:
            found.setdefault((hit.collection, hit.document_id, hit.version, part.number), (hit, part))
    return list(found.values())[:TABLES_MAX]


def build_passages(finding: Finding, table: Table, question: str) -> tuple[Passage, ...]:
    """A finding as passages, one for each document that its rows are of; the first has the result, and says which tables it is from."""
    language = language_of(question)
    places = sorted(range(len(finding.rows)), key=lambda place: _document_of(table, finding.rows[place]))
    parts = [tuple(finding.rows[place] for place in own) for _, own in groupby(places, lambda at: _document_of(table, finding.rows[at]))]
    parts.sort(key=lambda rows: finding.rows.index(rows[0]))
    statement = finding.statement
    if table.titles:
        ending = next((end for end in ("：", ":") if statement.endswith(end)), "")
        statement = statement.removesuffix(ending) + statements.used_tables(language, table.titles) + ending
    first = build_passage(replace(finding, statement=statement, rows=parts[0] if parts else ()), table)
    others = [build_passage(replace(finding, statement="", rows=rows), table) for rows in parts[1:]]
    return (first, *(structs.replace(each, computed=statements.rows_of(language, each.title)) for each in others))


def _document_of(table: Table, row: int) -> tuple[str, str, int]:
    hit = table.chunks[table.rows[row].chunk]
    return hit.knowledge_base_id, hit.document_id, hit.version


def build_passage(finding: Finding, table: Table) -> Passage:
    """The rows of a finding, in the order in which they are told, as a passage of the table's document.

    Without a row there is nothing to cite: the passage says where the table is, and has no rows.
    """
    chosen = [table.rows[index] for index in finding.rows]
    lines: list[str] = []
    parts: list[PassagePart] = []
    length = 0
    for row in chosen:
        hit = table.chunks[row.chunk]
        if not parts or parts[-1].chunk_id != hit.id:
            parts.append(make_part(hit, length))
        lines.append(_line_of(row, table))
        length += len(lines[-1]) + 1
    best = table.chunks[(chosen or table.rows)[0].chunk]
    used = [hit for hit in table.chunks if any(part.chunk_id == hit.id for part in parts)] or [best]
    text = "\n".join(lines)
    rows = structs.replace(table.part, start=0, end=len(text), header=0, indent=0, columns=tuple(column.name for column in table.columns))
    passage = make_passage(
        best,
        used,
        parts,
        headings=used[0].headings if len(used) > 1 else best.headings,
        score=max(hit.score for hit in used),
        text=text or table.rows[0].line,
        tables=((structs.replace(rows, columns=()) if table.is_list else rows),) if chosen else (),
    )
    return structs.replace(passage, computed=finding.statement)


def _line_of(row: Row, table: Table) -> str:
    """The row's line, with the empty cells at its beginning that a chunk leaves out."""
    if table.is_list or table.part.separator != "\t":
        return row.line
    return "\t" * max(0, len(row.cells) - len(row.line.split("\t"))) + row.line


def _cells(table: Table) -> int:
    return len(table.rows) * max(1, len(table.columns))
