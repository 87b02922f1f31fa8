"""The cache: what was expensive to find out, kept in Redis for a while, by scenario; every look and every write is one round trip.

cashews 7.6 was read first and is not built on: its locks are polled without pause or bound and PING the server each time, its tags are
sets of keys that a computation under way escapes (it stores the old value after the invalidation), its prefixes are SCANs and its clear
is FLUSHDB, values are pickles without a version, misses of a cold key are not shared by its early refresh (its docstring says so), and it
brings a connection pool of its own beside our one connection and its breaker. Its names for things (tags, early, ttl) are kept.

How it stays true: whoever computes holds a *lease* from before the computation on, and only who still holds it may store. An
invalidation by key or prefix takes the leases with it; one by tag or scenario sets a *mark*, and an entry or a lease with older marks is as
good as gone.

Profiles, conversation lists and histories need none of this: they are record tables (``streams.tables``), filled by their events and
written through, and answer in one or two round trips; a copy in front of them could only be slower to write, and late.
"""

from streams.cache.cache import RedisCache
from streams.cache.entries import CacheEntry
from streams.cache.scenarios import SCENARIOS, TABLES, Scenario
from streams.cache.single_flight import SingleFlightLease

__all__ = ["SCENARIOS", "TABLES", "CacheEntry", "RedisCache", "Scenario", "SingleFlightLease"]
