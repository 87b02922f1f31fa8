"""A picture as a file of pages: a TIFF file may have many. What is written on it is not looked for."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from PIL import Image, ImageOps, UnidentifiedImageError

from adapters.pages.boxes import PageBox
from adapters.pages.images import encode_image, scale_to
from adapters.parsing.core.source import Entry
from adapters.parsing.pdf.image import DAMAGE, PAGED
from schemas.errors import Refused


class PictureFile:
    """A ``PagedFile``."""

    def __init__(self, file: Image.Image, pixels_max: int) -> None:
        self._file, self._pixels_max = file, pixels_max
        self.page_count = int(getattr(file, "n_frames", 1)) if file.format in PAGED else 1

    def page_size(self, page: int) -> tuple[float, float]:
        return self._frame(page).size

    def page_text(self, page: int) -> str:
        self._frame(page)
        return ""

    def text_boxes(self, page: int, start: int, end: int) -> Sequence[PageBox]:  # noqa: ARG002 - the protocol's
        return ()

    def render_page(self, page: int, width: int) -> bytes:
        try:
            frame = ImageOps.exif_transpose(self._frame(page, width))
            scale = min(scale_to(width, *frame.size), 1.0)
            size = (max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))
            return encode_image(_on_white(frame).resize(size))
        except DAMAGE as error:
            raise Refused("document_unreadable", f"page {page} is damaged") from error

    def _frame(self, page: int, width: int = 0) -> Image.Image:
        """The page, not decoded yet; Refused("document_too_complex") for one of too many pixels."""
        if not 1 <= page <= self.page_count:
            raise Refused("not_found", f"there is no page {page}")
        try:
            if self.page_count > 1:
                self._file.seek(page - 1)
            across, down = self._file.size
            if across * down > self._pixels_max:
                raise Refused("document_too_complex", f"the picture has {across * down:,} pixels (CLAW_DOCUMENT_PICTURE_PIXELS_MAX)")
            if width:
                self._file.draft("RGB", (2 * width, 2 * width * down // max(across, 1)))  # a JPEG file is decoded no larger than needed
        except DAMAGE as error:
            raise Refused("document_unreadable", f"page {page} is damaged") from error
        return self._file


def _on_white(frame: Image.Image) -> Image.Image:
    if frame.mode.startswith(("I", "F")):
        return ImageOps.autocontrast(frame.convert("F").point(lambda value: value / 256).convert("L"))
    if "A" in frame.mode or "transparency" in frame.info:
        shown = frame.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
    return frame.convert("RGB")


@contextmanager
def open_picture(entry: Entry) -> Iterator[PictureFile]:
    """The picture, closed at the end. Raises Refused("document_unreadable")."""
    Image.MAX_IMAGE_PIXELS = None  # its own limit is lower, and has no name; ours is checked before a picture is decoded
    try:
        file = Image.open(io.BytesIO(entry.data))
        opened = PictureFile(file, entry.bounds.picture_pixels_max)
    except (UnidentifiedImageError, *DAMAGE) as error:
        raise Refused("document_unreadable", "the picture is damaged, or of an unknown kind") from error
    with file:
        yield opened
