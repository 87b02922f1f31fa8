"""Page images that this process keeps for a while: whoever turns a page back does not wait for it again."""

from collections import OrderedDict
from typing import NamedTuple

from streams.clock import Clock


class ImageKey(NamedTuple):
    """An image: whose, of which file by its SHA-256, which page, how wide."""

    tenant: str
    sha256: str
    page: int
    width: int


class ImageCache:
    """At most ``bytes_max`` bytes, each image for at most ``life_s``; those that were used last stay."""

    def __init__(self, bytes_max: int, life_s: float, clock: Clock) -> None:
        self._bytes_max, self._life_s, self._clock = bytes_max, life_s, clock
        self._images: OrderedDict[ImageKey, tuple[float, bytes]] = OrderedDict()
        self.bytes = 0

    def get(self, key: ImageKey) -> bytes | None:
        """The image; None when it is not here any more."""
        known = self._images.get(key)
        if known is None:
            return None
        if self._clock.monotonic_s() >= known[0]:
            self._drop(key)
            return None
        self._images.move_to_end(key)
        return known[1]

    def put(self, key: ImageKey, image: bytes) -> None:
        """Keep an image, and let go of others if there is no room; one that is larger than all the room is not kept."""
        if key in self._images:
            self._drop(key)
        if len(image) > self._bytes_max:
            return
        self._images[key] = (self._clock.monotonic_s() + self._life_s, image)
        self.bytes += len(image)
        while self.bytes > self._bytes_max:
            self._drop(next(iter(self._images)))

    def _drop(self, key: ImageKey) -> None:
        _, image = self._images.pop(key)
        self.bytes -= len(image)
