"""Visibility: which version of a document readers see. One Redis record per document, every field only grows, one script per change.

A document is visible at version ``visible`` if that is above ``deleted``, else not at all. Workers of the group ``knowledge`` also keep a
``VisibilityReplica`` of these records from the progress topic, to go on answering while Redis is down.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import structlog
from msgspec import Struct

from adapters.redis.client import RedisClient, Script
from domain.documents.versions import encode_entries, encode_file, parse_field
from schemas.documents import InboxRecord, KeptVersion, KeptVersions
from schemas.errors import Unavailable
from streams.cache.invalidation import Invalidation

NO_VERSION = -1  # versions are offsets and start at 0
STATE_FIELDS = ("latest", "visible", "deleted", "cancelled")  # of the record, as VersionState has them
KEYS_PER_TRIP = 500  # records read in one pipeline
HASH_BYTES = 16  # of a chunk, as stored here

log = structlog.get_logger(__name__)

# Whether the inbox record of ARGV[first..] (timestamp, partition, offset; "" for none) is older than that of the field record: the same as
# InboxRecord.is_older_than.
_IS_OLDER = """
local function is_older(known, first)
  if ARGV[first] == '' or not known then return false end
  local at, partition, offset = string.match(known, '^(%d+) (%d+) (%d+)$')
  if not at then return false end
  at, offset = tonumber(at), tonumber(offset)
  if partition == ARGV[first + 1] then return tonumber(ARGV[first + 2]) < offset and tonumber(ARGV[first]) <= at end
  return tonumber(ARGV[first]) < at
end
"""

# The field kept has a line with the version that changed it last, then a line "version TAB path TAB description" for every replaced version
# whose file is kept, the newest first. The field litter has a path a line.
_KEPT = """
local function number(value) return tonumber(value or '') or -1 end
local function parse_kept(field)
  local stamp, lines = string.match(field or '', '^(%d+)\\n(.*)$')
  local entries = {}
  for line in string.gmatch(lines or '', '[^\\n]+') do
    local version, path = string.match(line, '^(%d+)\\t([^\\t]+)\\t')
    if version then table.insert(entries, {version = tonumber(version), path = path, line = line}) end
  end
  return stamp or '-1', entries
end
local function join(entries)
  local lines = {}
  for _, each in ipairs(entries) do table.insert(lines, each.line .. '\\n') end
  return table.concat(lines)
end
local function is_needed(path, blob, entries, litter)
  if path == '' or path == blob then return true end
  for _, each in ipairs(entries) do
    if each.path == path then return true end
  end
  return string.find('\\n' .. litter, '\\n' .. path .. '\\n', 1, true) ~= nil
end
"""

# KEYS record; ARGV version, path of its file or "", inbox record, content hash or "", description of the file or "", most kept files.
# The file of the version before is kept if readers see that version, else orphaned (field litter) until it is removed; that of a version
# whose inbox record is older than the newest one, too. A version with the content of the visible one stands for it (field same): of the
# two files the newer one is kept. The last but one value replied is "1" for a superseded version, the last one the field kept.
_SUBMIT = Script(
    _IS_OLDER
    + _KEPT
    + """
local fields = {'latest', 'visible', 'deleted', 'hash', 'chunks', 'blob', 'litter', 'cancelled', 'record', 'kept', 'same', 'file'}
local old = redis.call('HMGET', KEYS[1], unpack(fields))
local blob, litter, known, file = old[6] or '', old[7] or '', old[9], old[12] or ''
local stamp, entries = parse_kept(old[10])
local reply = {old[1], old[2], old[3], old[8], old[4], old[5], litter, '', old[10]}
if is_older(known, 3) then
  if not is_needed(ARGV[2], blob, entries, litter) then
    reply[7] = litter .. ARGV[2] .. '\\n'
    redis.call('HSET', KEYS[1], 'litter', reply[7])
  end
  reply[8] = '1'
  return reply
end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'record', ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5]) end
if number(old[1]) >= tonumber(ARGV[1]) then return reply end
local visible = number(old[2])
local is_shown = visible > number(old[3])
local is_same = is_shown and ARGV[6] ~= '' and ARGV[6] == old[4]
local stands_for = old[11] == (old[1] or '') .. ' ' .. (old[2] or '') and visible or number(old[1])
local is_kept = is_shown and not is_same and stands_for == visible and file ~= '' and not is_needed(blob, '', {}, litter)
local gone, left = {blob}, {}
for _, each in ipairs(entries) do
  if each.version == visible and (is_same or is_kept) then table.insert(gone, each.path) else table.insert(left, each) end
end
if is_kept then table.insert(left, {version = visible, path = blob, line = old[2] .. '\\t' .. blob .. '\\t' .. file}) end
table.sort(left, function(one, other) return one.version > other.version end)
while #left > tonumber(ARGV[8]) do table.insert(gone, table.remove(left).path) end
redis.call('HSET', KEYS[1], 'latest', ARGV[1], 'blob', ARGV[2])
if join(left) ~= join(entries) then
  if tonumber(stamp) < tonumber(ARGV[1]) then stamp = ARGV[1] end
  reply[9] = stamp .. '\\n' .. join(left)
  redis.call('HSET', KEYS[1], 'kept', reply[9])
end
for _, path in ipairs(gone) do
  if not is_needed(path, ARGV[2], left, litter) then litter = litter .. path .. '\\n' end
end
if litter ~= reply[7] then redis.call('HSET', KEYS[1], 'litter', litter) end
reply[7] = litter
if ARGV[7] ~= '' then redis.call('HSET', KEYS[1], 'file', ARGV[7]) elseif file ~= '' then redis.call('HDEL', KEYS[1], 'file') end
if is_same then
  redis.call('HSET', KEYS[1], 'same', ARGV[1] .. ' ' .. old[2])
elseif old[11] then
  redis.call('HDEL', KEYS[1], 'same')
end
return reply
"""
)

# KEYS record; ARGV version, inbox record. Fields that only a visible document needs are removed. Replies the orphaned files and the field
# kept; false, and changes nothing, when the inbox record is older than the newest one.
_WITHDRAW = Script(
    _IS_OLDER
    + _KEPT
    + """
local version = tonumber(ARGV[1])
local old = redis.call('HMGET', KEYS[1], 'latest', 'deleted', 'blob', 'litter', 'record', 'kept')
if is_older(old[5], 2) then return false end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'record', ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4]) end
local litter, kept = old[4] or '', old[6] or ''
if number(old[2]) < version then redis.call('HSET', KEYS[1], 'deleted', ARGV[1]) end
if number(old[1]) < version then
  redis.call('HSET', KEYS[1], 'latest', ARGV[1])
  local _, entries = parse_kept(kept)
  local gone = {old[3] or ''}
  for _, each in ipairs(entries) do table.insert(gone, each.path) end
  for _, path in ipairs(gone) do
    if not is_needed(path, '', {}, litter) then litter = litter .. path .. '\\n' end
  end
  if #entries > 0 then
    kept = ARGV[1] .. '\\n'
    redis.call('HSET', KEYS[1], 'kept', kept)
  end
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.match(field, '^[hbf]:') or string.find(' hash chunks blob file same ', ' ' .. field .. ' ', 1, true) then
      redis.call('HDEL', KEYS[1], field)
    end
  end
  if litter ~= '' then redis.call('HSET', KEYS[1], 'litter', litter) end
end
return {litter, kept}
"""
)

# KEYS record; ARGV version that changed the field last, its entries. For a record that Redis lost, or has as it was before.
_RESTORE_KEPT = Script(
    _KEPT
    + """
local stamp = parse_kept(redis.call('HGET', KEYS[1], 'kept'))
if tonumber(stamp) < tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'kept', ARGV[1] .. '\\n' .. ARGV[2]) end
"""
)

# KEYS record; ARGV version, content hash, chunks, generation, hashes of the last chunks, 1 when there were versions before.
# Replies latest, visible, deleted, cancelled.
_MARK_INDEXED = Script("""
local version = tonumber(ARGV[1])
local own = 'h:' .. ARGV[4] .. ':' .. ARGV[1]
local old = redis.call('HMGET', KEYS[1], 'latest', 'visible', 'deleted', 'cancelled')
if (tonumber(old[2]) or -1) <= version and ((tonumber(old[4]) or -1) < version or old[2] == ARGV[1]) then
  redis.call('HSET', KEYS[1], 'visible', ARGV[1])
  old[2] = ARGV[1]
end
if old[2] == ARGV[1] and (tonumber(old[3]) or -1) < version then
  redis.call('HSET', KEYS[1], 'hash', ARGV[2], 'chunks', ARGV[3], 'b:' .. ARGV[4], ARGV[1])
  if ARGV[6] == '1' then
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
      if field ~= own and string.find(field, 'h:' .. ARGV[4] .. ':', 1, true) == 1 then redis.call('HDEL', KEYS[1], field) end
    end
  end
  if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], own, (redis.call('HGET', KEYS[1], own) or '') .. ARGV[5]) end
end
return old
""")

# KEYS record; ARGV version, generation, hashes of chunks. A repeat adds them once more, which does no harm.
_RECORD_CHUNKS = Script("""
local own = 'h:' .. ARGV[2] .. ':' .. ARGV[1]
if (tonumber(redis.call('HGET', KEYS[1], 'deleted')) or -1) < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], own, (redis.call('HGET', KEYS[1], own) or '') .. ARGV[3])
end
""")

# KEYS record; ARGV generation, version, code of a failure or "". Stored and failed are separate fields, each with its highest version:
# a failed new version does not change the one before.
_RECORD_BUILD = Script("""
local field = (ARGV[3] == '' and 'b:' or 'f:') .. ARGV[1]
local old = tonumber(string.match(redis.call('HGET', KEYS[1], field) or '', '^%-?%d+')) or -1
if old <= tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], field, ARGV[2] .. ' ' .. ARGV[3]) end
""")

# KEYS record; ARGV version. Only the newest version that is neither visible nor withdrawn can be cancelled. Replies 1 when it is cancelled.
_CANCEL = Script("""
local version = tonumber(ARGV[1])
local old = redis.call('HMGET', KEYS[1], 'latest', 'visible', 'deleted')
if (tonumber(old[1]) or -1) > version or (tonumber(old[2]) or -1) >= version or (tonumber(old[3]) or -1) >= version then return 0 end
redis.call('HSET', KEYS[1], 'cancelled', ARGV[1])
return 1
""")

# KEYS record; ARGV generation.
_REMOVE_BUILD = Script("""
local hashes = 'h:' .. ARGV[1] .. ':'
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field == 'b:' .. ARGV[1] or field == 'f:' .. ARGV[1] or string.find(field, hashes, 1, true) == 1 then
    redis.call('HDEL', KEYS[1], field)
  end
end
""")

# KEYS record; ARGV litter that is gone.
_CLEAR_ORPHANS = Script("""
if redis.call('HGET', KEYS[1], 'litter') == ARGV[1] then redis.call('HDEL', KEYS[1], 'litter') end
""")


class VersionState(Struct, frozen=True):
    """Highest version that was submitted, fully indexed, withdrawn, cancelled; -1 for none."""

    latest: int = NO_VERSION
    visible: int = NO_VERSION
    deleted: int = NO_VERSION
    cancelled: int = NO_VERSION

    @property
    def visible_version(self) -> int | None:
        """The version that readers see."""
        return self.visible if self.visible > self.deleted else None

    def is_visible(self, version: int) -> bool:
        """Whether readers see this very version."""
        return version == self.visible and version > self.deleted

    def supersedes(self, version: int) -> bool:
        """Whether work on this version is useless: there is a newer one, or it was withdrawn or cancelled.

        The visible version stays useful until another replaces it: a newer version may fail, or be unchanged.
        """
        return version <= self.deleted or (version != self.visible and (version < self.latest or version <= self.cancelled))


class PriorState(Struct, frozen=True):
    """A document's state when a version of it was submitted. ``orphans``: files of earlier versions that are no longer needed.

    ``kept``: the replaced versions whose files are kept now, the newest first; ``is_kept_changed``: since this very version.
    ``is_superseded``: the version came of an inbox record that is older than the document's newest one, and is no version of it.
    """

    state: VersionState
    content_hash: str = ""
    chunks: int = 0
    orphans: tuple[str, ...] = ()
    is_superseded: bool = False
    kept: tuple[KeptVersion, ...] = ()
    is_kept_changed: bool = False


class NewVersion(NamedTuple):
    """A submission on its way to the record: the document, its version, the path of its file, and the inbox record it was made of.

    ``content_hash``: "" when it is not known, or the document is to be processed whatever it is. ``file``: what is kept of the version
    should another replace it.
    """

    key: str
    version: int
    blob: str = ""
    record: InboxRecord | None = None
    content_hash: str = ""
    file: KeptVersion | None = None


class WithdrawnFiles(NamedTuple):
    """The files that go with a document. ``is_kept_changed``: files of replaced versions are among them."""

    orphans: tuple[str, ...]
    is_kept_changed: bool = False


class IndexedContent(Struct, frozen=True, kw_only=True):
    """What the record keeps of a complete version. ``hashes`` are those of the chunks stored last; ``earlier``: there may be hashes of
    earlier versions to remove.
    """

    content_hash: str = ""
    chunks: int = 0
    hashes: tuple[str, ...] = ()
    generation: int = 0
    earlier: bool = True


class BuildState(Struct, frozen=True):
    """The newest version that a collection holds (-1 for none), and the newest that failed, with the error code."""

    version: int = NO_VERSION
    failed: int = NO_VERSION
    code: str = ""


class VisibilitySource(Protocol):
    """A source of version states; raises Unavailable("redis_unavailable")."""

    async def version_states(self, keys: Sequence[str]) -> dict[str, VersionState]: ...


class Visibility:
    """The records in Redis. ``key`` is ``tenant/kb/document``; every method raises Unavailable("redis_unavailable").

    A change of what readers see also invalidates the cache of the knowledge base, afterwards: an entry computed in between is already
    computed from the new state, and a process that dies in between repeats both.
    """

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._cached = Invalidation(redis, prefix)

    async def record_submission(self, key: str, version: int, blob: str = "") -> PriorState:
        """A new version is under way, with its file if it has one. A repeat returns the same."""
        return (await self.record_submissions([NewVersion(key, version, blob)]))[0]

    async def record_submissions(self, submissions: Sequence[NewVersion], *, versions_kept: int = 0) -> list[PriorState]:
        """The same for several in one round trip. The files of the last ``versions_kept`` versions that readers saw are kept."""
        calls = [
            (
                (self._key(each.key),),
                (each.version, each.blob, *_record_arguments(each.record), each.content_hash, encode_file(each.file), versions_kept),
            )
            for each in submissions
        ]
        rows = await _SUBMIT.run_many(self._redis, calls)
        return [_prior_state(row, each.version) for each, row in zip(submissions, rows, strict=True)]

    async def restore_kept(self, versions: Sequence[tuple[str, KeptVersions]]) -> None:
        """The kept versions of documents as the log has them, for records that know of none, or of older ones."""
        calls = [((self._key(key),), (kept.version, encode_entries(kept.kept))) for key, kept in versions]
        await _RESTORE_KEPT.run_many(self._redis, calls)

    async def list_kept(self, key: str) -> tuple[KeptVersion, ...]:
        """The replaced versions whose files are kept, the newest first, and the visible one once a newer version was submitted."""
        ((field,),) = (await self._rows((key,), "kept")).values()
        return parse_field(_text(field))[1]

    async def prior_state(self, key: str) -> PriorState:
        """The document's state now."""
        row = (await self._rows((key,), *STATE_FIELDS, "hash", "chunks"))[key]
        return PriorState(_version_state(row[:4]), _text(row[4]), max(0, _parse_version(row[5])))

    async def record_withdrawal(self, key: str, version: int, record: InboxRecord | None = None) -> WithdrawnFiles | None:
        """Its owner deleted it: once this returns, no reader sees any version up to this one. Returns the files to remove, a repeat the
        same.

        None, and nothing happens, when ``record`` is older than the newest inbox record of the document.
        """
        reply = await _WITHDRAW(self._redis, (self._key(key),), (version, *_record_arguments(record)))
        if reply is None:
            return None
        await self._cached.knowledge((_knowledge_base(key),))
        return WithdrawnFiles(_lines(reply[0]), parse_field(_text(reply[1]))[0] == version)

    async def cancel(self, key: str, version: int) -> bool:
        """The work on this version is dropped wherever it stands, and what readers see stays; a repeat returns the same.

        False when there is nothing to drop: the version is visible, was withdrawn, or a newer one was submitted.
        """
        return bool(await _CANCEL(self._redis, (self._key(key),), (version,)))

    async def newest_records(self, keys: Sequence[str]) -> dict[str, InboxRecord]:
        """The newest inbox record of each document that has one."""
        rows = await self._rows(keys, "record")
        return {key: record for key, (text,) in rows.items() if (record := _parse_record(text)) is not None}

    async def clear_orphaned_blobs(self, key: str, litter: Sequence[str]) -> None:
        """These files were removed."""
        await _CLEAR_ORPHANS(self._redis, (self._key(key),), ("".join(f"{path}\n" for path in litter),))

    async def record_chunks(self, key: str, version: int, hashes: Sequence[str], *, generation: int = 0) -> None:
        """Points of these chunks (32 hex digits each) are in the index; later versions can reuse their vectors."""
        await _RECORD_CHUNKS(self._redis, (self._key(key),), (version, generation, _pack_hashes(hashes)))

    async def mark_indexed(self, key: str, version: int, stored: "IndexedContent | None" = None) -> bool:
        """Every chunk of the version is in the index. True if readers see it now; False if a newer version or a withdrawal came first."""
        return (await self.mark_indexed_many([(key, version, stored or IndexedContent())]))[0]

    async def mark_indexed_many(self, versions: Sequence[tuple[str, int, "IndexedContent"]]) -> list[bool]:
        """The same for several in one round trip."""
        calls = [
            ((self._key(key),), (version, of.content_hash, of.chunks, of.generation, _pack_hashes(of.hashes), int(of.earlier)))
            for key, version, of in versions
        ]
        rows = await _MARK_INDEXED.run_many(self._redis, calls)
        await self._cached.knowledge(_knowledge_base(key) for key, _, _ in versions)
        return [_version_state(row).is_visible(version) for (_, version, _), row in zip(versions, rows, strict=True)]

    async def read_for_indexing(self, key: str, generation: int, *, earlier: bool) -> tuple[VersionState, frozenset[str]]:
        """The document's version state; with ``earlier`` also the hashes of chunks whose vectors the index has in this generation."""
        if not earlier:
            return (await self.version_states((key,)))[key], frozenset()
        fields: dict[bytes, bytes] = await self._redis.execute_command("HGETALL", self._key(key))
        hashes = [value for name, value in fields.items() if name.startswith(f"h:{generation}:".encode())]
        return _version_state([fields.get(name) for name in map(str.encode, STATE_FIELDS)]), frozenset(
            value[at : at + HASH_BYTES].hex() for value in hashes for at in range(0, len(value), HASH_BYTES)
        )

    async def record_build(self, key: str, generation: int, version: int, code: str = "") -> None:
        """A hidden collection holds all of this version, or cannot: then ``code`` is the error code."""
        await _RECORD_BUILD(self._redis, (self._key(key),), (generation, version, code))

    async def build_states(self, keys: Sequence[str], generation: int) -> dict[str, BuildState]:
        """What that collection holds of each document."""
        rows = await self._rows(keys, f"b:{generation}", f"f:{generation}")
        return {key: _build_state(*row) for key, row in rows.items()}

    async def clear_failures(self, keys: Sequence[str], generation: int) -> None:
        """Forget which versions failed in this collection, so that they are tried again."""
        batch = self._redis.pipeline()
        for key in keys:
            batch.execute_command("HDEL", self._key(key), f"f:{generation}")
        await batch.execute()

    async def remove_build(self, keys: Sequence[str], generation: int) -> None:
        """A collection was dropped: forget what it held."""
        await _REMOVE_BUILD.run_many(self._redis, [((self._key(key),), (generation,)) for key in keys])

    async def is_superseded(self, key: str, version: int) -> bool:
        """Whether work on this version is useless."""
        return (await self.version_states((key,)))[key].supersedes(version)

    async def version_states(self, keys: Sequence[str]) -> dict[str, VersionState]:
        """The version state of each document; without versions for an unknown one."""
        return {key: _version_state(row) for key, row in (await self._rows(keys, *STATE_FIELDS)).items()}

    async def _rows(self, keys: Sequence[str], *fields: str) -> dict[str, Sequence[bytes | None]]:
        found: dict[str, Sequence[bytes | None]] = {}
        for start in range(0, len(keys), KEYS_PER_TRIP):
            some = keys[start : start + KEYS_PER_TRIP]
            batch = self._redis.pipeline()
            for key in some:
                batch.execute_command("HMGET", self._key(key), *fields)
            found.update(zip(some, await batch.execute(), strict=True))
        if any(all(value is None for value in row) for row in found.values()):
            await self._redis.confirm_absence()
        return found

    def _key(self, key: str) -> str:
        return visibility_key(self._prefix, key)


class VisibilityCheck:
    """The check of searches: Redis, and while it is down the replica. ``fell_back`` is called once per answer of the replica."""

    def __init__(self, visibility: VisibilitySource, replica: VisibilitySource, fell_back: Callable[[], object] = lambda: None) -> None:
        self._visibility = visibility
        self._replica = replica
        self._fell_back = fell_back
        self._on_replica = False

    @property
    def is_on_replica(self) -> bool:
        """Whether the last answer came from the replica."""
        return self._on_replica

    async def version_states(self, keys: Sequence[str]) -> dict[str, VersionState]:
        """The version state of each document; raises Unavailable when Redis is down and the replica has not caught up since its start."""
        try:
            found = await self._visibility.version_states(keys)
        except Unavailable:
            found = await self._replica.version_states(keys)
            self._fell_back()
            if not self._on_replica:
                log.warning("visibility_from_mirror")
            self._on_replica = True
            return found
        self._on_replica = False
        return found


def visibility_key(prefix: str, key: str) -> str:
    """The Redis key of a document's record."""
    return f"{prefix}:visibility:{{{key}}}"


def _knowledge_base(key: str) -> tuple[str, str]:
    tenant, base, _ = key.split("/", 2)
    return tenant, base


def _version_state(row: Sequence[bytes | None]) -> VersionState:
    return VersionState(*(_parse_version(value) for value in row))


def _prior_state(row: Sequence[bytes | None], version: int) -> PriorState:
    stamp, kept = parse_field(_text(row[8]))
    return PriorState(
        _version_state(row[:4]), _text(row[4]), max(0, _parse_version(row[5])), _lines(row[6]), row[7] == b"1", kept, stamp == version
    )


def _parse_version(value: bytes | None) -> int:
    if value is None:
        return NO_VERSION
    try:
        return int(value)
    except ValueError:
        log.warning("visibility_undecodable", value=value[:64])
        return NO_VERSION


def _record_arguments(record: InboxRecord | None) -> tuple[int | str, int | str, int | str]:
    return ("", "", "") if record is None or not record.at_ms else (record.at_ms, record.partition, record.offset)


def _parse_record(value: bytes | None) -> InboxRecord | None:
    parts = (value or b"").split(b" ")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):  # noqa: PLR2004
        return None
    at_ms, partition, offset = map(int, parts)
    return InboxRecord(at_ms=at_ms, partition=partition, offset=offset)


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def _lines(value: bytes | None) -> tuple[str, ...]:
    return tuple(_text(value).splitlines())


def _pack_hashes(hashes: Sequence[str]) -> bytes:
    return b"".join(map(bytes.fromhex, hashes))


def _build_state(held: bytes | None, failed: bytes | None) -> BuildState:
    version, _, _ = _text(held).partition(" ")
    of, _, code = _text(failed).partition(" ")
    return BuildState(_parse_version(version.encode() or None), _parse_version(of.encode() or None), code)
