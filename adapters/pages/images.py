"""Size and encoding of page images."""

import io
import math

from PIL import Image

MEDIA_TYPE = "image/webp"
_PIXELS_MAX = 8_000_000  # of an image: a page that is far longer than wide gets a narrower one
_SIDE_MAX = 16_000  # pixels: WebP has 14 bits
_QUALITY, _EFFORT = 82, 2  # measured on pages of text: half the bytes of PNG, and sharp letters


def scale_to(width: int, page_width: float, page_height: float) -> float:
    """The scale at which a page of this size becomes an image of ``width`` pixels, or less where that would be too large."""
    return min(width / page_width, math.sqrt(_PIXELS_MAX / (page_width * page_height)), _SIDE_MAX / page_height)


def encode_image(picture: Image.Image) -> bytes:
    """WebP."""
    target = io.BytesIO()
    picture.convert("RGB").save(target, "WEBP", quality=_QUALITY, method=_EFFORT)
    return target.getvalue()
