"""A reply pays for a bounded number of answers, whichever worker asked for them, with Redis and without."""

from typing import Any

import pytest

from adapters.models.port import Finish, Piece
from adapters.redis.client import RedisClient, connect
from agents.generate.bounded_calls import CountedModel
from domain.chats.answer_calls import AnswerCalls
from schemas.errors import Refused
from tests.support.generating import Script
from tests.support.own_redis import OwnRedis

pytestmark = pytest.mark.stack
REQUEST: Any = None  # a script does not read it


async def test_workers_count_together(redis: RedisClient, prefix: str):
    first, second = AnswerCalls(redis, prefix, 2), AnswerCalls(redis, prefix, 2)
    await first.check("t", "r")
    await first.count("t", "r")
    await second.check("t", "r")
    await second.count("t", "r")
    for calls in (first, second):
        with pytest.raises(Refused) as refused:
            await calls.check("t", "r")
        assert refused.value.code == "answer_attempts_exhausted"
        await calls.check("t", "another")
        await calls.check("elsewhere", "r")


async def test_a_call_that_brings_nothing_is_not_counted(redis: RedisClient, prefix: str):
    """It costs nothing, and is repeated within limits of its own."""
    calls = AnswerCalls(redis, prefix, 1)
    refusing: Any = Script([Refused("model_refused", "busy")])
    with pytest.raises(Refused, match="busy"):
        [part async for part in CountedModel(refusing, calls, "t", "r").answer(REQUEST)]
    model: Any = Script(["one", "two", Finish()])
    assert [part async for part in CountedModel(model, calls, "t", "r").answer(REQUEST)][:2] == [Piece("one"), Piece("two")]
    with pytest.raises(Refused, match="begun to answer 1 times"):
        [part async for part in CountedModel(model, calls, "t", "r").answer(REQUEST)]
    assert model.asked == 1


async def test_without_redis_a_process_knows_what_it_has_asked(own_redis: OwnRedis):
    client = connect(own_redis.settings)
    try:
        calls = AnswerCalls(client, "p", 1)
        await own_redis.stop()
        await calls.check("t", "r")
        await calls.count("t", "r")
        with pytest.raises(Refused):
            await calls.check("t", "r")
    finally:
        await client.aclose()
