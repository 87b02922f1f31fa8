"""A lease: a value in Redis that one holder has for a time, and that only its holder renews or releases.

What more than one part of the product needs is here; a lease with more to it (an attempt, marks, a queue) has scripts of its own. Every
call is one round trip and raises Unavailable("redis_unavailable").
"""

from adapters.redis.client import RedisClient, Script

# KEYS lease; ARGV holder, life in ms. Replies the holder from then on.
_TAKE = Script("""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
""")
# KEYS lease; ARGV holder, life in ms. Replies 1 when the lease is this holder's.
_RENEW = Script("if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0")
# KEYS lease; ARGV holder. Replies 1 when the lease was this holder's.
_RELEASE = Script("if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0")


async def take_lease(redis: RedisClient, key: str, holder: str, life_s: float) -> str:
    """Take the lease for ``life_s``, also when it is this holder's already. Returns the present holder: ``holder``, or another one."""
    current: bytes = await _TAKE(redis, (key,), (holder, int(life_s * 1000)))
    return current.decode()


async def renew_lease(redis: RedisClient, key: str, holder: str, life_s: float) -> bool:
    """Keep the lease for ``life_s`` from now; False when it has expired or is another holder's."""
    return bool(await _RENEW(redis, (key,), (holder, int(life_s * 1000))))


async def release_lease(redis: RedisClient, key: str, holder: str) -> bool:
    """Give the lease up; False when it was not this holder's."""
    return bool(await _RELEASE(redis, (key,), (holder,)))
