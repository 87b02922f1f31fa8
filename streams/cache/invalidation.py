"""Invalidation. Nothing here scans keys: by key and by mark it is one command, by prefix a range of the index.

Once a method returns, no look that begins afterwards finds what was taken back, and no computation that began before can store it. Every
method raises Unavailable("redis_unavailable"): then nothing is promised, and only its life ends an entry.
"""

import secrets
from collections.abc import Iterable

from adapters.redis.client import RedisClient, Script
from schemas.settings.cache import LIFE_S_MAX
from streams.cache.names import Names, knowledge_tag, shorten_key
from streams.cache.scenarios import SCENARIOS, Scenario

MARK_MS = (LIFE_S_MAX + LIFE_S_MAX // 5) * 1000  # longer than any entry, jitter included: when the mark goes, what it marked is gone
RANGE = 500  # keys removed per command: one command must not hold Redis up

# KEYS index, then entry and lease of each member; ARGV members. Replies how many entries there were.
_REMOVE = Script("""
local gone = 0
for i, member in ipairs(ARGV) do
  gone = gone + redis.call('DEL', KEYS[2 * i])
  redis.call('DEL', KEYS[2 * i + 1])
  redis.call('ZREM', KEYS[1], member)
end
return gone
""")


class Invalidation:
    """For any process that makes a change; it needs nothing else of the cache."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis, self._prefix = redis, prefix

    async def key(self, tenant: str, scenario: Scenario, key: str) -> bool:
        """Remove one entry; False when there was none."""
        return await self._remove(Names(self._prefix, tenant, scenario), (shorten_key(key),)) > 0

    async def prefix(self, tenant: str, scenario: Scenario, prefix: str) -> int:
        """Remove every entry whose key begins like this; how many there were."""
        names, gone = Names(self._prefix, tenant, scenario), 0
        begin, end = b"[" + prefix.encode(), b"(" + prefix.encode() + b"\xff"
        while members := await self._redis.execute_command("ZRANGE", names.index, begin, end, "BYLEX", "LIMIT", 0, RANGE):
            gone += await self._remove(names, [member.decode(errors="replace") for member in members])
            begin = b"(" + members[-1]  # entries that are stored again were computed after this began
        return gone

    async def scenario(self, tenant: str, scenario: Scenario) -> None:
        """Invalidate all entries of a scenario."""
        await self._mark((Names(self._prefix, tenant, scenario).marks(())[0],))

    async def tags(self, tenant: str, tags: Iterable[str], scenarios: Iterable[Scenario] = tuple(SCENARIOS)) -> None:
        """Invalidate every entry with one of these tags, in these scenarios."""
        wanted = tuple(tags)
        await self._mark(mark for scenario in scenarios for mark in Names(self._prefix, tenant, scenario).marks(wanted)[1:])

    async def knowledge(self, knowledge_bases: Iterable[tuple[str, str]]) -> None:
        """Invalidate what was made from these (tenant, knowledge base)."""
        marks = [
            mark
            for tenant, base in dict.fromkeys(knowledge_bases)
            for name, kind in SCENARIOS.items()
            if kind.marked_by_knowledge
            for mark in Names(self._prefix, tenant, name).marks((knowledge_tag(base),))[1:]
        ]
        await self._mark(marks)

    async def _mark(self, marks: Iterable[str]) -> None:
        """A mark is random: one that expired and was set again never equals the one before."""
        batch, value = self._redis.pipeline(), secrets.token_hex(8)
        for mark in marks:
            batch.execute_command("SET", mark, value, "PX", MARK_MS)
        if len(batch.command_stack):
            await batch.execute()

    async def _remove(self, names: Names, keys: "list[str] | tuple[str, ...]") -> int:
        touched = [name for key in keys for name in (names.entry(key), names.lease(key))]
        return int(await _REMOVE(self._redis, (names.index, *touched), tuple(keys)))
