"""A Redis, and one of the test's own that may be frozen."""

from tests.tables.conftest import own_redis, prefix, redis

__all__ = ["own_redis", "prefix", "redis"]
