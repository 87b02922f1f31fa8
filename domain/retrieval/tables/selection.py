"""The rows that a question is about: by what stands in their cells, by comparisons, by yes and no."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from adapters.models.grounding.answerability import term_weight
from adapters.text.identifiers import holds_identifier, named_identifiers
from adapters.text.language import content_terms, fold, phrases
from adapters.text.namesakes import is_namesake
from domain.retrieval.tables.columns import DIRECTIONS, Mention
from domain.retrieval.tables.conditions import blank_span
from domain.retrieval.tables.placement import Placed, has_unit, place_conditions
from domain.retrieval.tables.table import WORD, Table, stem
from domain.retrieval.tables.values import NOTHING, read_flag
from domain.retrieval.tables.wording import Asked

VALUES_MAX = 20_000  # distinct ones of a column that are compared word by word
VALUES_NAMED_MAX = 8  # of one question
NEGATIVE_PARTS_MAX = 2
AROUND_CHARS = 6  # before and behind a value, where it is said whether it is come from or gone to
# Times relative to something: made of characters that say nothing elsewhere, and conditions nobody has computed.
_TIMES = re.compile(
    r"[上下中]午|[早晚]上|凌晨|[今去明前后本][年天日月]|[上下本这][个]?[周月季年]|\b(?:today|yesterday|tomorrow|morning|afternoon|evening)\b"
)
NEGATED_CHARS, BEHIND_CHARS = 16, 2  # between a word that says not and what it is said of
_AND = re.compile(r"\s*(?:和|与|及|以及|或者?|、|,|and|or|nor|and in|or in)\s*")
_NO_VALUE = frozenset("a i an the in of on at to is or and no be do".split())


@dataclass(frozen=True, slots=True)
class Value:
    """Cells of one column that the question names, and where it does; ``whole``: every word of the cell."""

    column: int
    text: str
    rows: tuple[int, ...]
    start: int
    end: int
    whole: bool = True
    is_excluded: bool = False  # the question says not


@dataclass(frozen=True, slots=True)
class Selection:
    """``rows`` in order. ``values`` by which they were chosen, ``conditions`` with their columns, ``flags`` columns with yes or no,
    ``gaps`` columns without a value.

    ``unexplained`` is the share of the question's weight that neither its form nor the table accounts for, ``left`` those words.
    ``unclear`` are columns between which a condition cannot decide.
    """

    rows: tuple[int, ...]
    values: tuple[Value, ...] = ()
    conditions: tuple[Placed, ...] = ()
    flags: tuple[tuple[int, bool], ...] = ()
    gaps: tuple[int, ...] = ()
    unexplained: float = 0.0
    left: tuple[str, ...] = ()
    unclear: tuple[int, ...] = ()
    absent: bool = False  # the question names an identifier that no row has
    columns: frozenset[int] = field(default=frozenset())  # by which rows were chosen

    @property
    def is_filtered(self) -> bool:
        return bool(self.values or self.conditions or self.flags or self.gaps)


def select_rows(asked: Asked, rest: str, mentions: Sequence[Mention], table: Table) -> Selection:
    """The rows of the table that fulfil all that the question says of them."""
    values, rest, absent = _find_values(asked, rest, mentions, table)
    values, unused = _exclude_values(asked, values)
    flags = [] if asked.operation == "lookup" and values else _find_flags(mentions, table, wanted=not unused and asked.empty < 0)
    gaps = _find_gaps(asked, mentions, table)
    conditions, unclear = place_conditions(asked.conditions, mentions, table)
    rows = set(range(len(table.rows)))
    by_column: dict[tuple[int, bool], set[int]] = {}
    for value in values:
        by_column.setdefault((value.column, value.is_excluded), set()).update(value.rows)
    for (_, excluded), chosen in by_column.items():
        rows = rows - chosen if excluded else rows & chosen
    for placed in conditions:
        rows = {row for row in rows if placed.is_fulfilled(table, row)}
    for column, wanted in flags:
        rows = {row for row in rows if read_flag(table.folded(row, column)) is wanted}
    for column in gaps:
        rows = {row for row in rows if table.folded(row, column) in NOTHING}
    unexplained, left = _unexplained(asked, rest, table)
    columns = (*(column for column, _ in by_column), *(placed.column for placed in conditions), *(column for column, _ in flags), *gaps)
    return Selection(
        tuple(sorted(rows)),
        tuple(values),
        tuple(conditions),
        tuple(flags),
        gaps,
        unexplained,
        left,
        unclear,
        absent,
        frozenset(columns),
    )


def _exclude_values(asked: Asked, values: Sequence[Value]) -> tuple[list[Value], bool]:
    """The values, with those that the question says not of; and whether it says not of something else as well.

    不在北京和上海 is of both; 不在北京的甲公司 is not of the company.
    """
    found: list[Value] = []
    used: set[int] = set()
    before: Value | None = None
    for value in sorted(values, key=lambda one: one.start):
        excluded = False
        for place, negation in enumerate(asked.negations):
            gap = value.start - negation.end if not negation.is_behind else negation.start - value.end
            near = 0 <= gap <= (BEHIND_CHARS if negation.is_behind else NEGATED_CHARS) and bool(value.end)
            between = any(negation.end <= other.start < value.start for other in values) and not negation.is_behind
            if near and not between:
                excluded = True
                used.add(place)
        if before is not None and before.is_excluded and before.column == value.column and not excluded:
            excluded = _AND.fullmatch(asked.question[before.end : value.start]) is not None
        before = replace(value, is_excluded=excluded)
        found.append(before)
    for place in range(len(found) - 2, -1, -1):  # 北京和上海以外
        value, behind = found[place], found[place + 1]
        joined = value.column == behind.column and _AND.fullmatch(asked.question[value.end : behind.start]) is not None
        if joined and behind.is_excluded:
            found[place] = replace(value, is_excluded=True)
    return found, len(used) < len(asked.negations)


def _find_gaps(asked: Asked, mentions: Sequence[Mention], table: Table) -> tuple[int, ...]:
    """The column that the question says is not filled in: of those named the one that has gaps, else the one named nearest."""
    if asked.empty < 0:
        return ()
    able = [mention for mention in mentions if table.columns[mention.column].kind != "flag" and mention.end > mention.start]
    having = [mention for mention in able if sum(map(len, table.values[mention.column].values())) < len(table.rows)]
    near = min(having or able, key=lambda mention: abs(mention.start - asked.empty), default=None)
    return () if near is None else (near.column,)


def prefer_values(asked: Asked, rest: str, mentions: Sequence[Mention], table: Table) -> tuple[list[Mention], str]:
    """The mentions without those that are only the beginning of a cell (产品 in 产品17), and ``rest`` with their words back in it."""
    literal = [(value.start, value.end) for value in _literal_values(asked.rest, table, mentions)]
    kept: list[Mention] = []
    for mention in mentions:
        size = mention.end - mention.start
        if size and any(start <= mention.start and mention.end <= end and end - start > size for start, end in literal):
            rest = rest[: mention.start] + asked.rest[mention.start : mention.end] + rest[mention.end :]
        else:
            kept.append(mention)
    return kept, rest


def _find_values(asked: Asked, rest: str, mentions: Sequence[Mention], table: Table) -> tuple[list[Value], str, bool]:
    found, absent = _find_identifiers(asked.question, table)
    for value in found:
        rest = _blank_words(rest, value.text)
    literal = sorted(_literal_values(rest, table, mentions), key=lambda one: (one.start - one.end, one.start))
    taken: list[Value] = []
    for value in literal:
        same = [other for other in taken if other.start < value.end and value.start < other.end]
        if not same or all((other.start, other.end) == (value.start, value.end) for other in same):
            taken.append(value)
    spans: dict[tuple[int, int], list[Value]] = {}
    for value in taken:
        spans.setdefault((value.start, value.end), []).append(value)
    for (start, end), others in list(spans.items())[:VALUES_NAMED_MAX]:
        found.append(_choose_column(others, mentions, asked, table))
        rest = blank_span(rest, start, end)
    more, rest = _partial_values(rest, table)
    return [*found, *more], rest, absent


def _literal_values(rest: str, table: Table, mentions: Sequence[Mention]) -> Iterable[Value]:
    """Cells that stand in the question as they are. A bare number is one of a column only where the question says which."""
    named = {mention.column for mention in mentions}
    for column, values in enumerate(table.values):
        is_bare = table.columns[column].kind == "number" and column not in named
        for text, rows in values.items():
            if len(text) > len(rest) or text in _NO_VALUE or read_flag(text) is not None or text.isspace():
                continue
            at = rest.find(text)
            while at >= 0:
                end = at + len(text)
                if not _is_inside_word(rest, at, end) and not (is_bare and not has_unit(table, table.columns[column], rest[end : end + 1])):
                    yield Value(column, text, tuple(rows), at, at + len(text))
                    break
                at = rest.find(text, at + 1)


def _is_inside_word(text: str, start: int, end: int) -> bool:
    """Whether letters or digits go on at either edge: 12 in 1200, art in party; a lone Chinese character stands in most words."""
    if end - start == 1 and not text[start].isascii():
        return True
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    first, last = text[start], text[end - 1]
    joined = (before.isascii() and before.isalnum() and first.isascii() and first.isalnum()) or (
        after.isascii() and after.isalnum() and last.isascii() and last.isalnum()
    )
    decimal = (first.isdigit() and before == ".") or (last.isdigit() and after == "." and text[end + 1 : end + 2].isdigit())
    return joined or decimal


def _choose_column(values: Sequence[Value], mentions: Sequence[Mention], asked: Asked, table: Table) -> Value:
    """Of columns with the same value: the one that the question names nearest to it, or means by from and to; else the rows of all."""
    named = {mention.column: mention for mention in mentions if mention.end > mention.start}
    near = [value for value in values if value.column in named]
    if near:
        return min(near, key=lambda value: min(abs(named[value.column].end - value.start), abs(named[value.column].start - value.end)))
    first = values[0]
    around = asked.question[max(0, first.start - AROUND_CHARS) : first.end + AROUND_CHARS]
    for direction in DIRECTIONS:
        meant = [value for value in values if any(direction.said.search(level) for level in table.columns[value.column].levels)]
        if meant and direction.asked.search(around):
            return meant[0]
    return replace(first, rows=tuple(sorted({row for value in values for row in value.rows})))


def _find_identifiers(question: str, table: Table) -> tuple[list[Value], bool]:
    """Cells with the identifiers that the question names, in whatever spelling; and whether one is in no row."""
    found: list[Value] = []
    names = named_identifiers(question)
    for name in names:
        last = name.split()[-1]
        for column, values in enumerate(table.values):
            hits = [(text, rows) for text, rows in values.items() if last in text and holds_identifier(text, name)]
            if hits:
                rows = tuple(row for _, each in hits for row in each)
                found.append(Value(column, name, rows, 0, 0))
                break
    return found, bool(names) and len(found) < len(names) and not any(holds_identifier(table.known.folded, name) for name in names)


def _blank_words(rest: str, name: str) -> str:
    """Without the parts of an identifier, however it is written."""
    link = r"[^\w\s]{0,2}\s?"
    return re.sub(link.join(map(re.escape, name.split())), lambda found: " " * len(found.group()), rest)


def _partial_values(rest: str, table: Table) -> tuple[list[Value], str]:
    """Cells that hold words of the question which the table does not know otherwise: 西芹 in 西芹（有机）."""
    found: list[Value] = []
    for phrase in phrases(rest)[:VALUES_NAMED_MAX]:
        if not phrase.isascii() and len(phrase) > 1 and not table.known.folded.count(phrase):
            for part in _parts_of(phrase):
                at = rest.find(part)
                hits = _holding(part, table, phrase) if at >= 0 else None
                if hits is not None:
                    found.append(Value(hits[0], part, hits[1], at, at + len(part), whole=False))
                    rest = blank_span(rest, at, at + len(part))
                    break
    words = [(stem(word.group()), word) for word in WORD.finditer(rest)]
    wanted = {name for name, _ in words if name and name not in table.stems}
    if wanted:
        best = _sharing(wanted, table)
        if best is not None:
            found.append(best)
            for name, word in words:
                if name in best.text.split():
                    rest = blank_span(rest, word.start(), word.end())
    return found, rest


def _parts_of(phrase: str) -> list[str]:
    """A run of Chinese and its beginnings and ends, longest first, down to two characters."""
    sizes = range(len(phrase), 1, -1)
    return list(dict.fromkeys(part for size in sizes for part in (phrase[:size], phrase[-size:])))[:12]


def _holding(part: str, table: Table, phrase: str) -> tuple[int, tuple[int, ...]] | None:
    """The column in which fewest cells hold this part of a phrase, and their rows; None when none does, or most do.

    A cell that ends like the phrase and begins otherwise is another name: 王晓明, and not 李晓明.
    """
    best: tuple[int, tuple[int, ...]] | None = None
    for column, values in enumerate(table.values):
        if table.columns[column].kind != "text" or table.columns[column].is_prose or len(values) > VALUES_MAX:
            continue
        rows = tuple(row for text, each in values.items() if part in text and not is_namesake((text,), (phrase,)) for row in each)
        if rows and (best is None or len(rows) < len(best[1])):
            best = column, rows
    return None if best is None or (2 * len(best[1]) > len(table.rows) and len(table.rows) > NEGATIVE_PARTS_MAX) else best


def _sharing(wanted: set[str], table: Table) -> Value | None:
    """The cells that share most words with ``wanted``: all of them, or half of the cell's own."""
    best: tuple[int, int, str] | None = None  # words shared, column, the words
    rows: list[int] = []
    for column, values in enumerate(table.values):
        if table.columns[column].kind != "text" or table.columns[column].is_prose or len(values) > VALUES_MAX:
            continue
        for text, each in values.items():
            own = {stem(word) for word in WORD.findall(text)} - {""}
            shared = wanted & own
            if not shared or (shared != wanted and 2 * len(shared) < len(own)):
                continue
            if best is None or len(shared) > best[0]:
                best, rows = (len(shared), column, " ".join(sorted(shared))), list(each)
            elif len(shared) == best[0] and column == best[1] and shared == set(best[2].split()):
                rows += each
    if best is None or (2 * len(rows) > len(table.rows) and len(table.rows) > NEGATIVE_PARTS_MAX):
        return None
    return Value(best[1], best[2], tuple(sorted(rows)), 0, 0, whole=False)


def _find_flags(mentions: Sequence[Mention], table: Table, *, wanted: bool) -> list[tuple[int, bool]]:
    """Columns of yes and no that the question names: those with yes, or with no when it says not."""
    return [(mention.column, wanted) for mention in mentions if table.columns[mention.column].kind == "flag"]


def _unexplained(asked: Asked, rest: str, table: Table) -> tuple[float, tuple[str, ...]]:
    """The share of the question's words that are explained by nothing, and those words."""
    whole = sum(term_weight(term) for term in content_terms(asked.question)) or 1.0
    left = [term for term in content_terms(rest) if not table.knows(term)]
    words = [phrase for phrase in phrases(rest) if not content_terms(fold(phrase)).isdisjoint(left)]
    times = [word for word in dict.fromkeys(_TIMES.findall(rest)) if word not in table.known.folded]
    return (sum(map(term_weight, left)) + len(times)) / whole, (*words, *times)
