"""The scripts of the gate against a model of it, any interleaving of several holders, under a clock of the test's own."""

import asyncio
import uuid
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.concurrency.cluster import reserve
from adapters.concurrency.port import Priority
from adapters.concurrency.scripts import PermitRequest, Permits
from adapters.redis.client import connect
from schemas.settings import RedisSettings

S = 1_000_000
LEASE, MARK = 900 * S, 300 * S  # of the test's clock; so long that the keys' own life, in real time, plays no part
HOLDERS = range(6)
START = 1_800_000_000_000_000

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(HOLDERS), st.just(0)),
        st.tuples(st.just("ask"), st.sampled_from(HOLDERS), st.just(0)),
        st.tuples(st.just("release"), st.sampled_from(HOLDERS), st.just(0)),
        st.tuples(st.just("renew"), st.sampled_from(HOLDERS), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.sampled_from((1, 100, 299, 400, 1_000))),
    ),
    min_size=10,
    max_size=60,
)


@dataclass
class Model:
    """What the gate should do, said again without Redis."""

    limit: int
    ends: dict[int, int] = field(default_factory=dict)
    turns: dict[int, tuple[int, int]] = field(default_factory=dict)
    marks: dict[int, int] = field(default_factory=dict)

    def ask(self, holder: int, priority: Priority, now: int) -> bool:
        self.ends = {h: end for h, end in self.ends.items() if end > now}
        for gone in [h for h, mark in self.marks.items() if mark <= now]:
            del self.turns[gone], self.marks[gone]
        mine = self.turns.get(holder, (priority, now))
        before = sum(turn < mine for turn in self.turns.values())
        if holder in self.ends or len(self.ends) + before + reserve(self.limit, priority) < self.limit:
            self.ends[holder] = now + LEASE
            self.turns.pop(holder, None)
            self.marks.pop(holder, None)
            return True
        self.turns[holder], self.marks[holder] = mine, now + MARK
        return False

    def renew(self, holder: int, now: int) -> bool:
        if holder not in self.ends:
            self.ends = {h: end for h, end in self.ends.items() if end > now}
            if len(self.ends) >= self.limit:
                return False
        self.ends[holder] = now + LEASE
        return True

    def release(self, holder: int) -> None:
        for kept in (self.ends, self.turns, self.marks):
            kept.pop(holder, None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 4), priorities=st.lists(st.sampled_from(Priority), min_size=6, max_size=6), steps=STEPS)
def test_any_interleaving_is_the_models(
    redis_settings: RedisSettings, limit: int, priorities: list[Priority], steps: list[tuple[str, int, int]]
):
    """And never are more permits alive than the limit; documents leave the last ones; a free place waits for nobody but those before."""

    async def play() -> None:
        redis, now, model = connect(redis_settings), START, Model(limit)
        permits = Permits(redis, f"{redis_settings.key_prefix}:gate:{{{uuid.uuid4().hex}}}", limit=limit, lease_us=LEASE, mark_us=MARK)
        try:
            for number, (what, holder, pause) in enumerate(steps):
                now += pause * S + 1  # no two asks at the same moment: their order would be that of their names
                priority = priorities[holder]
                if what == "ask":
                    alive_before = sum(end > now for end in model.ends.values())
                    had = model.ends.get(holder, 0) > now
                    expected = model.ask(holder, priority, now)
                    (has,) = await permits.acquire([PermitRequest(str(holder), priority, reserve(limit, priority))], now)
                    assert has == expected, (number, steps)
                    if has and not had and priority is Priority.DOCUMENTS:
                        assert alive_before < limit - reserve(limit, priority)
                elif what == "renew":
                    assert (await permits.renew([str(holder)], now))[0] == model.renew(holder, now), (number, steps)
                elif what == "release":
                    model.release(holder)
                    await permits.release(str(holder))
                assert sum(end > now for end in model.ends.values()) <= limit
        finally:
            await redis.aclose()

    asyncio.run(play())
