"""A picture as a document is read like a scanned page; what cannot be is refused by name."""

import io

import numpy as np
import pytest
from PIL import Image

from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.dispatch import parse_entry
from schemas.documents import Locator
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.pdf_reading import scanned
from tests.support.pdf_writer import Page


def read(data: bytes, **limits) -> ParsedText:
    return parse_entry(Entry(data=data, bounds=Bounds.of(DocumentSettings(**limits))))


def code_of(data: bytes, **limits) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        read(data, **limits)
    return refused.value.code, refused.value.detail


def notice(*lines: str) -> Image.Image:
    width, height, pixels = scanned(Page(width=420, height=200).lines(30, 150, list(lines), 18, leading=30))
    return Image.fromarray(np.frombuffer(pixels, np.uint8).reshape(height, width))


def saved(picture: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.usefixtures("rapidocr")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP"])
def test_each_format_is_read(kind: str) -> None:
    parsed = read(saved(notice("The ferry leaves", "at half past nine"), kind))
    assert "The ferry leaves" in parsed.text
    assert parsed.media_type == f"image/{kind.lower()}"
    assert [(note.code, note.detail) for note in parsed.notes] == [("read_by_ocr", "pages 1")]


@pytest.mark.usefixtures("rapidocr")
def test_pages_of_a_fax_keep_their_numbers() -> None:
    pages = [notice(f"Page number {word}") for word in ("one", "two", "three")]
    parsed = read(
        saved(pages[0].convert("1"), "TIFF", save_all=True, append_images=[page.convert("1") for page in pages[1:]], compression="group4")
    )
    assert [block.place for block in parsed.blocks] == [Locator(page=number) for number in (1, 2, 3)]
    assert "Page number two" in parsed.text


@pytest.mark.usefixtures("rapidocr")
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "CMYK", "I;16", "F", "1"])
def test_a_picture_of_any_depth_is_read(mode: str) -> None:
    grey = notice("The ferry leaves at nine")
    if mode in ("I;16", "F"):
        picture = Image.fromarray(np.asarray(grey, np.uint16 if mode == "I;16" else np.float32) * (257 if mode == "I;16" else 1))
    elif mode in ("RGBA", "LA"):  # black on nothing
        picture = Image.merge("RGBA", [Image.new("L", grey.size)] * 3 + [Image.eval(grey, lambda level: 255 - level)]).convert(mode)
    else:
        picture = grey.convert(mode)
    assert "The ferry leaves at nine" in read(saved(picture, "TIFF")).text


@pytest.mark.usefixtures("rapidocr")
def test_what_says_nothing_is_empty_and_what_is_damaged_is_unreadable() -> None:
    assert code_of(saved(Image.new("L", (200, 200), "white"), "PNG"))[0] == "document_empty"
    assert code_of(saved(notice("The ferry leaves"), "PNG")[:200])[0] == "document_unreadable"
    assert code_of(b"\x89PNG\r\n\x1a\n" + bytes(100))[0] == "document_unreadable"


@pytest.mark.usefixtures("rapidocr")
def test_limits_are_named() -> None:
    large = saved(Image.new("1", (20_000, 20_000)), "PNG")
    for data, limits, setting in (
        (large, {}, "CLAW_DOCUMENT_PICTURE_PIXELS_MAX"),
        (
            saved(Image.new("1", (9, 9)), "TIFF", save_all=True, append_images=[Image.new("1", (9, 9))] * 9),
            {"ocr_pages_max": 5},
            "CLAW_DOCUMENT_OCR_PAGES_MAX",
        ),
    ):
        code, detail = code_of(data, **limits)
        assert (code, setting in detail) == ("document_too_complex", True)


@pytest.mark.usefixtures("no_ocr")
def test_without_an_engine_a_picture_needs_one() -> None:
    assert code_of(saved(Image.new("L", (50, 50), "white"), "PNG"))[0] == "ocr_required"
    assert code_of(saved(Image.new("L", (50, 50), "white"), "PNG"), ocr="off")[0] == "ocr_required"
