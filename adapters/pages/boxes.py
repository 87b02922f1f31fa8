"""Boxes of characters to boxes of lines. Pure functions; every measure is a fraction of the page, from its upper left corner."""

from collections.abc import Iterable
from typing import NamedTuple

_OVERLAP_MIN = 0.5  # of the greater height: then two boxes stand in one line, and no line stands in one with the next
_GAP_MAX = 1.5  # line heights between two words of a line: further apart they are in two columns or cells


class PageBox(NamedTuple):
    """A rectangle on a page."""

    left: float
    top: float
    right: float
    bottom: float


def join_boxes(boxes: Iterable[PageBox], aspect: float) -> list[PageBox]:
    """The boxes of consecutive characters as one box for each piece of a line; ``aspect`` is the page's width by its height.

    A line may also run down or up the page. Boxes without an area are left out, and all are cut at the page's edges.
    """
    joined: list[PageBox] = []
    for given in boxes:
        box = PageBox(*(min(max(side, 0.0), 1.0) for side in given))
        if box.right <= box.left or box.bottom <= box.top:
            continue
        if joined and _are_in_line(joined[-1], box, aspect):
            last = joined[-1]
            joined[-1] = PageBox(*(side(*pair) for side, pair in zip((min, min, max, max), zip(last, box, strict=True), strict=True)))
        else:
            joined.append(box)
    return joined


def _are_in_line(last: PageBox, box: PageBox, aspect: float) -> bool:
    across = _follows(
        last.top, last.bottom, box.top, box.bottom, last.left * aspect, last.right * aspect, box.left * aspect, box.right * aspect
    )
    down = _follows(
        last.left, last.right, box.left, box.right, last.top / aspect, last.bottom / aspect, box.top / aspect, box.bottom / aspect
    )
    return across or down


def _follows(
    low: float, high: float, other_low: float, other_high: float, start: float, end: float, next_start: float, next_end: float
) -> bool:
    """Whether two spans overlap across the line, and are near one another along it."""
    height = max(high - low, other_high - other_low)
    overlap = min(high, other_high) - max(low, other_low)
    gap = max(next_start - end, start - next_end)
    return overlap >= _OVERLAP_MIN * height and gap <= _GAP_MAX * height
