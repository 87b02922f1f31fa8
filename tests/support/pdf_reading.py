"""A PDF of the tests parsed, and what is asked of it."""

from typing import Any

import pypdfium2
import pytest

from adapters.parsing.core.blocks import Block, ParsedText
from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.pdf.document import parse_pdf
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.pdf_writer import Page, pdf


def read(data: bytes, password: str = "", **bounds: Any) -> ParsedText:
    limits = Bounds.of(DocumentSettings(**{name: value for name, value in bounds.items() if name != "ocr"}, ocr=bounds.get("ocr", "auto")))
    parsed = parse_pdf(Entry(data=data, bounds=limits, password=password))
    check(parsed)
    return parsed


def check(parsed: ParsedText) -> None:
    """What every parsed text keeps: blocks in order, all text in them, pages everywhere."""
    end = 0
    for block in parsed.blocks:
        assert block.start >= end
        assert not parsed.text[end : block.start].strip()
        assert block.place is not None
        assert block.place.page >= 1
        end = block.end
    assert end == len(parsed.text)


def refusal(data: bytes, password: str = "", **bounds: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        read(data, password, **bounds)
    return caught.value


def texts(parsed: ParsedText, kind: str = "") -> list[str]:
    return [parsed.text[block.start : block.end] for block in parsed.blocks if kind in ("", block.kind)]


def block_of(parsed: ParsedText, words: str) -> Block:
    return next(block for block in parsed.blocks if words in parsed.text[block.start : block.end])


def wrapped(text: str, width: int) -> list[str]:
    """Full lines, as a typesetter breaks them."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def scanned(page: Page, dpi: int = 150) -> tuple[int, int, bytes]:
    """A picture of the page: width, height, grey pixels."""
    document = pypdfium2.PdfDocument(pdf(page))
    sheet = document[0]
    bitmap = sheet.render(scale=dpi / 72, grayscale=True)
    pixels = bytes(bitmap.buffer)
    rows = [pixels[row * bitmap.stride : row * bitmap.stride + bitmap.width] for row in range(bitmap.height)]
    picture = bitmap.width, bitmap.height, b"".join(rows)
    for thing in (bitmap, sheet, document):
        thing.close()
    return picture


PROSE = (
    "The committee met in the spring of that year and agreed that every region would keep its own records. Nothing in the agreement said"
    " who would pay for the archive, and for a decade nobody asked. When the question came up at last, the records had been moved twice,"
    " and most of the people who could have answered were no longer there to be asked about any of it."
)


CHINESE = "本公司在报告期内完成了三项重要的工作，其中包括新产品的发布、研发中心的扩建以及海外市场的开拓，各项指标均达到了年初制定的目标。"


WORDS = [f"{first}{second}{third}" for first in "bdfgklm" for second in "aeiou" for third in ("nter", "sol", "rim", "vak")]


def page_with_hole() -> Page:
    """Prose, and the town of Föhr whose second letter is a glyph without a character (font N1)."""
    return (
        Page()
        .lines(60, 780, wrapped(PROSE, 80))
        .text(60, 600, "The town of F", 10)
        .text(122, 600, "x", 10, "N1")
        .text(132, 600, "hr met.", 10)
    )
