"""Which servers have their security fixes."""

import pytest

from adapters.redis.client import RedisClient
from adapters.redis.versions import ServerVersion, ask_version, parse_version


@pytest.mark.parametrize(
    ("product", "version", "repaired"),
    [
        ("redis", "6.2.14", False),
        ("redis", "6.2.19", False),
        ("redis", "6.2.20", True),
        ("redis", "7.0.15", False),  # a branch that nobody repairs any more
        ("redis", "7.2.4", False),
        ("redis", "8.2.2", True),
        ("redis", "8.4.0", True),
        ("redis", "255.255.255", True),
        ("valkey", "8.0.5", False),
        ("valkey", "8.1.4", True),
        ("valkey", "9.0.0", True),
        ("dragonfly", "1.0.0", True),
        ("redis", "unknown", True),
    ],
)
def test_a_version_is_held_against_its_branch(product: str, version: str, *, repaired: bool):
    found = ServerVersion(product, version)
    assert found.is_repaired is repaired
    assert bool(found.warning) is not repaired


def test_the_warning_names_version_flaw_and_remedy():
    warning = ServerVersion("redis", "6.2.14").warning
    assert all(part in warning for part in ("Redis 6.2.14", "CVE-2025-49844", "6.2.20", "8.2.2", "CLAW_REDIS_URL"))


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ("Redis server v=6.2.14 sha=40305114:0 malloc=libc bits=64", ServerVersion("redis", "6.2.14")),
        ("Valkey server v=8.1.3 sha=00000000:0 malloc=jemalloc", ServerVersion("valkey", "8.1.3")),
        ("command not found", None),
    ],
)
def test_the_printed_version_is_read(printed: str, found: ServerVersion | None):
    assert parse_version(printed) == found


@pytest.mark.stack
async def test_a_server_tells_its_version(redis: RedisClient):
    """Under the rights of the product's user."""
    found = await ask_version(redis)
    assert found is not None
    assert found.version.count(".") == 2
