"""claw usage: the sums of the tables against the log."""

import pytest

from domain.usage.counters import split_by_model, sum_models, usage_counter, user_key
from domain.usage.topics import USAGE_RECORDED
from ops.commands import usage
from tests.support.recorded_house import NOW, House, T, lived

pytestmark = pytest.mark.stack


async def test_usage_reconciles_or_says_what_differs(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """0 when every sum is the topic's; 1 with the sum that is not; 0 again after a repair."""
    await lived(house)
    assert await usage.reconcile(house.settings, since="", repair=False) == 0
    assert "4 events" in capsys.readouterr().out
    await house.spent("a", 1_000, count=False)  # not counted yet: the mark is before it
    assert await usage.reconcile(house.settings, since="2h", repair=False) == 0
    counter = usage_counter(house.redis, house.prefix, house.settings.kafka.partitions)
    partition = house.publisher.partition_for(USAGE_RECORDED, "a")
    part = counter.value_part(user_key(T, "a"), counter.scales["day"].bucket(NOW), "day")
    await house.redis.hincrby(counter.shard_key(partition, part), "prompt_tokens:m", 1)
    capsys.readouterr()
    assert await usage.reconcile(house.settings, since="", repair=False) == 1
    assert "prompt_tokens:m 44 instead of 43" in capsys.readouterr().err
    assert await usage.reconcile(house.settings, since="", repair=True) == 0
    assert sum_models(split_by_model(await counter.current(user_key(T, "a"), NOW, scale="month"))).tokens == 1_046
