"""Rate limits: token buckets, all rules that apply decided in one atomic round trip that takes from all of them or from none.

A bucket is one number: the moment it will be full again. A token costs ``interval_us`` of that time, so every sum is exact in whole
microseconds, and a full bucket is a key that has expired. All keys share the tag ``{limit}``, one shard: about 10,000 decisions a second
per connected process is what the client library does; a Redis shard does several times that, and that is the ceiling of the installation.

With Redis gone each process decides by itself, within 50 ms of the first call that is not answered and at once after it; a look once a
second, beside the requests, finds out when it is back.
"""

import asyncio
import base64
import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from adapters.redis.client import Argument, RedisClient, Script
from domain.limits.decision import Decision, RuleState, build_decision
from domain.limits.rules import ApplicableRules
from schemas.errors import Unavailable
from schemas.limits import Rule
from schemas.settings import LimitSettings

SUBJECT_CHARS_MAX, SUBJECT_BYTES = 16, 12  # longer subjects are hashed: 96 bits tell 10^12 of them apart, and a key stays small
LOCAL_SUBJECTS_MAX = 20_000  # buckets kept while Redis is down, about 4 MB; the least recently used are forgotten, hence full
ANSWER_S = 0.05  # Redis answers in a millisecond: a request does not wait longer for it
LATE_S = 0.005  # this process itself was held up for so long: the machine is busy, and an answer may well be on its way
PROCESSORS = os.cpu_count() or 1  # with more work than that, a late answer is no sign of an outage
LOADAVG = Path("/proc/loadavg")  # of Linux: averages, then how many threads run or wait for a processor at this moment
EXTENSIONS_MAX = 20  # of those; then a second has passed and it does not matter why
PROBE_S = 1.0  # between two probes of Redis while it is down
CLOSED_RETRY_S = 1  # when to come back after a rule that is closed without Redis refused

log = structlog.get_logger(__name__)

# KEYS buckets; ARGV now in us ("" = the server's), then interval, capacity, cost and shadow (1 or 0) of each. Replies allowed, then what
# each bucket lacks to be full, in us, and of one that has not enough -1 less that. A shadow bucket refuses nothing.
_TAKE = Script("""
local now, allowed, lacking, price = tonumber(ARGV[1]), 1, {}, {}
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
for i, key in ipairs(KEYS) do
  local interval, capacity = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
  local full_at = tonumber(redis.call('GET', key) or '') or now
  lacking[i] = math.min(math.max(full_at - now, 0), interval * capacity)
  price[i] = math.min(tonumber(ARGV[4 * i]), capacity) * interval
  if lacking[i] + price[i] > capacity * interval then
    lacking[i] = -1 - lacking[i]
    if ARGV[4 * i + 1] == '0' then allowed = 0 end
  end
end
if allowed == 1 then
  for i, key in ipairs(KEYS) do
    if price[i] > 0 and lacking[i] >= 0 then
      lacking[i] = lacking[i] + price[i]
      redis.call('SET', key, string.format('%.0f', now + lacking[i]), 'PX', math.ceil(lacking[i] / 1000))
    end
  end
end
return {allowed, unpack(lacking)}
""")


class Limiter:
    """Decides in Redis; while it is down, in this process by each rule's ``when_down``, and calls ``fell_back`` for each such decision."""

    def __init__(
        self,
        redis: RedisClient,
        prefix: str,
        limits: LimitSettings,
        *,
        fell_back: Callable[[], object] = lambda: None,
        monotonic_us: Callable[[], int] = lambda: time.monotonic_ns() // 1_000,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._replicas = limits.replicas
        self._fell_back = fell_back
        self._monotonic_us = monotonic_us
        self.answer_s = answer_s
        self.answered_s = 0.0  # when Redis answered last, in the loop's time
        self._local = LocalBuckets()
        self._probing: asyncio.Task[None] | None = None  # while Redis is down

    @property
    def is_local(self) -> bool:
        """Redis is down: decisions are made in this process."""
        return self._probing is not None

    async def decide(self, rules: ApplicableRules, cost: int = 1, *, now_us: int | None = None) -> Decision:
        """Take ``cost`` tokens (at most a bucket's capacity; 0 only looks) from every bucket or from none. ``now_us`` replaces the server's
        clock.
        """
        if not rules:
            return Decision(allowed=True)
        if self._probing is not None:
            return self._decide_locally(rules, cost)
        keys = [bucket_key(self._prefix, rule, subject) for rule, subject in rules]
        arguments: list[Argument] = ["" if now_us is None else now_us]
        for rule, _ in rules:
            arguments += [rule.interval_us, rule.burst, cost, int(rule.shadow)]
        try:
            allowed, *lacking = await self._run_script(keys, arguments)
        except (Unavailable, TimeoutError) as error:
            self._start_probing(error)
            return self._decide_locally(rules, cost)
        return build_decision(bool(allowed), [rule for rule, _ in rules], lacking, cost)

    async def reset(self, rules: ApplicableRules) -> int:
        """Reset these buckets; how many were not full. Raises Unavailable."""
        keys = [bucket_key(self._prefix, rule, subject) for rule, subject in rules]
        return int(await self._redis.execute_command("UNLINK", *keys)) if keys else 0

    async def stop(self) -> None:
        """Stop probing Redis."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait((self._probing,))

    async def _run_script(self, keys: Sequence[str], arguments: Sequence[Argument]) -> Sequence[int]:
        """The script's reply; TimeoutError after ``answer_s`` of silence, unless this process was too busy to read."""
        async with asyncio.timeout(None) as limit:
            patience = _AnswerTimeout(limit, self)
            try:
                reply: Sequence[int] = await _TAKE(self._redis, keys, arguments)
            finally:
                patience.cancel()
        self.answered_s = asyncio.get_running_loop().time()
        return reply

    def _start_probing(self, error: Exception) -> None:
        if self._probing is None:
            log.warning("limits_local", replicas=self._replicas, error=f"{type(error).__name__}: {error}")
            self._probing = asyncio.create_task(self._probe_redis(), name="limits-look-for-redis")

    async def _probe_redis(self) -> None:
        """Probe Redis until it answers."""
        while True:
            try:
                await self._redis.execute_command("PING")
            except Unavailable:
                await asyncio.sleep(PROBE_S)
                continue
            self._probing = None
            log.info("limits_shared_again")
            return

    def _decide_locally(self, rules: ApplicableRules, cost: int) -> Decision:
        self._fell_back()
        closed = [rule for rule, _ in rules if rule.when_down == "closed" and not rule.shadow]
        if closed and cost:
            return Decision(allowed=False, states=tuple(RuleState(rule, 0, 0, CLOSED_RETRY_S, refuses=True) for rule in closed))
        shares = [(rule.share(self._replicas), subject) for rule, subject in rules if rule.when_down != "open"]
        return self._local.decide(shares, cost, self._monotonic_us())


class _AnswerTimeout:
    """Ends ``limit`` after ``answer_s`` of silence; not while others are answered, this process had no time to read, or Redis none to
    write: a second is the most. Going on alone by mistake costs exactness, waiting costs one request a moment.
    """

    __slots__ = ("_chances", "_due_s", "_limit", "_limiter", "_waking")

    def __init__(self, limit: asyncio.Timeout, limiter: "Limiter") -> None:
        self._limit, self._limiter, self._chances = limit, limiter, EXTENSIONS_MAX
        self._arm()

    def cancel(self) -> None:
        """Call it when the answer has arrived or is not awaited any more."""
        self._waking.cancel()

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._due_s = loop.time() + self._limiter.answer_s
        self._waking = loop.call_at(self._due_s, self._on_due)

    def _on_due(self) -> None:
        now_s = asyncio.get_running_loop().time()
        answered = now_s - self._limiter.answered_s < self._limiter.answer_s
        if self._chances and (answered or now_s - self._due_s > LATE_S or is_machine_busy()):
            self._chances -= 1
            self._arm()
        else:
            self._limit.reschedule(now_s)


def is_machine_busy() -> bool:
    """Whether there is more work than processors, over the last minute or at this moment: the average is late when a storm begins."""
    if os.getloadavg()[0] > PROCESSORS:
        return True
    try:
        return int(LOADAVG.read_text(encoding="ascii").split()[3].partition("/")[0]) > PROCESSORS
    except (OSError, ValueError, IndexError):  # another system
        return False


class LocalBuckets:
    """The same buckets in memory, for a bounded number of subjects."""

    def __init__(self, subjects_max: int = LOCAL_SUBJECTS_MAX) -> None:
        self._subjects_max = subjects_max
        self._full_at_us: OrderedDict[tuple[str, str], int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at_us)

    def decide(self, rules: ApplicableRules, cost: int, now_us: int) -> Decision:
        """Take from every bucket or from none."""
        lacking, prices, refusing = [], [], []
        for rule, subject in rules:
            full_at_us = self._full_at_us.get((rule.name, subject), now_us)
            lacking.append(min(max(full_at_us - now_us, 0), rule.burst * rule.interval_us))
            prices.append(min(cost, rule.burst) * rule.interval_us)
            refusing.append(lacking[-1] + prices[-1] > rule.burst * rule.interval_us)
        allowed = not any(refuses and not rule.shadow for refuses, (rule, _) in zip(refusing, rules, strict=True))
        if allowed and cost:
            for number, (rule, subject) in enumerate(rules):
                if not refusing[number]:
                    lacking[number] += prices[number]
                    self._full_at_us[rule.name, subject] = now_us + lacking[number]
                    self._full_at_us.move_to_end((rule.name, subject))
            while len(self._full_at_us) > self._subjects_max:
                self._full_at_us.popitem(last=False)
        marked = [-1 - lack if refuses else lack for lack, refuses in zip(lacking, refusing, strict=True)]
        return build_decision(allowed, [rule for rule, _ in rules], marked, cost)


def bucket_key(prefix: str, rule: Rule, subject: str) -> str:
    """The Redis key of a bucket; long subjects are short digests, so that every bucket takes about the same memory."""
    if len(subject) > SUBJECT_CHARS_MAX:
        digest = hashlib.blake2b(subject.encode(), digest_size=SUBJECT_BYTES).digest()
        subject = base64.urlsafe_b64encode(digest).decode()
    return f"{prefix}:{{limit}}:{rule.name}:{subject}"
