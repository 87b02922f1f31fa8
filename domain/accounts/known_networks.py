"""The networks from which an account logged in before: guessing from elsewhere must not lock its owner out there."""

import hashlib

from adapters.redis.client import RedisClient, Script
from schemas.errors import Unavailable

NETWORKS_MAX = 32  # of one account; the one seen longest ago goes first
KNOWN_S = 90 * 86_400  # since the last login from there

# KEYS networks by the second of their last login; ARGV network, now in s, oldest second that counts, most networks, life in s.
_ADD = Script("""
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 1
""")
# KEYS as above; ARGV network. Replies the second of its last login, or false.
_SEEN = Script("return redis.call('ZSCORE', KEYS[1], ARGV[1])")


class KnownNetworks:
    """Neither addresses nor e-mails are stored: both enter as hashes. ``scope`` is that of the e-mail."""

    def __init__(self, redis: RedisClient, key_prefix: str) -> None:
        self._redis, self._prefix = redis, key_prefix

    async def add(self, scope: str, network: str, now_s: int) -> None:
        """A login succeeded from there at ``now_s`` (seconds since the epoch). With Redis down it is forgotten."""
        try:
            await _ADD(self._redis, (self._key(scope),), (_digest(scope, network), now_s, now_s - KNOWN_S, NETWORKS_MAX, KNOWN_S))
        except Unavailable:
            return

    async def has(self, scope: str, network: str, now_s: int) -> bool:
        """Whether a login succeeded from there within ``KNOWN_S``; with Redis down nobody knows, and it did not."""
        try:
            seen = await _SEEN(self._redis, (self._key(scope),), (_digest(scope, network),))
        except Unavailable:
            return False
        return seen is not None and float(seen) > now_s - KNOWN_S

    def _key(self, scope: str) -> str:
        return f"{self._prefix}:logins:{scope}"


def _digest(scope: str, network: str) -> str:
    return hashlib.blake2b(network.encode(), key=scope.encode()[:64], digest_size=16).hexdigest()
