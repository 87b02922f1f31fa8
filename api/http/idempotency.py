"""The same ``Idempotency-Key`` and body get the same response for 24 hours; the same key with another body is refused.

A request whose response was never stored (a crash, a 503) runs again: everything it creates has ids derived from the key, so nothing is
duplicated. For the same reason a key in use is not locked.
"""

import hashlib
from collections.abc import Mapping

import msgspec
import structlog
from msgspec import Struct

from adapters.redis.client import RedisClient, Script
from schemas.errors import FieldError, Refused

STORED_S = 86_400
KEY_CHARS_MAX = 255
BODY_BYTES_MAX = 262_144  # a larger response is not stored: a repeat runs the request again
NOT_FINAL = frozenset({408, 425, 429})  # statuses, like all 5xx, that are not stored for a repeat

log = structlog.get_logger(__name__)

# KEYS entry; ARGV digest of the body, life in s. Replies the entry that was there, "" for none. An entry is the digest (64 characters),
# then the stored answer as JSON, if any.
_BEGIN = Script("""
local entry = redis.call('GET', KEYS[1])
if not entry or #entry < 64 then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
  return ''
end
return entry
""")
# KEYS entry; ARGV digest, JSON, life in s. The first answer stays.
_FINISH = Script("""
local entry = redis.call('GET', KEYS[1])
if entry and entry ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'EX', ARGV[3])
return 1
""")


class Fresh(Struct, frozen=True):
    """No response is stored: run the request, then ``finish`` it with this."""

    entry: str
    digest: str
    is_new: bool = False  # no request had this key before


class Replay(Struct, frozen=True):
    """The stored response."""

    status: int
    body: bytes
    headers: dict[str, str]


class Idempotency:
    """Stored responses per (tenant, user, route, key). Methods raise Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    async def begin(self, tenant: str, user: str, route: str, key: str, body: bytes) -> Fresh | Replay:
        """The stored response, or ``Fresh``. Raises Refused: "validation_failed" for a key that is not 1 to 255 printable ASCII characters,
        "idempotency_conflict" for another body.
        """
        check_key(key)
        digest = hashlib.sha256(body).hexdigest()
        parts = "".join(f"{len(part)}:{part}" for part in (tenant, user, route, key))
        entry = f"{self._prefix}:idempotency:{hashlib.sha256(parts.encode()).hexdigest()}"
        stored: bytes = await _BEGIN(self._redis, (entry,), (digest, STORED_S))
        if not stored:
            return Fresh(entry, digest, is_new=True)
        if stored[:64] != digest.encode():
            raise Refused("idempotency_conflict")
        if len(stored) == len(digest):
            return Fresh(entry, digest)
        try:
            return msgspec.json.decode(stored[64:], type=Replay)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("answer_undecodable", entry=entry, error=str(error))
            return Fresh(entry, digest)

    async def forget(self, fresh: Fresh) -> None:
        """The request was not accepted: its key is unused."""
        await self._redis.execute_command("DEL", fresh.entry)

    async def finish(self, fresh: Fresh, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Store the response for 24 hours, unless its status is 5xx, 408, 425 or 429, or it is larger than 256 KiB."""
        if not is_kept(status, body):
            return
        answer = msgspec.json.encode(Replay(status, body, dict(headers)))
        await _FINISH(self._redis, (fresh.entry,), (fresh.digest, answer, STORED_S))


def is_kept(status: int, body: bytes) -> bool:
    """Whether this response is stored for a repeat."""
    return status < 500 and status not in NOT_FINAL and len(body) <= BODY_BYTES_MAX  # noqa: PLR2004


def check_key(key: str) -> None:
    """Raises Refused("validation_failed") unless the key is 1 to 255 printable ASCII characters."""
    if not 1 <= len(key) <= KEY_CHARS_MAX or not key.isascii() or not key.isprintable():
        error = FieldError("Idempotency-Key", "is empty, too long or not printable ASCII", f"1 to {KEY_CHARS_MAX} printable characters")
        raise Refused("validation_failed", "The Idempotency-Key header is not valid.", errors=(error,))
