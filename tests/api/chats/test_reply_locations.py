"""Where a reply begins: known to every replica, and while Redis is down to the one that asked."""

import uuid

import pytest

from api.chats.ports import ChatPorts
from api.chats.reply_locations import ReplyLocations
from api.core import Core
from domain.chats.reply_lock import ReplyLocation
from schemas.errors import Unavailable
from tests.support.api_process import House

pytestmark = pytest.mark.asyncio(loop_scope="session")
LOCATION = ReplyLocation("c", 1, 2, "m")


async def test_every_replica_finds_it(house: House):
    locks, reply = house.ports(ChatPorts).reply_locks, str(uuid.uuid4())
    here, there = (ReplyLocations(house.ports(Core), locks) for _ in range(2))
    await here.save("t", reply, LOCATION)
    assert await there.find("t", reply) == LOCATION
    assert (await there.find("other", reply), there.find_recent("t", reply)) == (None, None)


async def test_only_this_process_finds_it_while_redis_is_down(house: House, monkeypatch: pytest.MonkeyPatch):
    locks, metrics, reply = house.ports(ChatPorts).reply_locks, house.ports(Core).metrics, str(uuid.uuid4())
    here, there = ReplyLocations(house.ports(Core), locks), ReplyLocations(house.ports(Core), locks)
    fallbacks = metrics.fallbacks.labels("locations")
    before = fallbacks._value.get()

    async def down(*_: object) -> None:
        raise Unavailable("redis_unavailable")

    monkeypatch.setattr(locks, "save_location", down)
    monkeypatch.setattr(locks, "locate", down)
    await here.save("t", reply, LOCATION)
    assert fallbacks._value.get() == before + 1
    assert await here.find("t", reply) == LOCATION
    with pytest.raises(Unavailable):
        await there.find("t", reply)


async def test_the_first_location_stays(house: House):
    """The same question asked again, by whichever replica, is answered where it was asked first."""
    locks, reply = house.ports(ChatPorts).reply_locks, str(uuid.uuid4())
    here, there = (ReplyLocations(house.ports(Core), locks) for _ in range(2))
    assert await here.save("t", reply, LOCATION) == LOCATION
    assert await there.save("t", reply, ReplyLocation("c", 3, 4, "m")) == LOCATION
    assert there.find_recent("t", reply) == LOCATION


async def test_a_redis_that_knows_nothing_is_not_believed(house: House):
    """It was away when the question was asked, or has lost it since."""
    locks, reply = house.ports(ChatPorts).reply_locks, str(uuid.uuid4())
    here = ReplyLocations(house.ports(Core), locks)
    await here.save("t", reply, LOCATION)
    await house.ports(Core).redis.execute_command("DEL", locks._location_key("t", reply))
    assert await here.find("t", reply) == LOCATION
