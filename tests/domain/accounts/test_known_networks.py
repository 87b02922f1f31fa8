"""Where somebody logged in before, on a real Redis."""

import pytest

from domain.accounts.known_networks import KNOWN_S, NETWORKS_MAX, KnownNetworks

pytestmark = pytest.mark.stack
NOW_S = 1_900_000_000


async def test_a_network_is_known_for_its_time_and_to_its_account(redis, settings) -> None:
    known = KnownNetworks(redis, settings.redis.key_prefix)
    assert not await known.has("ada", "192.0.2.1", NOW_S)
    await known.add("ada", "192.0.2.1", NOW_S)
    assert await known.has("ada", "192.0.2.1", NOW_S + KNOWN_S - 1)
    assert not await known.has("ada", "192.0.2.1", NOW_S + KNOWN_S)
    assert not await known.has("ada", "192.0.2.2", NOW_S)
    assert not await known.has("bob", "192.0.2.1", NOW_S)


async def test_an_account_has_a_bound_of_networks(redis, settings) -> None:
    known = KnownNetworks(redis, settings.redis.key_prefix)
    for number in range(NETWORKS_MAX + 1):
        await known.add("ada", f"192.0.2.{number}", NOW_S + number)
    assert not await known.has("ada", "192.0.2.0", NOW_S)
    assert await known.has("ada", "192.0.2.1", NOW_S)
    assert 0 < await redis.ttl(f"{settings.redis.key_prefix}:logins:ada") <= KNOWN_S
