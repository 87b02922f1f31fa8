"""Where a block that is too long for a chunk is cut: at ends of sentences, lines or clauses, linear in its length.

Among the ends in the second half of the target, the text behind it chooses: the same text is cut alike wherever it stands.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from adapters.parsing.core.blocks import Block
from adapters.text.language import sentence_ends

EIGHTHS = 8
CHAR_EIGHTHS_MIN = 2  # an ASCII character
WINDOW_START = 4  # an end of sentence in the first quarter of a part is taken only when there is no other
OVERLAP_SHARE = 10  # a tenth of the target may be said again
ANCHOR_CHARS = 64  # of the text that decides between cuts

_SENTENCE = re.compile("；")  # and the ends of sentences of ``adapters.text.language``
_LINE = re.compile(r"\n+")
_CLAUSE = re.compile(r"[，、：][”’」』）]*|[,;:](?=\s)")
_SPACE = re.compile(r"\s+")
_PROSE = (_SENTENCE, _LINE, _CLAUSE, _SPACE)  # where to cut, best first
_LINES = (_LINE, _SENTENCE, _CLAUSE, _SPACE)
_PROSE_KINDS = ("paragraph", "quote")


class ChunkBudget(NamedTuple):
    """Wanted and largest size in eighths of a token."""

    target: int
    limit: int

    def minus(self, size: int) -> "ChunkBudget":
        """What remains beside something of ``size``."""
        return ChunkBudget(max(self.target - size, 1), max(self.limit - size, 1))


class BlockPart(NamedTuple):
    """``text[start:end]``; a chunk that begins with it begins at ``lead``, inside the part before."""

    start: int
    end: int
    lead: int


def size_of(text: str) -> int:
    """Eighths of a token: 2 for an ASCII character, 5 for a two-byte, 8 for a three-byte one (Chinese). Additive, unlike rounded tokens."""
    return 3 * len(text.encode("utf-8")) - len(text)


def anchor(text: str, at: int) -> int:
    """Chooses between cuts: of several, that with the lowest anchor."""
    return crc32(text[at : at + ANCHOR_CHARS].lstrip().encode())


def split_block(text: str, block: Block, budget: ChunkBudget) -> Iterator[BlockPart]:
    """The block when it fits a chunk, else parts of about the target, each within the limit together with what it repeats."""
    start, end = _skip_space(text, block.start, block.end), _skip_space_back(text, block.start, block.end)
    boundaries = _PROSE if block.kind in (*_PROSE_KINDS, "heading") else _LINES
    lead = start
    while start < end:
        room = budget.minus(size_of(text[lead:start]))
        if (end - start) * CHAR_EIGHTHS_MIN <= room.limit and size_of(text[start:end]) <= room.limit:
            yield BlockPart(start, end, lead)
            return
        cut = _find_cut(text, start, end, room, boundaries)
        stop = _skip_space_back(text, start, cut)
        yield BlockPart(start, stop, lead)
        following = _skip_space(text, cut, end)
        lead = _overlap_start(text, start, stop, budget.target // OVERLAP_SHARE) if block.kind in _PROSE_KINDS else following
        lead = lead if lead < stop else following
        start = following


def _overlap_start(text: str, start: int, end: int, budget: int) -> int:
    """Where the last sentences of ``text[start:end]`` begin that cost at most ``budget``; the last clause or words of a longer one."""
    earliest = _reach_back(text, start + 1, end, budget)
    for boundary in _PROSE:
        begins = [_skip_space(text, at, end) for at in _boundary_ends(text, boundary, earliest, end, end)]
        if begins and begins[0] < end:
            return begins[0]
    return earliest


def _find_cut(text: str, start: int, end: int, budget: ChunkBudget, boundaries: tuple[re.Pattern[str], ...]) -> int:
    """Where a text that is too long ends its first part: the best kind of boundary that lies within reach."""
    wanted, furthest = _reach_forward(text, start, end, budget.target), _reach_forward(text, start, end, budget.limit)
    half, soonest = start + (wanted - start) // 2, start + (wanted - start) // WINDOW_START
    for boundary in boundaries:
        ends = list(_boundary_ends(text, boundary, start, min(furthest + 1, end), furthest))
        before = [at for at in ends if at <= wanted]
        if near := [at for at in before if at >= half]:
            return min(reversed(near), key=lambda at: anchor(text, at))
        if before and before[-1] >= soonest:
            return before[-1]
        if ends:
            return next((at for at in ends if at > wanted), ends[-1])
    return max(wanted, start + 1)


def _boundary_ends(text: str, boundary: re.Pattern[str], start: int, end: int, last: int) -> Iterator[int]:
    """Places behind the boundaries in ``text[start:end]``, up to and including ``last``."""
    ends = [match.end() for match in boundary.finditer(text, start, end)]
    if boundary is _SENTENCE:
        ends = sorted({*ends, *sentence_ends(text, start, end)})
    return (at for at in ends if start < at <= last)


def _reach_forward(text: str, start: int, end: int, budget: int) -> int:
    """The furthest place up to which the text from ``start`` costs at most ``budget``."""
    low, high = start, min(end, start + budget // CHAR_EIGHTHS_MIN)
    while low < high:
        middle = (low + high + 1) // 2
        if size_of(text[start:middle]) <= budget:
            low = middle
        else:
            high = middle - 1
    return low


def _reach_back(text: str, start: int, end: int, budget: int) -> int:
    """The earliest place, not before ``start``, from which the text up to ``end`` costs at most ``budget``."""
    low, high = max(start, end - budget // CHAR_EIGHTHS_MIN), end
    while low < high:
        middle = (low + high) // 2
        if size_of(text[middle:end]) <= budget:
            high = middle
        else:
            low = middle + 1
    return low


def _skip_space(text: str, start: int, end: int) -> int:
    while start < end and text[start].isspace():
        start += 1
    return start


def _skip_space_back(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end
