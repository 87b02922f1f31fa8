"""``@cached``: by all arguments, by tenant, with tags made from the arguments."""

from collections.abc import Callable

import pytest
from msgspec import Struct

from schemas.errors import ConfigurationError
from tests.support.cache_processes import Process

pytestmark = pytest.mark.stack


class Report(Struct, frozen=True):
    base: str
    run: int


async def test_arguments_tenant_and_tags_are_the_key(process: Callable[..., Process]) -> None:
    cache = process().cache
    runs = []

    @cache.cached(ttl_s=60, key_prefix="report", scenario="retrieval", tags=("kb/{base}",))
    async def report(tenant: str, base: str, *, limit: int = 5) -> Report:
        """Says what it is."""
        runs.append((tenant, base, limit))
        return Report(base, len(runs))

    assert report.__doc__ == "Says what it is."
    first = await report("t", "b")
    assert await report("t", base="b", limit=5) == first == Report("b", 1)
    assert (await report("t", "b", limit=6)).run == 2
    assert (await report("u", "b")).run == 3
    assert (await report("t", "other")).run == 4
    await cache.invalidation.tags("t", ["kb/b"])
    assert (await report("t", "b")).run == 5
    assert (await report("t", "other")).run == 4
    assert (await report("u", "b")).run == 3
    assert [each.key.split("/")[0] for each in (await cache.keys("t", "retrieval", limit=10)).items] == ["report"] * 3


async def test_what_cannot_be_kept_apart_is_refused(process: Callable[..., Process]) -> None:
    cached = process().cache.cached(scenario="retrieval")

    async def without_tenant(base: str) -> Report:
        return Report(base, 0)

    async def without_type(tenant: str):
        return tenant

    for function in (without_tenant, without_type):
        with pytest.raises(ConfigurationError):
            cached(function)
