"""Chunks: consecutive slices of the parsed text, of bounded size, under one heading path, ending where sentences end.

Together the chunks are the whole text but for white space between them: nothing is lost, nothing stands in two. Sizes are tokens as
``adapters.language.estimated_tokens`` counts them, kept in exact eighths of a token so that they add up.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapters.language import estimated_tokens
from adapters.parsing.blocks import HEADING_CHARS_MAX, Block, Parsed
from schemas.documents import Chunk
from schemas.errors import Refused

EIGHTHS = 8
CHAR_EIGHTHS_MIN = 2  # an ASCII character
WINDOW_START = 4  # an end of sentence in the first quarter of a chunk is taken only when there is no other

_CLOSERS = "”’\"'」』）)】》*_"
_SENTENCE = re.compile(rf"(?:[。！？；…]++|(?<![.!?])[.!?]++(?=[\s{_CLOSERS}]))[{re.escape(_CLOSERS)}]*")
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|cf|al|No|Fig|Inc|Ltd|Co|approx)|\b[A-Z])\.$")
_ABBREVIATION_CHARS_MAX = 8
_LINE = re.compile(r"\n+")
_CLAUSE = re.compile(r"[，、：][”’」』）]*|[,;:](?=\s)")
_SPACE = re.compile(r"\s+")
_PROSE = (_SENTENCE, _LINE, _CLAUSE, _SPACE)  # where to cut, best first
_LINES = (_LINE, _SENTENCE, _CLAUSE, _SPACE)
_BOUNDARIES = {"table": _LINES, "code": _LINES, "list": _LINES}


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is never torn apart: headings with what follows them, or a part of a block. ``size`` in eighths of a token."""

    start: int
    end: int
    size: int
    headings: tuple[str, ...]
    opens_section: bool


def chunk(parsed: Parsed, *, target_tokens: int, max_tokens: int, chunks_max: int) -> list[Chunk]:
    """Chunks of about ``target_tokens``, never over ``max_tokens``. Raises Refused("document_too_large") beyond ``chunks_max`` chunks."""
    limit = max_tokens * EIGHTHS
    target = min(target_tokens * EIGHTHS, limit)
    chunks: list[Chunk] = []
    for start, end, headings in _packed(parsed.text, list(_units(parsed, target, limit)), target):
        if len(chunks) == chunks_max:
            raise Refused("document_too_large", f"the document makes more than {chunks_max:,} chunks")
        text = parsed.text[start:end]
        chunks.append(Chunk(ordinal=len(chunks), text=text, headings=headings, start=start, tokens=estimated_tokens(text)))
    return chunks


def indexed_text(title: str, chunk: Chunk) -> str:
    """What of a chunk is embedded and searched: where it stands, then its text; a heading that the text begins with is not said twice."""
    headings = [
        heading for heading in dict.fromkeys((title, *chunk.headings)) if heading and heading not in chunk.text[: 4 * len(heading) + 8]
    ]
    return "\n".join((*headings, chunk.text))


def size_of(text: str) -> int:
    """Eighths of a token: 2 for an ASCII character, 5 for a two-byte, 8 for a three-byte one (Chinese). Additive, unlike rounded tokens."""
    return 3 * len(text.encode("utf-8")) - len(text)


def _packed(text: str, units: list[_Unit], target: int) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Start, end and heading path of every chunk: units up to the target; a small section joins its neighbour under the same heading."""
    sections = _section_sizes(text, units)
    start = end = size = 0
    path: tuple[str, ...] = ()
    for index, unit in enumerate(units):
        gap = size_of(text[end : unit.start])
        shared = _common(path, unit.headings)
        joins = index > 0 and size + gap + unit.size <= target
        if unit.opens_section:
            joins = joins and len(shared) > 0 and size + gap + sections[index] <= target
        if joins:
            size, path = size + gap + unit.size, shared
        else:
            if index:
                yield start, end, path
            start, size, path = unit.start, unit.size, unit.headings
        end = unit.end
    if units:
        yield start, end, path


def _section_sizes(text: str, units: list[_Unit]) -> list[int]:
    """For each unit the size from it to the end of its section."""
    sizes = [unit.size for unit in units]
    for index in range(len(units) - 2, -1, -1):
        if not units[index + 1].opens_section:
            sizes[index] += size_of(text[units[index].end : units[index + 1].start]) + sizes[index + 1]
    return sizes


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return one[:count]


def _units(parsed: Parsed, target: int, limit: int) -> Iterator[_Unit]:
    """Blocks, or parts of long ones; headings wait for what they head."""
    waiting: _Unit | None = None
    for block in parsed.blocks:
        for start, end, headings in _parts(parsed.text, block, target, limit):
            unit = _Unit(start, end, size_of(parsed.text[start:end]), headings, block.kind == "heading")
            if waiting is not None:
                size = waiting.size + size_of(parsed.text[waiting.end : start]) + unit.size
                if size <= limit:
                    unit = _Unit(waiting.start, end, size, headings, opens_section=True)
                else:
                    yield waiting
            waiting = unit if block.kind == "heading" else None
            if waiting is None:
                yield unit
    if waiting is not None:
        yield waiting


def _parts(text: str, block: Block, target: int, limit: int) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """The block when it fits a chunk, else parts of about the target. Later parts of a table carry its first row as their last heading."""
    start, end, headings = _stripped(text, block.start, block.end), _stripped_end(text, block.start, block.end), block.headings
    while start < end:
        if (end - start) * CHAR_EIGHTHS_MIN <= limit and size_of(text[start:end]) <= limit:
            yield start, end, headings
            return
        cut = _cut(text, start, end, target, limit, _BOUNDARIES.get(block.kind, _PROSE))
        yield start, _stripped_end(text, start, cut), headings
        start = _stripped(text, cut, end)
        if block.kind == "table" and headings is block.headings:
            header = text[block.start : block.start + HEADING_CHARS_MAX].strip().partition("\n")[0]
            headings = (*headings, " ".join(header.split()))


def _cut(text: str, start: int, end: int, target: int, limit: int, boundaries: Iterable[re.Pattern[str]]) -> int:
    """Where a text that is too long ends its first part: the best kind of boundary that lies within reach."""
    wanted, furthest = _reach(text, start, end, target), _reach(text, start, end, limit)
    soonest = start + (wanted - start) // WINDOW_START
    for boundary in boundaries:
        ends = [
            match.end()
            for match in boundary.finditer(text, start, min(furthest + 1, end))
            if start < match.end() <= furthest and (boundary is not _SENTENCE or _ends_sentence(text, start, match))
        ]
        before = [at for at in ends if at <= wanted]
        if before and before[-1] >= soonest:
            return before[-1]
        if ends:
            return next((at for at in ends if at > wanted), ends[-1])
    return max(wanted, start + 1)


def _ends_sentence(text: str, start: int, stop: re.Match[str]) -> bool:
    return stop.group() != "." or not _ABBREVIATION.search(text[max(start, stop.end() - _ABBREVIATION_CHARS_MAX) : stop.end()])


def _reach(text: str, start: int, end: int, budget: int) -> int:
    """The furthest place up to which the text from ``start`` costs at most ``budget``."""
    low, high = start, min(end, start + budget // CHAR_EIGHTHS_MIN)
    while low < high:
        middle = (low + high + 1) // 2
        if size_of(text[start:middle]) <= budget:
            low = middle
        else:
            high = middle - 1
    return low


def _stripped(text: str, start: int, end: int) -> int:
    while start < end and text[start].isspace():
        start += 1
    return start


def _stripped_end(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end
