"""From hits to the passages that a model reads: the best that fit, no copies, neighbours as one text. Pure functions.

A passage keeps its place in the ranking by its best chunk; its text is in document order, and where two chunks overlap it appears once, so
every sentence of it is literal document text. ``Passage.parts`` names the chunk of each part, for citations.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from adapters.index.port import Hit
from adapters.parsing.core.cell_ranges import is_separate, merge_places
from adapters.text.language import estimate_tokens
from adapters.text.near_duplicates import Sketch, is_near_duplicate, sketch
from schemas.chats import Passage, PassagePart
from schemas.documents import TablePart

_ENDS = re.compile("[。！？.!?…:：；;][”’\"'」』）)\\]】》*_]*$")
_ROW = re.compile(r"^\s*(?:[-*+•·|]\s|\d{1,3}(?:[.)]\s|、)|[（(]\d{1,3}[）)])|\t| \| ")
FULL_TOKENS = 160  # half of a chunk's usual target: a smaller one ends where its section does


@dataclass(slots=True)
class HitGroup:
    """Chunks of one document version with consecutive ordinals, in that order; ``best`` is the highest hit among them."""

    best: Hit
    hits: list[Hit] = field(default_factory=list)

    def is_adjacent(self, hit: Hit) -> bool:
        """Whether ``hit`` stands right before or behind these in the same version, file, sheet or slide of the same document."""
        beside = hit.ordinal in (self.hits[0].ordinal - 1, self.hits[-1].ordinal + 1)
        return beside and _version_key(hit) == _version_key(self.best) and not is_separate(hit.place, self.best.place)

    def add(self, hit: Hit) -> None:
        """Takes a chunk that ``touches``."""
        self.hits.insert(0 if hit.ordinal < self.hits[0].ordinal else len(self.hits), hit)


@dataclass(frozen=True, slots=True)
class PassageSelection:
    """Groups, best first, and how many tokens of the budget they leave."""

    groups: tuple[HitGroup, ...]
    tokens_left: int


def select_groups(hits: Sequence[Hit], *, passages_max: int, tokens_max: int) -> PassageSelection:
    """The best hits in at most ``passages_max`` passages of together ``tokens_max`` tokens; the first always fits.

    Copies of a better hit, in whatever document, are left out. Hits behind the last place only join a passage that they touch.
    """
    groups: list[HitGroup] = []
    sketches: list[Sketch] = []
    left = tokens_max
    for hit in hits:
        touched = [group for group in groups if group.is_adjacent(hit)]
        cost = estimate_tokens(hit.text)
        if (not touched and len(groups) == passages_max) or (groups and cost > left):
            continue
        sketched = sketch(hit.text)
        if any(is_near_duplicate(sketched, other) for other in sketches):
            continue
        sketches.append(sketched)
        left -= cost
        _add_hit(groups, touched, hit)
    return PassageSelection(tuple(groups), left)


def missing_neighbours(groups: Sequence[HitGroup], *, groups_max: int) -> list[tuple[HitGroup, int]]:
    """Neighbours (by ordinal) that complete what the best groups cut off: a list, a table, a sentence."""
    missing: list[tuple[HitGroup, int]] = []
    for group in groups[:groups_max]:
        first, last = group.hits[0], group.hits[-1]
        if is_cut_after(last.text):
            missing.append((group, last.ordinal + 1))
        if first.ordinal and is_cut_before(first.text):
            missing.append((group, first.ordinal - 1))
    return missing


def is_cut_before(text: str) -> bool:
    """Whether a chunk begins inside a list or a table."""
    return _ROW.search(text.lstrip("\n").partition("\n")[0]) is not None


def is_cut_after(text: str) -> bool:
    """Whether a chunk may go on behind its end: it ends with a row, or without the end of a sentence."""
    if estimate_tokens(text) < FULL_TOKENS:
        return False
    last = text.rstrip().rpartition("\n")[2]
    return _ROW.search(last) is not None or last.endswith((":", "：")) or _ENDS.search(last) is None


def add_neighbour(group: HitGroup, neighbour: Hit, tokens_left: int) -> int:
    """Takes a neighbour of the same section when it fits; returns the tokens that are left."""
    cost = estimate_tokens(neighbour.text)
    if cost > tokens_left or not group.is_adjacent(neighbour) or neighbour.headings[:1] != group.best.headings[:1]:
        return tokens_left
    group.add(neighbour)
    return tokens_left - cost


def build_passages(groups: Sequence[HitGroup]) -> tuple[Passage, ...]:
    """The groups as a model gets them, numbered from 1."""
    return tuple(_build_passage(marker, group) for marker, group in enumerate(groups, 1))


def put_first(computed: Sequence[Passage], others: Sequence[Passage]) -> tuple[Passage, ...]:
    """An answer computed from tables before the other passages, without those that hold little but rows of these tables."""
    kept = [passage for passage in others if not any(_repeats_table(passage, each) for each in computed)]
    return tuple(replace(passage, marker=marker) for marker, passage in enumerate((*computed, *kept), 1))


def _repeats_table(passage: Passage, computed: Passage) -> bool:
    if (passage.knowledge_base_id, passage.document_id) != (computed.knowledge_base_id, computed.document_id):
        return False
    numbers = {part.number for part in computed.tables}
    return _fill_most(passage.text, [part for part in passage.tables if part.number in numbers])


def is_mostly_rows(hit: Hit) -> bool:
    """Whether a chunk holds little but rows of tables that name their columns."""
    return _fill_most(hit.text, [part for part in hit.tables if part.columns])


def _fill_most(text: str, parts: Sequence[TablePart]) -> bool:
    return 2 * sum(part.end - part.start + part.header for part in parts) > len(text)


def _build_passage(marker: int, group: HitGroup) -> Passage:
    text, parts, tables = _join_texts(group.hits)
    headings = _common_prefix([hit.headings for hit in group.hits])
    passage = make_passage(group.best, group.hits, parts, headings=headings, score=group.best.score, text=text, tables=tables)
    return replace(passage, marker=marker)


def make_passage(
    best: Hit,
    hits: Sequence[Hit],
    parts: Sequence[PassagePart],
    *,
    headings: tuple[str, ...],
    score: float,
    text: str,
    tables: tuple[TablePart, ...],
) -> Passage:
    """The passage of ``hits`` of one version, named for the best of them, with the marker 1. ``parts`` are those of the text."""
    several = len(hits) > 1
    return Passage(
        marker=1,
        chunk_id=best.id,
        knowledge_base_id=best.knowledge_base_id,
        document_id=best.document_id,
        version=best.version,
        ordinal=best.ordinal,
        title=best.title,
        headings=headings,
        score=round(score, 4),
        text=text,
        place=merge_places(hit.place for hit in hits) if several else best.place,
        chunk_ids=tuple(hit.id for hit in hits) if several else (),
        parts=tuple(parts) if several else (),
        tables=tables,
    )


def make_part(hit: Hit, start: int) -> PassagePart:
    """The part of a passage that begins at ``start`` of its text and is of this hit."""
    return PassagePart(chunk_id=hit.id, start=start, headings=hit.headings, place=hit.place, ordinal=hit.ordinal)


def _join_texts(hits: Sequence[Hit]) -> tuple[str, tuple[PassagePart, ...], tuple[TablePart, ...]]:
    """Their text, what overlaps once, and where tables are in it; what white space stood between two is not known, so a line break does."""
    text, parts, tables = "", [], []
    for hit in hits:
        new = hit.text[hit.overlap :] if text and hit.overlap and text.endswith(hit.text[: hit.overlap]) else hit.text
        text += "\n" if text and new == hit.text else ""
        parts.append(make_part(hit, len(text)))
        moved = len(text) - (len(hit.text) - len(new))
        tables += [replace(part, start=part.start + moved, end=part.end + moved) for part in hit.tables if part.start + moved >= 0]
        text += new
    return text, tuple(parts), tuple(tables)


def _add_hit(groups: list[HitGroup], touched: list[HitGroup], hit: Hit) -> None:
    """Into the group that it touches, which becomes one with another when it stands between them."""
    if not touched:
        groups.append(HitGroup(hit, [hit]))
        return
    into, *others = touched
    into.add(hit)
    for other in others:
        into.hits = sorted((*into.hits, *other.hits), key=lambda each: each.ordinal)
        groups.remove(other)


def _version_key(hit: Hit) -> tuple[str, str, int]:
    return hit.knowledge_base_id, hit.document_id, hit.version


def _common_prefix(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    shared = 0
    for level in zip(*paths, strict=False):
        if len(set(level)) > 1:
            break
        shared += 1
    return paths[0][:shared]
