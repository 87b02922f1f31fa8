"""A quote on the pages of a file: which pages it is on, and the boxes over its words."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from adapters.pages.boxes import join_boxes
from adapters.pages.paged_file import PagedFile
from adapters.text.quotes import find_quote
from schemas.errors import Refused

PAGES_MAX = 200  # whose text is read for a quote of which nobody knows the page
CHARS_MAX = 600_000  # of these pages together
BOXES_MAX = 2_000  # of a quote: it has at most as many characters


class PageHighlights(Struct, frozen=True, kw_only=True):
    """Boxes on a page: left, top, right and bottom as fractions of its width and height, from the upper left corner."""

    page: int
    boxes: tuple[tuple[float, float, float, float], ...]


class QuoteOnPages(Struct, tag=True, frozen=True, kw_only=True):
    """The number of the file's pages, the share of a quote that was found on them, and where; nowhere with less than half of it."""

    page_count: int
    share: float
    pages: tuple[PageHighlights, ...] = ()


def highlight_quote(file: PagedFile, quote: str, context: str, first: int, last: int) -> QuoteOnPages:
    """Where ``quote`` stands on the pages ``first`` to ``last``, or on any page with ``first`` 0. ``context``: the text around it."""
    wanted = range(max(1, first), min(last, file.page_count) + 1) if first else range(1, min(file.page_count, PAGES_MAX) + 1)
    numbers, texts = _read_texts(file, wanted)
    match = find_quote(texts, quote, context)
    by_page: dict[int, list[tuple[int, int]]] = {}
    for part in match.parts:
        by_page.setdefault(numbers[part.piece], []).append((part.start, part.end))
    found = tuple(_highlight(file, page, spans) for page, spans in sorted(by_page.items()))
    return QuoteOnPages(page_count=file.page_count, share=match.share, pages=found)


def _read_texts(file: PagedFile, wanted: Iterable[int]) -> tuple[list[int], list[str]]:
    """Numbers and texts of the pages that can be read."""
    numbers, texts, chars = [], [], 0
    for page in wanted:
        try:
            text = file.page_text(page)
        except Refused:
            continue  # a damaged page, or one without text: the quote is looked for on the others
        chars += len(text)
        if chars > CHARS_MAX:
            break
        numbers.append(page)
        texts.append(text)
    return numbers, texts


def _highlight(file: PagedFile, page: int, spans: Sequence[tuple[int, int]]) -> PageHighlights:
    width, height = file.page_size(page)
    boxes = [box for start, end in spans for box in join_boxes(file.text_boxes(page, start, end), width / height)]
    return PageHighlights(page=page, boxes=tuple((*map(_round_side, box),) for box in boxes[:BOXES_MAX]))  # type: ignore[misc]  # four


def _round_side(side: float) -> float:
    return round(side, 5)
