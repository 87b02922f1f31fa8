"""The table of tasks: for each task a hash of its slots in Redis, listed by the time of creation, of a tenant and of each account.

A row is no record of one event, as in a ``RecordTable``: events of several topics, read by several workers at once, each put one step. The
script does what ``fold.put_step`` does, so that no step has to be read before it is put. Everything of a tenant has one hash tag.

Rows live as long as tasks are shown. A sequence number of the tenant grows with every change, and a bounded index of the last changes has
the tasks by it: from it streams learn what changed without reading the topics.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import structlog

from adapters.redis.client import Argument, RedisClient, Script
from domain.tasks.fold import Slots, TaskPut, read_task
from domain.tasks.settings import TaskSettings
from domain.tasks.steps import steps_of
from schemas.errors import Unavailable
from schemas.events import Event
from schemas.tasks import Task, TaskSlot, TaskStep
from streams.log.outgoing import LogOffset
from streams.tables.cursor import decode_cursor, encode_cursor, invalid_cursor
from streams.tables.projection import micros
from streams.tables.record_table import RecordPage

SLOTS: tuple[TaskSlot, ...] = ("opened", "pending", "started", "progress", "ended", "retried")
RANK_CHARS = 16  # of the time in an index entry: microseconds in hex
LONGER_MS = 3_600_000  # so that their lives are prolonged once an hour, not with every task
CHANGES_MAX = 2_000  # changes that a stream can be behind before it needs a snapshot
PAGE_MAX = 1_000
TRIM_MAX = 1_000  # rows removed at a time: more than one batch lists

_MEMBER = re.compile(rb"[0-9a-f]{16}.{1,200}", re.DOTALL)

log = structlog.get_logger(__name__)

# KEYS row, index of the tenant, of the account, changes, sequence; ARGV slot, order, JSON, rank, id, life in ms, "1" = account known,
# rank of the oldest task that is shown, number of changes, ms by which keys of many tasks live longer than the last. A slot is
# "order rank JSON". The row's field ``rank`` is the time by which it is listed, the same as ``created_at``: that of the request, or the
# first of the slots as long as the request is not known. Replies the number of tasks listed, 1 where the task was listed before; 0 =
# nothing was put. Each task that is listed anew removes up to two entries that are too old from each index.
_PUT = Script("""
local names = {'opened', 'pending', 'started', 'progress', 'ended', 'retried'}
local old = redis.call('HMGET', KEYS[1], 'rank', unpack(names))
local known, own, rank = old[1], nil, nil
for place, name in ipairs(names) do
  local entry = old[place + 1]
  if name == ARGV[1] then own, entry = entry, '- ' .. ARGV[4] .. ' ' end
  local at = name ~= 'retried' and entry and string.match(entry, '^[^ ]* (%x+) ')
  if at and (not rank or (at < rank and not (old[2] or ARGV[1] == 'opened'))) then rank = at end
end
if own and ARGV[2] <= string.match(own, '^[^ ]*') then return 0 end
local entry, count = ARGV[2] .. ' ' .. ARGV[4] .. ' ' .. ARGV[3], 1
if ARGV[1] == 'retried' then
  redis.call('HSET', KEYS[1], 'retried', entry)
else
  redis.call('HSET', KEYS[1], ARGV[1], entry, 'rank', rank)
  if known ~= rank or ARGV[7] == '1' then
    for place = 2, ARGV[7] == '1' and 3 or 2 do
      if known and known ~= rank then redis.call('ZREM', KEYS[place], known .. ARGV[5]) end
      redis.call('ZADD', KEYS[place], 0, rank .. ARGV[5])
      for _, member in ipairs(redis.call('ZRANGE', KEYS[place], 0, 1)) do
        if string.sub(member, 1, 16) < ARGV[8] then redis.call('ZREM', KEYS[place], member) end
      end
    end
    count = redis.call('ZCARD', KEYS[2])
  end
end
local number, life = redis.call('INCR', KEYS[5]), tonumber(ARGV[6])
redis.call('ZADD', KEYS[4], number, ARGV[5])
if number % 100 == 0 then redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -1 - ARGV[9]) end
if redis.call('PTTL', KEYS[1]) < life then redis.call('PEXPIRE', KEYS[1], life) end
if redis.call('PTTL', KEYS[2]) < life then
  for _, key in ipairs({KEYS[2], KEYS[4], KEYS[5]}) do redis.call('PEXPIRE', key, life + ARGV[10]) end
end
if ARGV[7] == '1' and redis.call('PTTL', KEYS[3]) < life then redis.call('PEXPIRE', KEYS[3], life + ARGV[10]) end
return count
""")


class TaskChanges(NamedTuple):
    """The tasks that changed up to the sequence number ``seen``; None when too many did, or the table is another one."""

    seen: int
    ids: Sequence[str] | None


class TaskTable:
    """The tasks of an installation. Methods raise Unavailable("redis_unavailable"), reads "tables_lost" when the tables are lost."""

    def __init__(self, redis: RedisClient, prefix: str, settings: TaskSettings) -> None:
        self._redis, self._prefix, self._rows_max = redis, prefix, settings.rows_max
        self._kept = timedelta(seconds=settings.kept_s)
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(TaskStep).decode

    async def show(self, event: Event, offset: LogOffset, now: datetime) -> None:
        """Put the steps of an event that this process has just written, as the agent ``track`` will: whoever has the task's id can read it
        at once. While Redis is down nothing is written.
        """
        with suppress(Unavailable):
            await self.put_many(steps_of(event, offset), now)

    async def put_many(self, puts: Sequence[TaskPut], now: datetime) -> None:
        """Put steps in one round trip; those that are too old to be shown are left out."""
        oldest = now - self._kept
        recent = [put for put in puts if put.step.at > oldest]
        replies = await _PUT.run_many(self._redis, [self._call(put, now) for put in recent])
        listed: dict[str, int] = {}  # a step that lists nothing anew says nothing of how many there are
        for put, count in zip(recent, replies, strict=True):
            listed[put.tenant] = max(listed.get(put.tenant, 0), int(count))
        for tenant, count in listed.items():
            if count > self._rows_max:
                await self._trim(tenant, count - self._rows_max)

    def _call(self, put: TaskPut, now: datetime) -> tuple[tuple[str, ...], tuple[Argument, ...]]:
        step, account = put.step, put.step.account
        keys = (
            self._row_key(put.tenant, put.task_id),
            self._index_key(put.tenant),
            self._index_key(put.tenant, account),
            self._key("task-changes", put.tenant),
            self._key("task-sequence", put.tenant),
        )
        life_ms = max(1, int((step.at + self._kept - now).total_seconds() * 1000))
        owned, oldest = "1" if account else "", _rank(now - self._kept)
        arguments = (put.slot, put.order, self._encode(step), _rank(step.at), put.task_id, life_ms, owned, oldest, CHANGES_MAX, LONGER_MS)
        return keys, arguments

    async def _trim(self, tenant: str, count: int) -> None:
        """Remove the oldest tasks of the tenant: it has more than are shown."""
        members = await self._redis.execute_command("ZRANGE", self._index_key(tenant), 0, min(count, TRIM_MAX) - 1)
        found = await self.get_many(tenant, [_member_id(member) for member in members])
        batch = self._redis.pipeline()
        for member in members:
            task = found.get(_member_id(member))
            batch.execute_command("UNLINK", self._row_key(tenant, _member_id(member)))
            batch.execute_command("ZREM", self._index_key(tenant), member)
            if task is not None and task.account:
                batch.execute_command("ZREM", self._index_key(tenant, task.account), member)
        await batch.execute()

    async def get(self, tenant: str, task_id: str) -> Task | None:
        """The task, or None."""
        found = (await self.get_many(tenant, [task_id])).get(task_id)
        if found is None:
            await self._redis.confirm_absence()
        return found

    async def get_many(self, tenant: str, task_ids: Sequence[str]) -> dict[str, Task]:
        """Those of the tasks that exist, in this order."""
        if not task_ids:
            return {}
        batch = self._redis.pipeline()
        for task_id in task_ids:
            batch.execute_command("HMGET", self._row_key(tenant, task_id), *SLOTS)
        found: dict[str, Task] = {}
        for task_id, row in zip(task_ids, await batch.execute(), strict=True):
            task = read_task(tenant, task_id, self._slots(task_id, row))
            if task is not None:
                found[task_id] = task
        return found

    async def list(
        self,
        tenant: str,
        account: str = "",
        *,
        limit: int,
        cursor: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> RecordPage[Task]:
        """At most ``limit`` tasks (1 to 1,000) of the tenant, or of one account, the newest first; created from ``since`` to before
        ``until``. A page may be shorter although another follows. Raises Refused("validation_failed") for a cursor that no list returned.
        """
        limit = max(1, min(limit, PAGE_MAX))
        below = b"(" + _decode_member(cursor) if cursor else b"(" + _rank(until).encode() if until is not None else b"+"
        above = b"[" + _rank(since).encode() if since is not None else b"-"
        key = self._index_key(tenant, account)
        members = await self._redis.execute_command("ZRANGE", key, below, above, "BYLEX", "REV", "LIMIT", 0, limit + 1)
        if not members:
            await self._redis.confirm_absence()
        found = await self.get_many(tenant, [_member_id(member) for member in members[:limit]])
        return RecordPage(list(found.values()), encode_cursor(members[limit - 1]) if len(members) > limit else "")

    def cursor_behind(self, task: Task) -> str:
        """The cursor of a list that continues behind this task."""
        return encode_cursor(f"{_rank(task.created_at)}{task.id}".encode())

    async def count(self, tenant: str, account: str = "") -> int:
        """The number of tasks that are listed; a few may have expired."""
        return int(await self._redis.execute_command("ZCARD", self._index_key(tenant, account)))

    async def last_change(self, tenant: str) -> int:
        """The sequence number of the last change of the tenant's tasks."""
        return int(await self._redis.execute_command("GET", self._key("task-sequence", tenant)) or 0)

    async def changes(self, tenant: str, seen: int) -> TaskChanges:
        """What changed after the sequence number ``seen``."""
        now = await self.last_change(tenant)
        if now == seen:
            return TaskChanges(now, ())
        key = self._key("task-changes", tenant)
        members = await self._redis.execute_command("ZRANGEBYSCORE", key, f"({seen}", now)
        if now < seen or now - seen > CHANGES_MAX:
            return TaskChanges(now, None)
        return TaskChanges(now, tuple(member.decode() for member in members))

    def _slots(self, task_id: str, row: Sequence[bytes | None]) -> Slots:
        slots: dict[TaskSlot, tuple[str, TaskStep]] = {}
        for name, entry in zip(SLOTS, row, strict=True):
            if entry is None:
                continue
            try:
                order, _, json = entry.split(b" ", 2)
                slots[name] = order.decode(), self._decode(json)
            except (ValueError, msgspec.DecodeError) as error:
                log.warning("task_undecodable", task_id=task_id, slot=name, error=str(error))
        return slots

    def _row_key(self, tenant: str, task_id: str) -> str:
        return f"{self._key('task', tenant)}:{task_id}"

    def _index_key(self, tenant: str, account: str = "") -> str:
        return self._key("task-index", tenant) + (f":{account}" if account else "")

    def _key(self, name: str, tenant: str) -> str:
        return f"{self._prefix}:{name}:{{tasks:{tenant}}}"


def _rank(at: datetime) -> str:
    return f"{max(0, micros(at)):0{RANK_CHARS}x}"


def _member_id(member: bytes) -> str:
    return member[RANK_CHARS:].decode(errors="replace")


def _decode_member(cursor: str) -> bytes:
    member = decode_cursor(cursor)
    if not _MEMBER.fullmatch(member):
        raise invalid_cursor()
    return member
