"""Running headers, footers and page numbers: recognised by their place, the same on most pages.

What counts pages may do so for a chapter only. What runs is dropped, except where it first stands when it says anything but the page's
number: a header may be the only place of a name.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.parsing.pdf.lines import rows_of
from adapters.parsing.pdf.text import TextSpan

PAGES_MIN = 3  # fewer say nothing about what repeats
_SHARE_MIN = 0.5  # of the pages with text; of every second one, for books with two kinds of pages
_ROWS = 3  # from each end of a page
_SLACK = 4.0  # points between the same place of two pages

_NUMBER = re.compile(r"\d+")
_NO_WORD, _NUMBERS = re.compile(r"[^\w#]+"), re.compile("#+")
_NUMBERING = re.compile(
    "#?(?:page|pg?|第|共)?(?:#|[ivxlcdm]++)#?(?:页|頁)?#?(?:of|共|总)?#?(?:页|頁)?#?", re.IGNORECASE
)  # without what is no word


@dataclass(frozen=True, slots=True)
class _EdgeRow:
    page: int  # its place among the pages given
    base: float
    template: str
    numbers: tuple[int, ...]
    orders: frozenset[int]


def without_running_headers(pages: Sequence[list[TextSpan]]) -> list[list[TextSpan]]:
    """The spans of each page without running headers and footers."""
    filled = sum(1 for spans in pages if spans)
    if filled < PAGES_MIN:
        return list(pages)
    dropped: dict[int, set[int]] = defaultdict(set)
    for at_top in (True, False):
        candidates = [_outermost_rows(index, spans, at_top=at_top) for index, spans in enumerate(pages)]
        for depth in range(_ROWS):
            found = _find_running([rows[depth] for rows in candidates if len(rows) > depth], filled)
            if not found:
                break
            for row in found:
                dropped[row.page] |= row.orders
    return [
        [span for span in spans if span.order not in dropped[index]] if index in dropped else spans for index, spans in enumerate(pages)
    ]


def _outermost_rows(page: int, spans: list[TextSpan], *, at_top: bool) -> list[_EdgeRow]:
    """The rows nearest to an end of the page, the outermost first."""
    near = sorted(spans, key=lambda span: span.base if at_top else -span.base)[: _ROWS * 12]
    rows = rows_of(near)
    rows = rows[:_ROWS] if at_top else rows[::-1][:_ROWS]
    found = []
    for row in rows:
        text = " ".join(span.text for span in row)
        low, high = min(span.top for span in row), max(span.bottom for span in row)
        orders = frozenset(span.order for span in near if low <= (span.top + span.bottom) / 2 <= high)
        numbers = tuple(int(number[:9]) for number in _NUMBER.findall(text))
        found.append(_EdgeRow(page, row[0].base, _NUMBER.sub("#", "".join(text.split())).lower(), numbers, orders))
    return found


def _find_running(rows: list[_EdgeRow], pages: int) -> list[_EdgeRow]:
    """Those that stand at the same place of most pages, or count pages; they differ at most by a number that grows with the page."""
    groups: dict[tuple[str, int], list[_EdgeRow]] = defaultdict(list)
    for row in rows:
        groups[row.template, len(row.numbers)].append(row)  # a # may also be its own
    found: list[_EdgeRow] = []
    for (template, _), same in groups.items():
        runs = [row for row in same if sum(1 for other in same if abs(other.base - row.base) <= _SLACK) * 2 >= len(same)]
        every_second = len({row.page % 2 for row in runs}) == 1
        most = pages * _SHARE_MIN / (2 if every_second else 1)
        steps = _count_growing_numbers(runs)
        if len(runs) < PAGES_MIN or steps is None or (len(runs) < most and not steps):
            continue
        found += runs if _NUMBERING.fullmatch(_NUMBERS.sub("#", _NO_WORD.sub("", template))) else runs[1:]
    return found


def _count_growing_numbers(rows: list[_EdgeRow]) -> int | None:
    """How many of their numbers grow with the page; None when one differs in another way: then they are no running text."""
    found = 0
    for values in zip(*(row.numbers for row in rows), strict=True):
        if len(set(values)) > 1:
            if len({value - row.page for value, row in zip(values, rows, strict=True)}) > 1:
                return None
            found += 1
    return found
