"""A picture as a document: each of its pages (a TIFF file may have many) is recognised like a scanned page of a PDF file."""

import io
import sys
import time
from collections.abc import Iterator

import numpy as np
from PIL import Image, UnidentifiedImageError

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText, has_words
from adapters.parsing.core.source import OCR_EVENT, Allowance, Entry
from adapters.parsing.pdf.blocks import write_pages
from adapters.parsing.pdf.layout import flows_of
from adapters.parsing.pdf.lines import Flow, line_of
from adapters.parsing.pdf.ocr import OcrFailed, OcrResult, Picture, find_recogniser
from adapters.parsing.pdf.scans import DPI_DEFAULT, PIXELS_MAX, name_pages
from schemas.errors import Refused

PAGED = ("TIFF",)  # formats whose frames are pages; in others they are a film, of which the first is read
_ICON_PIXELS = 20_000  # of a picture inside a mail or an archive: smaller ones are logos and buttons
_DPI_RANGE = (72.0, 1_200.0)  # what a file says beyond that is not meant
DAMAGE = (OSError, SyntaxError, ValueError, EOFError)


def parse_image(entry: Entry) -> ParsedText:
    """Blocks of a picture, each with its page.

    Notes: ``read_by_ocr``, ``ocr_incomplete``, ``pages_need_ocr``, ``page_unreadable`` name pages.
    Raises Refused: ``ocr_required``, ``document_unreadable``, ``document_too_complex`` (pixels, pages, time), ``document_empty``.
    """
    bounds = entry.bounds
    allowance = entry.allowance or Allowance.of(bounds)
    reader = find_recogniser(bounds)
    if reader is None:
        raise Refused("ocr_required")
    sys.audit(OCR_EVENT)
    assembly = Assembly(bounds.chars_max)
    results: list[tuple[int, OcrResult]] = []
    failed: list[int] = []
    cut: list[int] = []
    for number, picture in _pages_of(entry, allowance):
        left_s = allowance.ocr_until - time.monotonic()
        if left_s <= 0:
            assembly.add_note("pages_need_ocr", f"from page {number}: no time was left (CLAW_DOCUMENT_OCR_WALL_S)")
            break
        try:
            result = reader.read(picture, min(bounds.ocr_page_s, left_s)) if picture else None
        except OcrFailed:
            result = None
        if result is None:
            failed.append(number)
            continue
        results.append((number, result))
        if not result.complete:
            cut.append(number)
    if not any(has_words(result.text) for _, result in results):
        raise Refused("document_unreadable" if failed else "document_empty", "no text can be seen in the picture")
    assembly.add_note("read_by_ocr", name_pages([number for number, _ in results]))
    if cut:
        assembly.add_note("ocr_incomplete", f"{name_pages(cut)}: reading one takes longer than it may (CLAW_DOCUMENT_OCR_PAGE_S)")
    if failed:
        assembly.add_note("page_unreadable", name_pages(failed))
    write_pages(assembly, [(number, _flows(result)) for number, result in results])
    return assembly.build()


def _pages_of(entry: Entry, allowance: Allowance) -> Iterator[tuple[int, Picture | None]]:
    """Numbered pages, grey and no larger than is read; None for one that cannot be decoded."""
    Image.MAX_IMAGE_PIXELS = None  # its own limit is lower, and has no name; ours is checked before a picture is decoded
    try:
        with Image.open(io.BytesIO(entry.data)) as file:
            count = getattr(file, "n_frames", 1) if file.format in PAGED else 1
            if count > allowance.ocr_pages:
                raise Refused(
                    "document_too_complex", f"it has {count:,} pages; {allowance.ocr_pages:,} are read (CLAW_DOCUMENT_OCR_PAGES_MAX)"
                )
            for index in range(count):
                allowance.ocr_pages -= 1
                yield index + 1, _decode_page(file, index, entry)
    except UnidentifiedImageError as error:
        raise Refused("document_unreadable", "the picture is damaged, or of an unknown kind") from error
    except DAMAGE as error:
        raise Refused("document_unreadable", f"the picture is damaged: {error}"[:200]) from error


def _decode_page(file: Image.Image, index: int, entry: Entry) -> Picture | None:
    bounds = entry.bounds
    if index:
        file.seek(index)
    width, height = file.size
    if entry.depth and width * height < _ICON_PIXELS:
        raise Refused("document_empty", "a picture as small as this is an icon")
    if width * height > bounds.picture_pixels_max:
        raise Refused(
            "document_too_complex",
            f"the picture has {width * height:,} pixels; {bounds.picture_pixels_max:,} are read (CLAW_DOCUMENT_PICTURE_PIXELS_MAX)",
        )
    dpi = _dpi_of(file)
    scale = min(1.0, (PIXELS_MAX / max(width * height, 1)) ** 0.5)
    try:
        file.draft("L", (max(1, round(width * scale)), max(1, round(height * scale))))  # a JPEG file is decoded no larger than needed
        grey = _flatten(file)
    except DAMAGE:
        return None
    if grey.width * grey.height > PIXELS_MAX:
        shrink = (PIXELS_MAX / (grey.width * grey.height)) ** 0.5
        grey = grey.resize((max(1, int(grey.width * shrink)), max(1, int(grey.height * shrink))))
    dpi *= max(grey.size) / max(width, height, 1)
    return Picture(np.asarray(grey, np.uint8), dpi)


def _flatten(file: Image.Image) -> Image.Image:
    """Grey on white, upright as the camera says."""
    from PIL import ImageOps  # noqa: PLC0415  only pictures need it

    picture: Image.Image = file
    if picture.mode.startswith(("I;16", "I", "F")):
        values = np.asarray(picture, np.float32)
        low, high = float(values.min()), float(values.max())
        picture = Image.fromarray(((values - low) * (255 / max(high - low, 1e-6))).astype(np.uint8))
    elif "A" in picture.mode or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return ImageOps.exif_transpose(picture.convert("L"))


def _dpi_of(file: Image.Image) -> float:
    """Pixels per inch as the file says; a photograph does not know."""
    said = file.info.get("dpi", (0, 0))
    dpi = float(said[0]) if isinstance(said, tuple) and said else 0.0
    return dpi if _DPI_RANGE[0] < dpi <= _DPI_RANGE[1] else DPI_DEFAULT


def _flows(result: OcrResult) -> list[Flow]:
    flows = flows_of(list(result.spans), ())
    for span in result.aside:
        flows.append(Flow([line_of([span])], aside=True))
    return flows
