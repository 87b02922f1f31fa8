"""Idempotency: same key and body, same answer; another body is refused; what is not final runs again."""

import asyncio

import pytest

from adapters.redis.client import RedisClient
from api.http.idempotency import BODY_BYTES_MAX, Fresh, Idempotency, Replay
from schemas.errors import Refused

pytestmark = pytest.mark.stack
WHO = ("t", "u", "POST /conversations")


@pytest.fixture
def idempotency(redis: RedisClient, prefix: str) -> Idempotency:
    return Idempotency(redis, prefix)


async def fresh(idempotency: Idempotency, key: str, body: bytes = b"{}") -> Fresh:
    found = await idempotency.begin(*WHO, key, body)
    assert isinstance(found, Fresh)
    return found


async def test_the_first_answer_is_given_again(idempotency: Idempotency) -> None:
    """To the same tenant, user and route only; bytes and headers as they were."""
    first = await fresh(idempotency, "k")
    await idempotency.finish(first, 201, b"\x00{}\xff", {"ETag": '"1"'})
    await idempotency.finish(first, 200, b"second", {})
    answer = Replay(201, b"\x00{}\xff", {"ETag": '"1"'})
    assert await idempotency.begin(*WHO, "k", b"{}") in (answer, Replay(200, b"second", {}))
    assert await idempotency.begin(*WHO, "k", b"{}") == answer
    for who in (("t2", "u", WHO[2]), ("t", "u2", WHO[2]), ("t", "u", "POST /knowledge"), ("tu", "", WHO[2])):
        assert isinstance(await idempotency.begin(*who, "k", b"{}"), Fresh)


async def test_another_body_is_refused_before_and_after(idempotency: Idempotency) -> None:
    """Also while the first is still running."""
    first = await fresh(idempotency, "k", b"one")
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await idempotency.begin(*WHO, "k", b"two")
        assert caught.value.code == "idempotency_conflict"
        await idempotency.finish(first, 200, b"", {})


async def test_what_is_not_final_runs_again(idempotency: Idempotency) -> None:
    """503, 429 and answers too large to keep."""
    for status, size in ((503, 0), (500, 0), (429, 0), (408, 0), (200, BODY_BYTES_MAX + 1)):
        await idempotency.finish(await fresh(idempotency, "k"), status, b"x" * size, {})
    await idempotency.finish(await fresh(idempotency, "k"), 404, b"no", {})
    assert await idempotency.begin(*WHO, "k", b"{}") == Replay(404, b"no", {})


async def test_a_repeat_beside_the_first_runs_too(idempotency: Idempotency) -> None:
    """Ids derive from the key, so running twice makes one thing; a lock would only turn a crash into an hour of refusals."""
    answers = await asyncio.gather(*(idempotency.begin(*WHO, "k", b"{}") for _ in range(5)))
    assert all(isinstance(answer, Fresh) for answer in answers)


async def test_entries_live_a_day_and_poison_is_fresh(idempotency: Idempotency, redis: RedisClient) -> None:
    """Bounded in time; garbage is no answer."""
    first = await fresh(idempotency, "k")
    assert 86_000 < await redis.ttl(first.entry) <= 86_400
    for poison in (b"", b"short", first.digest.encode() + b"{garbage"):
        await redis.set(first.entry, poison)
        again = await idempotency.begin(*WHO, "k", b"{}")
        assert isinstance(again, Fresh)
        assert (again.entry, again.digest) == (first.entry, first.digest)


@pytest.mark.parametrize("key", ["", "a" * 256, "tab\t", "ünï", "\x7f", "new\nline"])
async def test_keys_are_bounded_and_printable(idempotency: Idempotency, key: str) -> None:
    """The field and its limit are named."""
    with pytest.raises(Refused) as caught:
        await idempotency.begin(*WHO, key, b"")
    assert (caught.value.code, caught.value.errors[0].field) == ("validation_failed", "Idempotency-Key")
