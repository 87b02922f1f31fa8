"""The requests with an ``Idempotency-Key`` that submitted a document: what a late repeat is recognised by.

The stored response of a request expires, and Redis may lose it. A repeat after that would put its old content over newer versions. So the
last requests of each document are kept beside its versions. Dispatch, which sees all submissions of a document in order, publishes them on
``claw.documents.requested.v1``, from which they are restored.
"""

from collections.abc import Sequence

from msgspec import Struct

from adapters.redis.client import RedisClient, Script
from domain.documents.visibility import NO_VERSION, visibility_key
from schemas import ids
from schemas.documents import DocumentSubmitted, SubmissionRequest

# KEYS the document's visibility record; ARGV the most to keep, then id and version of each request. The field has a line "version id" for
# each request, the newest version last; a request counts with its highest version. Replies the field.
_RECORD = Script("""
local newest = {}
local function add(id, version)
  if not newest[id] or newest[id] < version then newest[id] = version end
end
for version, id in string.gmatch(redis.call('HGET', KEYS[1], 'requests') or '', '(%d+) (%S+)\\n') do add(id, tonumber(version)) end
for at = 2, #ARGV, 2 do add(ARGV[at], tonumber(ARGV[at + 1])) end
local order = {}
for id in pairs(newest) do table.insert(order, id) end
table.sort(order, function(one, other)
  if newest[one] ~= newest[other] then return newest[one] < newest[other] end
  return one < other
end)
local lines = {}
for at = math.max(1, #order - tonumber(ARGV[1]) + 1), #order do
  table.insert(lines, string.format('%.0f %s\\n', newest[order[at]], order[at]))
end
local field = table.concat(lines)
redis.call('HSET', KEYS[1], 'requests', field)
return field
""")


class EarlierSubmission(Struct, frozen=True):
    """What a request submitted before: the version, and whether the document was deleted since."""

    version: int
    is_deleted: bool


class SubmissionRequests:
    """The last ``requests_max`` requests of each document. ``key`` is ``tenant/kb/document``; raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str, requests_max: int) -> None:
        self._redis, self._prefix, self._requests_max = redis, prefix, requests_max

    async def record_many(self, requests: Sequence[tuple[str, Sequence[SubmissionRequest]]]) -> list[tuple[SubmissionRequest, ...]]:
        """Add requests to several documents in one round trip; all that are kept of each of them then, the newest last."""
        calls = [
            ((visibility_key(self._prefix, key),), (self._requests_max, *(part for each in some for part in (each.id, each.version))))
            for key, some in requests
        ]
        return [_parse(field) for field in await _RECORD.run_many(self._redis, calls)]

    async def find(self, key: str, request_id: str) -> EarlierSubmission | None:
        """What this request submitted; None when it is not one of the last."""
        field, deleted = await self._redis.execute_command("HMGET", visibility_key(self._prefix, key), "requests", "deleted")
        version = next((each.version for each in _parse(field) if each.id == request_id), None)
        if version is None:
            return None
        return EarlierSubmission(version, version <= int(deleted or NO_VERSION))


def request_of(event: DocumentSubmitted, version: int) -> SubmissionRequest | None:
    """The request with an ``Idempotency-Key`` behind a submission: only such a request derives the ids of its events."""
    if event.data.origin != "api" or not ids.is_derived(event.id):
        return None
    return SubmissionRequest(id=event.id, version=version)


def _parse(field: bytes | None) -> tuple[SubmissionRequest, ...]:
    pairs = (line.split(" ", 1) for line in (field or b"").decode(errors="replace").splitlines())
    return tuple(SubmissionRequest(id=id_, version=int(version)) for version, id_ in pairs)
