"""The events and lanes of the worker tests; ``worker.py`` runs them in processes of their own."""

import asyncio
import os
from collections.abc import Sequence

from faust.types import Message
from msgspec import Struct

from adapters.redis.client import RedisClient, Script
from schemas.errors import Refused
from schemas.events import Event
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.worker_group import WorkerGroup
from streams.topics import Topic


class Poke(Struct, frozen=True):
    number: int  # of its key, from 0
    sleep_ms: float = 0
    die: bool = False
    refuse: bool = False


class Poked(Event, frozen=True, kw_only=True, tag="test.poked.v1"):
    data: Poke


POKED = Topic("test.poked.v1", "a key", Poked, ("tests",), "Pokes.", 3_600_000)
OTHER = Topic("test.other.v1", "a key", Poked, ("tests",), "Pokes of a quick agent.", 3_600_000)

# one effect per event id, in a list per key that shows their order
EFFECT = Script("""
redis.call('HINCRBY', KEYS[1], 'runs', 1)
if redis.call('HSETNX', KEYS[2], ARGV[1], 1) == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'effects', 1)
redis.call('RPUSH', KEYS[3], ARGV[2])
return 1
""")


def effect_keys(prefix: str, agent: str, subject: str) -> tuple[str, str, str]:
    tag = f"{prefix}:test:{{{agent}}}"
    return f"{tag}:counts", f"{tag}:seen", f"{tag}:list:{subject}"


def poking(name: str, redis: RedisClient, prefix: str, *, topic: Topic = POKED, leased: bool = False) -> Agent:
    """An agent whose effect is one list entry per event."""

    async def step(event: Poked, context: Context) -> Sequence[Outgoing]:
        if event.data.die:
            os._exit(1)
        if event.data.refuse:
            raise Refused("validation_failed", "this one is refused")
        await asyncio.sleep(event.data.sleep_ms / 1000)
        await EFFECT(redis, effect_keys(prefix, name, event.subject), (event.id, event.data.number))
        return ()

    return Agent(name=name, reads=(topic,), step=step, leased=leased)


async def nothing() -> None:
    return None


def lane(name: str, redis: RedisClient, prefix: str) -> WorkerGroup:
    """The lanes that ``worker.py`` knows."""
    plain = poking("plain", redis, prefix)
    leased = poking("leased", redis, prefix, leased=True)
    quick = poking("quick", redis, prefix, topic=OTHER)
    agents = {"chaos": (plain, leased), "plain": (plain,), "leased": (leased,), "two": (plain, quick)}
    return WorkerGroup(name=name, agents=agents[name], open=nothing, close=nothing)


def message(offset: int, partition: int = 0) -> Message:
    return Message("t", partition, offset, 0.0, 0, None, b"k", b"v", None, generation_id=1)
