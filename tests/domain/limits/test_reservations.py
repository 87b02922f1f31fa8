"""Reservations: estimates become truth once, places are bounded and free again, whatever order things come in."""

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.redis.client import RedisClient, connect
from domain.limits.reservations import DEBT_MAX, ReservationResult, Reservations, refusal_of
from schemas.limits import Rule
from schemas.settings import RedisSettings

START_US = 1_800_000_000_000_000
RULE = Rule(name="tokens", rate=60, per_s=60.0, burst=1_000, scope="user", counts="model_tokens")  # a token comes back every second


def reservations(redis: RedisClient, prefix: str, places: int = 0) -> Reservations:
    return Reservations(redis, prefix, places_max=places, life_s=100)


@pytest.mark.stack
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["reserve", "settle"]), st.integers(0, 4), st.integers(0, 700), st.sampled_from([0, 1_000_000, 90_000_000])
        ),
        max_size=20,
    )
)
async def test_any_order_of_reserving_and_settling_equals_the_model(
    redis: RedisClient, prefix: str, steps: list[tuple[str, int, int, int]]
):
    """What lacks in the bucket is the sum of what was settled and of what is still held, less what came back."""
    held: dict[int, int] = {}
    user, now_us, lack, table = uuid.uuid4().hex, START_US, 0, reservations(redis, prefix)
    for what, reply, tokens, pause_us in steps:
        now_us += pause_us
        lack = max(0, lack - pause_us)
        if what == "reserve":
            got = await table.reserve([(RULE, user)], user, str(reply), tokens, now_us=now_us)
            if reply not in held:
                price = min(tokens, RULE.burst) * RULE.interval_us
                fits = lack + price <= RULE.burst * RULE.interval_us
                assert got.decision.allowed == fits
                if fits:
                    held[reply] = price
                    lack += price
            else:
                assert got.decision.allowed  # a repeat of what was allowed
        elif reply in held:
            assert await table.settle(user, str(reply), tokens, now_us=now_us) == 1
            lack = min(max(0, lack + tokens * RULE.interval_us - held.pop(reply)), DEBT_MAX * RULE.burst * RULE.interval_us)
        else:
            assert await table.settle(user, str(reply), tokens, now_us=now_us) == 0  # the second time, or never reserved
        look = await table.reserve([(RULE, user)], user, uuid.uuid4().hex, 0, now_us=now_us)
        size = RULE.burst * RULE.interval_us
        if look.decision.states and lack <= size:
            assert look.decision.remaining == (size - lack) // RULE.interval_us


@pytest.mark.stack
async def test_places_are_bounded_freed_and_counted_once(redis: RedisClient, prefix: str):
    table, user = reservations(redis, prefix, places=2), uuid.uuid4().hex
    assert [(await table.reserve((), user, reply, 0)).places for reply in ("a", "b", "a", "c")] == [False, False, False, True]
    refusal = refusal_of(await table.reserve((), user, "c", 0), 2)
    assert refusal is not None
    assert (refusal.code, refusal.rule, refusal.retry_after_s) == ("rate_limited", "replies_open", 1)
    assert not (await table.reserve((), "somebody else", "c", 0)).places
    await table.settle(user, "a", 0)
    assert not (await table.reserve((), user, "c", 0)).places


@pytest.mark.stack
async def test_whoever_has_a_share_leaves_the_rest_to_others_of_the_user(redis: RedisClient, prefix: str):
    """Of the bucket and of the places, whoever used them; the wait is that of the share."""
    table, user = reservations(redis, prefix, places=4), uuid.uuid4().hex

    async def reserve(reply: str, tokens: int, share: float = 1.0) -> ReservationResult:
        return await table.reserve([(RULE, user)], user, reply, tokens, share=share, now_us=START_US)

    assert (await reserve("a", 400, 0.5)).held
    refused = (await reserve("b", 200, 0.5)).decision
    assert (refused.allowed, refused.limit, refused.retry_after_s) == (False, 500, 100)
    assert (await reserve("b", 100, 0.5)).held
    assert (await reserve("c", 0, 0.5)).places
    assert (await reserve("own", 500)).decision.remaining == 0
    await table.settle(user, "a", 1_000, now_us=START_US)  # an answer that was longer than reserved is paid for in full
    await table.settle(user, "own", 0, now_us=START_US)
    assert (await reserve("c", 1)).decision.retry_after_s == 100 + 1_000 + 1 - RULE.burst


@pytest.mark.stack
async def test_a_place_ends_by_its_age(redis: RedisClient, prefix: str):
    table, user = reservations(redis, prefix, places=1), uuid.uuid4().hex
    await table.reserve((), user, "a", 0)
    key = f"{prefix}:{{limit}}:places:{user}"
    await redis.execute_command("ZADD", key, 1, "a")  # as if it had been taken in 1970
    assert not (await table.reserve((), user, "b", 0)).places
    assert 0 < await redis.ttl(key) <= 100


async def test_without_redis_nothing_is_held_and_nobody_refused():
    redis = connect(RedisSettings(url="redis://127.0.0.1:1/0"))
    got = await reservations(redis, "p", places=1).reserve([(RULE, "u")], "u", "a", 5)
    assert (got.decision.allowed, got.held, got.places) == (True, False, False)
    await redis.aclose()
