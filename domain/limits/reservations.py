"""Reservations: a question reserves one of its user's open replies and model tokens, and the end of its answer settles them.

A reservation takes the estimate from every bucket that applies, and one of the user's places, in one round trip, all or none. Settling
gives back what was too much, or takes what was too little, once, and frees the place; a reply that is never settled frees its place by its
age, and its buckets fill up by themselves. Who may use a share of them only leaves the rest to others of the same user.
"""

from msgspec import Struct
from msgspec.structs import replace

from adapters.redis.client import Argument, RedisClient, Script
from domain.limits.decision import Decision, build_decision
from domain.limits.limiter import bucket_key
from domain.limits.rules import ApplicableRules
from schemas.errors import Refused, Unavailable
from schemas.settings import Settings

PLACES = "replies_open"  # the rule's name in a refusal
PLACE_RETRY_S = 1  # when to retry: which answer ends first is unknown
PLACE_MARGIN_S = 120.0  # beyond the longest answer: waiting behind others, and a takeover by another worker
DEBT_MAX = 2  # a bucket may lack so many times its size: a long answer is paid for, but locks no user out for a week

# KEYS places, reservation, buckets...; ARGV now in us ("" = the server's), reply, places (0 = any number), life in s, then interval,
# capacity, how much of it may be used, cost and shadow of each bucket. Replies {1 allowed / 0 a bucket refuses / -1 no place, what each
# bucket lacks (see limits.py)}.
_RESERVE = Script("""
local now, allowed, lacking, price = tonumber(ARGV[1]), 1, {}, {}
local time = redis.call('TIME')
local now_s = tonumber(time[1])
if not now then now = time[1] * 1000000 + time[2] end
local held = redis.call('ZSCORE', KEYS[1], ARGV[2])
if tonumber(ARGV[3]) > 0 and not held then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_s)
  if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return {-1} end
end
if redis.call('EXISTS', KEYS[2]) == 1 then return {1} end
for i = 3, #KEYS do
  local at = 5 * i - 10
  local interval, usable = tonumber(ARGV[at]), tonumber(ARGV[at + 2])
  local full_at = tonumber(redis.call('GET', KEYS[i]) or '') or now
  local lack = math.max(full_at - now, 0)
  price[i] = math.min(tonumber(ARGV[at + 3]), usable) * interval
  if lack + price[i] > usable * interval then
    lacking[i - 2] = -1 - lack
    if ARGV[at + 4] == '0' then allowed = 0 end
  else
    lacking[i - 2] = lack
  end
end
if allowed == 0 then return {0, unpack(lacking)} end
for i = 3, #KEYS do
  if lacking[i - 2] >= 0 then
    local full = lacking[i - 2] + price[i]
    if full > 0 then redis.call('SET', KEYS[i], string.format('%.0f', now + full), 'PX', math.ceil(full / 1000)) end
    redis.call('HSET', KEYS[2], KEYS[i], ARGV[5 * i - 10] .. ' ' .. ARGV[5 * i - 9] .. ' ' .. price[i])
    lacking[i - 2] = full
  end
end
if #KEYS > 2 then redis.call('EXPIRE', KEYS[2], ARGV[4]) end
if tonumber(ARGV[3]) > 0 then
  redis.call('ZADD', KEYS[1], now_s + ARGV[4], ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return {1, unpack(lacking)}
""")

# KEYS places, reservation, its buckets...; ARGV now in us ("" = the server's), reply, tokens spent, how many sizes a bucket may lack.
# Replies how many buckets were settled.
_SETTLE = Script("""
redis.call('ZREM', KEYS[1], ARGV[2])
local now, settled = tonumber(ARGV[1]), 0
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
for i = 3, #KEYS do
  local reserved = redis.call('HGET', KEYS[2], KEYS[i])
  if reserved then
    local interval, capacity, price = string.match(reserved, '(%S+) (%S+) (%S+)')
    local full_at = tonumber(redis.call('GET', KEYS[i]) or '') or now
    local lack = math.max(full_at, now) - now + ARGV[3] * interval - price
    lack = math.min(lack, ARGV[4] * capacity * interval)
    if lack > 0 then
      redis.call('SET', KEYS[i], string.format('%.0f', now + lack), 'PX', math.ceil(lack / 1000))
    else
      redis.call('DEL', KEYS[i])
    end
    settled = settled + 1
  end
end
redis.call('DEL', KEYS[2])
return settled
""")


class ReservationResult(Struct, frozen=True):
    """``decision`` over the token rules; ``places``: the user has none left. ``held``: there is something to settle."""

    decision: Decision
    places: bool = False
    held: bool = False


class Reservations:
    """Of one installation. With Redis down nothing is reserved and nothing refused: answers are then bounded by the request rules."""

    def __init__(self, redis: RedisClient, prefix: str, *, places_max: int, life_s: float) -> None:
        self._redis, self._prefix = redis, prefix
        self._places_max, self._life_s = places_max, int(life_s)

    async def reserve(
        self, rules: ApplicableRules, user: str, reply_id: str, tokens: int, *, share: float = 1.0, now_us: int | None = None
    ) -> ReservationResult:
        """A place of ``user`` and ``tokens`` from every bucket, or nothing. Repeating it for the same reply takes nothing more. No more
        than ``share`` of the places and of each bucket is used up; the rest stays for others of this user.
        """
        if not rules and not self._places_max:
            return ReservationResult(Decision(allowed=True))
        keys = [
            self._places_key(user),
            self._reservation_key(user, reply_id),
            *(bucket_key(self._prefix, rule, subject) for rule, subject in rules),
        ]
        places = _share_of(self._places_max, share) if self._places_max else 0
        usable = [rule if share == 1 else replace(rule, burst=_share_of(rule.burst, share)) for rule, _ in rules]
        arguments: list[Argument] = ["" if now_us is None else now_us, reply_id, places, self._life_s]
        for (rule, _), part in zip(rules, usable, strict=True):
            arguments += [rule.interval_us, rule.burst, part.burst, tokens, int(rule.shadow)]
        try:
            allowed, *lacking = await _RESERVE(self._redis, keys, arguments)
        except Unavailable:
            return ReservationResult(Decision(allowed=True))
        if allowed < 0:
            return ReservationResult(Decision(allowed=False), places=True)
        return ReservationResult(build_decision(bool(allowed), usable if lacking else (), lacking, tokens), held=bool(allowed))

    async def settle(self, user: str, reply_id: str, tokens: int, *, now_us: int | None = None) -> int:
        """The reply took so many tokens and is over; how many buckets were corrected (0 the second time). Raises Unavailable."""
        reservation = self._reservation_key(user, reply_id)
        buckets = await self._redis.execute_command("HKEYS", reservation)
        keys = (self._places_key(user), reservation, *(bucket.decode() for bucket in buckets))
        return int(await _SETTLE(self._redis, keys, ("" if now_us is None else now_us, reply_id, tokens, DEBT_MAX)))

    def _places_key(self, user: str) -> str:
        return f"{self._prefix}:{{limit}}:places:{user}"

    def _reservation_key(self, user: str, reply_id: str) -> str:
        return f"{self._prefix}:{{limit}}:reserved:{user}/{reply_id}"


def _share_of(size: int, share: float) -> int:
    return max(1, int(size * share))


def refusal_of(reserved: ReservationResult, places_max: int) -> Refused | None:
    """The 429 that a reservation ends in, if it does."""
    if reserved.places:
        detail = f"{places_max} answers are under way, as many as one user may have"
        return Refused("rate_limited", detail, retry_after_s=PLACE_RETRY_S, rule=PLACES)
    if not reserved.decision.allowed:
        decision = reserved.decision
        detail = f"the limit {decision.rule} allows {decision.limit} model tokens at once; wait {decision.retry_after_s} s"
        return Refused("rate_limited", detail, retry_after_s=decision.retry_after_s, rule=decision.rule)
    return None


def build_reservations(redis: RedisClient, settings: Settings) -> Reservations:
    """Of this installation: a place is free again by its age when the longest answer must have ended."""
    life_s = settings.model.total_timeout_s + PLACE_MARGIN_S
    return Reservations(redis, settings.redis.key_prefix, places_max=settings.limits.replies_open_max, life_s=life_s)
