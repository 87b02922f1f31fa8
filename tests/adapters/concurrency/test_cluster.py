"""The gate on a real Redis: several processes, their deaths and pauses, and a Redis that does not answer."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from adapters.concurrency import UNLIMITED, ConcurrencyLimits, Permit, Priority
from adapters.concurrency.cluster import ClusterLimit
from adapters.redis.client import RedisClient, connect
from ops.stack.environment import environment_of
from schemas.errors import Unavailable
from schemas.settings import ModelSettings, RedisSettings, RetrievalSettings, Settings
from tests.support.own_redis import OwnRedis

LEASE_S = 0.6
PEOPLE, TEXTS, DOCUMENTS = Priority.PEOPLE, Priority.TEXTS, Priority.DOCUMENTS


def gate_of(redis: RedisClient | None, prefix: str, limit: int, *, workers: int = 1, lease_s: float = LEASE_S) -> ClusterLimit:
    return ClusterLimit(redis, prefix=prefix, name="g", label="g", limit=limit, workers=workers, lease_s=lease_s)


async def eventually(condition: Callable[[], bool], within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


async def settled(gate: ClusterLimit) -> None:
    """What was given back has reached Redis."""
    await asyncio.gather(*gate._releases)


@asynccontextmanager
async def holding(gate: ClusterLimit, count: int, priority: Priority = PEOPLE) -> AsyncIterator[list[Permit]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(gate.permit(priority, 5)) for _ in range(count)]
    await settled(gate)


@asynccontextmanager
async def process(
    redis: RedisSettings, prefix: str, *, limit: int, held: int, lease_s: float = LEASE_S
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that holds permits."""
    command = (sys.executable, "-m", "tests.support.permit_holder", prefix, str(limit), str(held), str(lease_s))
    environ = environment_of(Settings(redis=redis), os.environ)
    made = await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.PIPE)
    try:
        assert await said(made) == "held"
        yield made
    finally:
        if made.returncode is None:
            made.kill()
        await made.wait()


async def said(made: asyncio.subprocess.Process) -> str:
    assert made.stdout is not None
    return (await asyncio.wait_for(made.stdout.readline(), 20)).decode().strip()


async def keys(redis: RedisClient, prefix: str, part: str) -> int:
    return int(await redis.zcard(f"{prefix}:gate:{{g}}:{part}"))


async def test_never_more_than_the_limit_over_two_processes(redis: RedisClient, prefix: str):
    gates, inside, most, done = [gate_of(redis, prefix, 3), gate_of(redis, prefix, 3)], 0, 0, 0

    async def call(number: int) -> None:
        nonlocal inside, most, done
        async with gates[number % 2].permit(Priority(number % 3), 30):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.005)
            inside -= 1
            done += 1

    await asyncio.gather(*(call(number) for number in range(60)))
    await asyncio.gather(*map(settled, gates))
    assert done == 60
    assert most == 3
    assert [await keys(redis, prefix, part) for part in ("permits", "queue", "marks")] == [0, 0, 0]


async def test_a_free_permit_costs_one_round_trip(redis: RedisClient, prefix: str, monkeypatch: pytest.MonkeyPatch):
    gate, trips = gate_of(redis, prefix, 2), 0
    async with holding(gate, 1):
        pass  # the server knows the scripts now
    together = redis.execute_commands

    async def counted(commands):
        nonlocal trips
        trips += 1
        return await together(commands)

    monkeypatch.setattr(redis, "execute_commands", counted)
    async with gate.permit(PEOPLE, 5):
        assert trips == 1
    await settled(gate)


async def test_documents_leave_the_last_permits_to_people(redis: RedisClient, prefix: str):
    gate = gate_of(redis, prefix, 4)
    async with holding(gate, 3, DOCUMENTS):
        with pytest.raises(Unavailable):
            async with gate.permit(DOCUMENTS, 0.2):
                pass
        async with asyncio.timeout(5), gate.permit(PEOPLE, 5):
            pass
    await settled(gate)


@pytest.mark.parametrize("apart", [False, True])
async def test_people_go_first_then_texts_then_documents_in_order_of_arrival(redis: RedisClient, prefix: str, apart: bool):
    """Whether they wait in one process or in several."""
    gates, order = [gate_of(redis, prefix, 1)] * 4 if not apart else [gate_of(redis, prefix, 1) for _ in range(4)], []

    async def call(gate: ClusterLimit, name: str, priority: Priority) -> None:
        async with gate.permit(priority, 30):
            order.append(name)

    async with holding(gates[0], 1):
        tasks = []
        for place, (name, priority) in enumerate([("d", DOCUMENTS), ("t", TEXTS), ("p1", PEOPLE), ("p2", PEOPLE)]):
            tasks.append(asyncio.create_task(call(gates[place], name, priority)))
            while await keys(redis, prefix, "queue") != place + 1:
                await asyncio.sleep(0.005)
    await asyncio.gather(*tasks)
    await asyncio.gather(*map(settled, gates))
    assert order == ["p1", "p2", "t", "d"]


async def test_waiting_has_an_end_and_leaves_the_queue(redis: RedisClient, prefix: str):
    gate = gate_of(redis, prefix, 1)
    async with holding(gate, 1):
        with pytest.raises(Unavailable) as raised:
            async with gate.permit(PEOPLE, 0.1):
                pass
        assert raised.value.code == "model_unavailable"
        assert raised.value.retry_after_s >= 1
        waiting = asyncio.create_task(gate.permit(PEOPLE, 30).__aenter__())
        await eventually(lambda: bool(gate._waiting))
        waiting.cancel()
        await asyncio.wait((waiting,))
        await settled(gate)
        assert not gate._waiting
        assert await keys(redis, prefix, "queue") == 0
        assert await keys(redis, prefix, "permits") == 1


async def test_leases_are_renewed_for_as_long_as_the_call_lasts(redis: RedisClient, prefix: str):
    first, second = gate_of(redis, prefix, 1, lease_s=0.3), gate_of(redis, prefix, 1, lease_s=0.3)
    async with holding(first, 1) as (permit,):
        with pytest.raises(Unavailable):
            async with second.permit(PEOPLE, 1.0):
                pass
        assert not permit.lost
    await settled(second)


async def test_the_permits_of_a_killed_process_come_back(redis: RedisClient, prefix: str, redis_settings: RedisSettings):
    gate = gate_of(redis, prefix, 2)
    async with process(redis_settings, prefix, limit=2, held=2) as holder:
        with pytest.raises(Unavailable):
            async with gate.permit(PEOPLE, 0.1):
                pass
        holder.kill()
        await holder.wait()
        async with holding(gate, 2) as permits:
            assert not any(permit.lost for permit in permits)


async def test_a_paused_process_closes_its_calls_when_it_wakes(redis: RedisClient, prefix: str, redis_settings: RedisSettings):
    """Meanwhile the overshoot is what it had open; a place that nobody took is its own again."""
    gate = gate_of(redis, prefix, 3)
    async with process(redis_settings, prefix, limit=3, held=3) as holder:
        holder.send_signal(signal.SIGSTOP)
        async with holding(gate, 2):
            assert await keys(redis, prefix, "permits") <= 3
            holder.send_signal(signal.SIGCONT)
            assert [await said(holder), await said(holder)] == ["lost", "lost"]
            while await keys(redis, prefix, "permits") != 3:
                await asyncio.sleep(0.01)
            with pytest.raises(Unavailable):
                async with gate.permit(PEOPLE, 0.1):
                    pass


async def test_with_redis_frozen_the_local_share_goes_on(own_redis: OwnRedis, prefix: str):
    """Calls beyond it are closed before their leases end, the youngest and the documents first; afterwards all is as before."""
    redis = connect(own_redis.settings)
    gate = gate_of(redis, prefix, 8, workers=4, lease_s=2.0)
    async with holding(gate, 2, DOCUMENTS) as documents, holding(gate, 3) as people:
        own_redis.freeze()
        await eventually(lambda: sum(permit.lost for permit in documents + people) == 3)
        assert [permit.lost for permit in documents + people] == [True, True, False, False, True]
        with pytest.raises(Unavailable) as raised:
            async with gate.permit(PEOPLE, 0.3):
                pass
        assert raised.value.code == "model_unavailable"
    async with holding(gate, 2):
        assert not redis.is_up
        own_redis.thaw()
        while await _permits_known(redis, prefix) != 2:
            await asyncio.sleep(0.02)
    await redis.aclose()


async def _permits_known(redis: RedisClient, prefix: str) -> int:
    try:
        return await keys(redis, prefix, "permits")
    except Unavailable:
        return -1


async def test_without_redis_there_is_the_share():
    gate = gate_of(None, "p", 7, workers=3)
    async with holding(gate, 2):
        with pytest.raises(Unavailable):
            async with gate.permit(PEOPLE, 0.05):
                pass
        waiting = asyncio.create_task(gate.permit(PEOPLE, 30).__aenter__())
        await eventually(lambda: bool(gate._waiting))
    await asyncio.wait_for(waiting, 5)


async def test_people_who_wait_are_counted():
    """Answers only: their askers are told how many there are."""
    gate = gate_of(None, "p", 1)

    async def wait(priority: Priority) -> None:
        async with gate.permit(priority, 60):
            pass

    async with gate.permit(Priority.PEOPLE, 60):
        assert gate.people_waiting == 0
        waiting = [asyncio.create_task(wait(priority)) for priority in (Priority.PEOPLE, Priority.PEOPLE, Priority.TEXTS)]
        await eventually(lambda: len(gate._waiting) == len(waiting))
        assert gate.people_waiting == 2
    await asyncio.gather(*waiting)
    assert gate.people_waiting == 0


async def test_a_lost_permit_ends_what_is_bounded_by_it():
    permit = Permit()

    async def bounded() -> None:
        async with permit.guard():
            await asyncio.Event().wait()

    task = asyncio.create_task(bounded())
    await asyncio.sleep(0)
    permit.revoke()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(task, 5)
    closed: list[bool] = []
    permit.on_lost(lambda: closed.append(True))  # it was lost already
    assert closed == [True]


async def test_no_bound_costs_nothing():
    gates = ConcurrencyLimits(Settings())
    assert gates.for_model("http://x/v1", "m", 0) is UNLIMITED
    assert UNLIMITED.permit(PEOPLE, 1) is UNLIMITED.permit(DOCUMENTS, 9)
    async with UNLIMITED.permit(PEOPLE, 1) as permit, permit.guard():
        permit.on_lost(lambda: pytest.fail("nothing is lost"))


def test_which_models_share_a_gate():
    """One per server and model; embeddings of the same server that have no permits of their own pass the answering model's."""
    chat = ModelSettings(provider="openai", base_url="http://x/v1/", name="m", permits=4)
    gates = ConcurrencyLimits(Settings(model=chat))
    answers = gates.for_model("http://x/v1", "m", 4)
    assert gates.for_model("http://x/v1/", "m", 4) is answers
    assert gates.for_model("http://y/v1", "m", 4) is not answers
    assert gates.for_embedding("http://x/v1", "embedding") is answers
    assert gates.for_embedding("http://y/v1", "embedding") is UNLIMITED
    own = ConcurrencyLimits(Settings(model=chat, retrieval=RetrievalSettings(embedding_permits=2)))
    assert own.for_embedding("http://x/v1", "embedding") not in (UNLIMITED, own.for_model("http://x/v1", "m", 4))
    assert ConcurrencyLimits(Settings()).for_embedding("http://x/v1", "embedding") is UNLIMITED
