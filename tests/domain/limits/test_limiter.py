"""Limits: token buckets equal a model to the microsecond, from all rules or from none, and go on without Redis."""

import asyncio
import uuid
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.redis.client import RedisClient, connect
from domain.limits import limiter
from domain.limits.decision import Decision
from domain.limits.limiter import PROCESSORS, Limiter, LocalBuckets, bucket_key, is_machine_busy
from domain.limits.rules import default_rules
from schemas.limits import Rule
from schemas.settings import LimitSettings, RedisSettings
from tests.support.own_redis import OwnRedis

START_US = 1_800_000_000_000_000  # a moment of 2027: sums stay exact at real sizes
RULES = st.builds(
    lambda name, rate, burst: Rule(name=name, rate=rate, burst=burst, scope="user"),
    st.uuids().map(str),
    st.integers(1, 10_000),
    st.integers(1, 50),
)
CALLS = st.lists(
    st.tuples(st.sampled_from([0, 1, 999, 6_000, 250_000, 1_000_000, 59_999_999, 10**9]), st.integers(1, 4), st.integers(1, 7)), max_size=25
)


def patient(redis: RedisClient, prefix: str) -> Limiter:
    """Waits for Redis however busy the machine is."""
    return Limiter(redis, prefix, LimitSettings(), answer_s=30.0)


class Model:
    """A bucket as one would explain it: tokens, a refill, a clock."""

    def __init__(self, rule: Rule, now_us: int) -> None:
        self.rule, self.tokens, self.at_us = rule, Fraction(rule.burst), now_us

    def refill(self, now_us: int) -> None:
        self.tokens = min(Fraction(self.rule.burst), self.tokens + Fraction(max(0, now_us - self.at_us), self.rule.interval_us))
        self.at_us = max(now_us, self.at_us)


def expected(models: list[Model], cost: int, now_us: int) -> tuple[bool, list[int]]:
    for model in models:
        model.refill(now_us)
    prices = [min(cost, model.rule.burst) for model in models]
    allowed = all(model.tokens >= price for model, price in zip(models, prices, strict=True))
    if allowed:
        for model, price in zip(models, prices, strict=True):
            model.tokens -= price
    return allowed, [int(model.tokens) for model in models]


def up(fraction: Fraction) -> int:
    return -(-fraction.numerator // fraction.denominator)


def check(decision: Decision, models: list[Model], allowed: bool, remaining: list[int], cost: int) -> None:
    assert decision.allowed == allowed
    assert [standing.remaining for standing in decision.states] == remaining
    for standing, model in zip(decision.states, models, strict=True):
        interval_s = Fraction(model.rule.interval_us, 1_000_000)
        assert standing.reset_s == up((model.rule.burst - model.tokens) * interval_s)
        waiting = max(Fraction(0), min(cost, model.rule.burst) - model.tokens) * interval_s
        assert standing.retry_after_s == (0 if allowed else up(waiting))


@pytest.mark.stack
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules=st.lists(RULES, min_size=1, max_size=4), calls=CALLS)
async def test_buckets_equal_the_model(redis: RedisClient, prefix: str, rules: list[Rule], calls: list[tuple[int, int, int]]) -> None:
    """Any rules, pauses and costs, in Redis and in memory: the same answers as the model, to the token and the second."""
    limiter, local, now_us, subject = patient(redis, prefix), LocalBuckets(), START_US, uuid.uuid4().hex
    models = [Model(rule, now_us) for rule in rules]
    for pause_us, cost, chosen in calls:
        now_us += pause_us
        some = [index for index in range(len(rules)) if chosen >> index & 1] or [0]
        asked = [(rules[index], subject) for index in some]
        allowed, remaining = expected([models[index] for index in some], cost, now_us)
        for decision in (await limiter.decide(asked, cost, now_us=now_us), local.decide(asked, cost, now_us)):
            check(decision, [models[index] for index in some], allowed, remaining, cost)


def user(name: str = "user", rate: int = 60, burst: int = 10) -> Rule:
    return Rule(name=name, rate=rate, burst=burst, scope="user")


@pytest.mark.stack
async def test_a_refusal_takes_from_none(redis: RedisClient, prefix: str) -> None:
    """The full bucket beside an empty one stays full; the empty one is named."""
    limiter = patient(redis, prefix)
    small, large = user("small", burst=1), user("large", burst=5)
    assert (await limiter.decide([(small, "u"), (large, "u")], now_us=START_US)).allowed
    for _ in range(3):
        refused = await limiter.decide([(large, "u"), (small, "u")], now_us=START_US)
        assert (refused.allowed, refused.rule, refused.remaining, refused.retry_after_s) == (False, "small", 0, 1)
    assert (await limiter.decide([(large, "u")], now_us=START_US)).remaining == 3
    assert (await limiter.decide([(small, "somebody else")], now_us=START_US)).allowed


@pytest.mark.stack
async def test_many_at_once_take_exactly_the_burst(redis: RedisClient, prefix: str) -> None:
    """No two callers get the same token."""
    limiter, rule = patient(redis, prefix), user(burst=10)
    decisions = await asyncio.gather(*(limiter.decide([(rule, "u")], now_us=START_US) for _ in range(30)))
    assert sum(decision.allowed for decision in decisions) == 10


@pytest.mark.stack
async def test_the_servers_clock_and_expiry(redis: RedisClient, prefix: str) -> None:
    """Without a given time Redis' own counts, and a bucket is forgotten when it is full again."""
    limiter, rule = patient(redis, prefix), user(rate=600, burst=5)
    assert (await limiter.decide([(rule, "u")], 5)).remaining == 0
    assert not (await limiter.decide([(rule, "u")], 5)).allowed
    assert 0 < await redis.pttl(f"{prefix}:{{limit}}:user:u") <= 501
    await asyncio.sleep(0.3)
    assert (await limiter.decide([(rule, "u")])).allowed
    await asyncio.sleep(0.6)
    assert await redis.exists(f"{prefix}:{{limit}}:user:u") == 0


@pytest.mark.stack
async def test_a_clock_set_back_or_poison_never_locks_out(redis: RedisClient, prefix: str) -> None:
    """A failover to a slower clock costs one full bucket at most; garbage is a full bucket."""
    limiter, rule = patient(redis, prefix), user(rate=60, burst=2)
    await limiter.decide([(rule, "u")], now_us=START_US)
    early = await limiter.decide([(rule, "u")], now_us=START_US - 10**12)
    assert (early.allowed, early.reset_s) == (False, 2)
    await redis.set(f"{prefix}:{{limit}}:user:u", "garbage")
    assert (await limiter.decide([(rule, "u")], now_us=START_US)).remaining == 1


async def test_without_redis_a_bounded_share() -> None:
    """Each replica gives out its part; subjects are bounded; every such decision is counted."""
    redis = connect(RedisSettings(url="redis://127.0.0.1:1/0"))
    fallbacks: list[int] = []
    limiter = Limiter(redis, "p", LimitSettings(replicas=4), fell_back=lambda: fallbacks.append(1), monotonic_us=lambda: 5)
    rule = user(burst=8)
    answers = [await limiter.decide([(rule, "u")]) for _ in range(4)]
    assert [answer.allowed for answer in answers] == [True, True, False, False]
    assert answers[2].limit == 2
    assert len(fallbacks) == 4
    local = LocalBuckets(subjects_max=3)
    for n in range(10):
        local.decide([(rule, f"u{n}")], 1, 0)
    assert len(local) == 3
    await redis.aclose()


async def test_no_rules_no_limit() -> None:
    """Limits switched off: nothing is asked and no header is sent."""
    redis = connect(RedisSettings(url="redis://127.0.0.1:1/0"))
    decision = await Limiter(redis, "p", LimitSettings()).decide([])
    assert (decision.allowed, decision.headers(), decision.rule) == (True, {}, "")
    assert default_rules(LimitSettings(enabled=False)) == ()
    await redis.aclose()


@pytest.mark.stack
async def test_a_shadow_rule_counts_and_refuses_nobody(redis: RedisClient, prefix: str) -> None:
    """It says what it would have done, to the operator and not to the caller, and goes on from where it is."""
    limiter = patient(redis, prefix)
    shadow = Rule(name="dark", rate=60, burst=2, scope="user", shadow=True)
    decisions = [await limiter.decide([(user(burst=10), "u"), (shadow, "u")], now_us=START_US) for _ in range(4)]
    assert [decision.allowed for decision in decisions] == [True] * 4
    assert [decision.shadow_refusals for decision in decisions] == [[], [], ["dark"], ["dark"]]
    assert "dark" not in str(decisions[3].headers())
    later = await limiter.decide([(shadow, "u")], now_us=START_US + 1_000_000)
    assert later.shadow_refusals == []  # what it did not take has come back


@pytest.mark.stack
async def test_looking_takes_nothing(redis: RedisClient, prefix: str) -> None:
    limiter = patient(redis, prefix)
    await limiter.decide([(user(burst=3), "u")], now_us=START_US)
    assert [(await limiter.decide([(user(burst=3), "u")], 0, now_us=START_US)).remaining for _ in range(3)] == [2, 2, 2]
    assert await redis.exists(bucket_key(prefix, user(), "nobody")) == 0


@pytest.mark.stack
async def test_a_bucket_is_small(redis: RedisClient, prefix: str) -> None:
    """At most 200 bytes, key and expiry included, however long the subject; gone after its window."""
    limiter, subject = patient(redis, "claw"), f"{uuid.uuid4()}/{uuid.uuid4()}"
    rule = user("user_enterprise")
    await limiter.decide([(rule, subject)])
    key = bucket_key("claw", rule, subject)
    assert int(await redis.execute_command("MEMORY", "USAGE", key)) <= 200
    assert 0 < await redis.pttl(key) <= 1_000
    assert await limiter.reset([(rule, subject)]) == 1
    assert await redis.exists(key) == 0


async def test_without_redis_rules_are_shared_open_or_closed() -> None:
    redis = connect(RedisSettings(url="redis://127.0.0.1:1/0"))
    limiter = Limiter(redis, "p", LimitSettings(), monotonic_us=lambda: 5)
    opened, closed = (Rule(name=name, rate=1, burst=1, scope="user", when_down=name) for name in ("open", "closed"))
    assert [(await limiter.decide([(opened, "u")])).allowed for _ in range(3)] == [True] * 3
    refused = await limiter.decide([(opened, "u"), (closed, "u"), (user(), "u")])
    assert (refused.allowed, refused.rule, refused.retry_after_s) == (False, "closed", 1)
    assert (await limiter.decide([(user(burst=1), "u")])).allowed  # the refusal took nothing
    await limiter.stop()
    await redis.aclose()


@pytest.mark.stack
async def test_a_frozen_redis_is_not_waited_for(own_redis: OwnRedis) -> None:
    """One caller waits 50 ms at most, the others not at all, and it heals by itself."""
    redis = connect(own_redis.node.settings())
    limiter = Limiter(redis, "p", LimitSettings())
    rule = user(burst=100)
    assert (await limiter.decide([(rule, "u")])).remaining == 99
    own_redis.freeze()
    try:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await limiter.decide([(rule, "u")])
        first_s = loop.time() - began
        began = loop.time()
        for _ in range(50):
            assert (await limiter.decide([(rule, "u")])).allowed
        local = limiter.is_local
        assert local
        assert loop.time() - began < first_s + 0.5  # none of the fifty waited: together they would have taken 2.5 s
    finally:
        own_redis.thaw()
    async with asyncio.timeout(10):
        while limiter._probing is not None:
            await asyncio.sleep(0.05)
    assert (await limiter.decide([(rule, "u")])).remaining >= 97
    await limiter.stop()
    await redis.aclose()


@pytest.mark.parametrize(
    ("average", "running", "busy"),
    [
        (PROCESSORS + 1.0, f"1.0 1.0 1.0 {PROCESSORS}/300 17", True),
        (0.0, f"0.1 0.1 0.1 {PROCESSORS + 1}/300 17", True),
        (0.0, f"0.1 0.1 0.1 {PROCESSORS}/300 17", False),
        (0.0, "", False),
    ],
)
def test_a_machine_is_busy_from_the_moment_it_is(average, running, busy, monkeypatch, tmp_path):
    """The average of a minute says so only later; a system that tells no more than it is believed."""
    monkeypatch.setattr("os.getloadavg", lambda: (average, average, average))
    monkeypatch.setattr(limiter, "LOADAVG", tmp_path / "loadavg")
    if running:
        (tmp_path / "loadavg").write_text(running)
    assert is_machine_busy() == busy
