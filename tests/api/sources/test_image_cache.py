"""Page images that a process keeps: so many bytes, for so long, those that were used last."""

from hypothesis import given
from hypothesis import strategies as st

from api.sources.image_cache import ImageCache, ImageKey


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.s = 0.0

    def monotonic_s(self) -> float:
        return self.s


def key(page: int, tenant: str = "a") -> ImageKey:
    return ImageKey(tenant, "f" * 64, page, 800)


def test_an_image_stays_for_its_time_and_for_its_tenant():
    clock = Hands()
    cache = ImageCache(100, 60.0, clock)  # type: ignore[arg-type]
    cache.put(key(1), b"x" * 40)
    clock.s = 59.0
    assert cache.get(key(1)) == b"x" * 40
    assert cache.get(key(1, "b")) is None
    clock.s = 60.0
    assert cache.get(key(1)) is None
    assert cache.bytes == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 120), st.booleans()), max_size=60))
def test_there_are_never_more_bytes_than_may_be_and_the_last_one_stays(steps: list[tuple[int, int, bool]]):
    cache = ImageCache(100, 60.0, Hands())  # type: ignore[arg-type]
    for page, size, looks in steps:
        if looks:
            cache.get(key(page))
            continue
        cache.put(key(page), b"x" * size)
        assert cache.bytes <= 100
        assert (cache.get(key(page)) is not None) is (size <= 100)
    assert cache.bytes == sum(len(cache.get(key(page)) or b"") for page in range(10))
