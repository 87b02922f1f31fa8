"""The cache: expensive results, stored in Redis for a time, by scenario. Every lookup and every write is one round trip.

cashews 7.6 was considered and is not used: its locks are polled without pause or bound and PING the server each time, its tags are
sets of keys that a computation under way escapes (it stores the old value after the invalidation), its prefixes are SCANs and its clear
is FLUSHDB, values are pickles without a version, misses of a cold key are not shared by its early refresh (see its docstring), and it
brings a connection pool of its own beside the one connection and its breaker. Its terms (tags, early, ttl) are used here.

Consistency: a computation takes a *lease* before it begins, and may store only while it still holds it. An invalidation by key or prefix
removes the leases as well; one by tag or scenario sets a *mark*, and an entry or a lease with older marks is invalid.

Profiles, conversation lists and histories need none of this: they are record tables (``streams.tables``), filled by their events and
written through, and answer in one or two round trips; a copy in front of them could only be slower to write, and late.
"""

from streams.cache.cache import RedisCache
from streams.cache.entries import CacheEntry
from streams.cache.scenarios import SCENARIOS, TABLES, Scenario
from streams.cache.single_flight import SingleFlightLease

__all__ = ["SCENARIOS", "TABLES", "CacheEntry", "RedisCache", "Scenario", "SingleFlightLease"]
