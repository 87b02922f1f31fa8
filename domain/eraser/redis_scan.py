"""Reads every key of an installation in Redis and finds, or removes, what belongs to an erasure.

It reads some thousand keys at a time and pauses in between, so that neither Redis nor this process is busy with nothing else.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from adapters.redis.client import RedisClient
from domain.eraser.log_scan import LEFTOVERS_MAX, Leftover
from domain.eraser.needles import NeedleMatch, Needles
from domain.eraser.redis_places import BY_FAMILY, RedisKey, RedisPlace, parse_key
from schemas.erasures import PlaceResult

BATCH = 500  # keys of one round trip
TEXTS = 100  # values of one round trip
MEMBERS = 1_000  # of a set or hash at once
REMOVE = {b"hash": "HDEL", b"zset": "ZREM", b"set": "SREM"}
PARTS = frozenset(REMOVE)
UNKNOWN = "keys without an entry in the inventory"


@dataclass(slots=True)
class RedisScan:
    """What was found, by family."""

    leftovers: list[Leftover] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    expiring: Counter[str] = field(default_factory=Counter)
    removed: int = 0

    def results(self) -> Sequence[PlaceResult]:
        """For the certificate: every family of the inventory."""
        families = {**BY_FAMILY, **{family: RedisPlace(family=family, holds=UNKNOWN) for family in self.left if family not in BY_FAMILY}}
        return [
            PlaceResult(
                place=family,
                kind="redis",
                means=place.means,
                left=self.left[family],
                kept=self.kept[family],
                expiring=self.expiring[family],
            )
            for family, place in families.items()
        ]

    def add_leftover(self, family: str, key: str) -> None:
        """Count it, and name it unless there are too many."""
        self.left[family] += 1
        if len(self.leftovers) < LEFTOVERS_MAX:
            self.leftovers.append(Leftover(f"redis {family}", key))


async def scan_redis(redis: RedisClient, prefix: str, needles: Needles, *, remove: bool, keys_per_second: int) -> RedisScan:
    """Find what belongs to the erasure; with ``remove`` it goes. Raises Unavailable("redis_unavailable")."""
    scan, some = RedisScan(), list[str]()
    async for raw in redis.scan_iter(match=f"{prefix}:*", count=BATCH):
        some.append(raw.decode(errors="surrogateescape"))
        if len(some) >= BATCH:
            await _look_at(redis, prefix, needles, scan, some, remove=remove)
            await asyncio.sleep(len(some) / keys_per_second)
            some = []
    await _look_at(redis, prefix, needles, scan, some, remove=remove)
    return scan


async def _look_at(redis: RedisClient, prefix: str, needles: Needles, scan: RedisScan, keys: Sequence[str], *, remove: bool) -> None:
    unread = list[tuple[str, RedisKey]]()
    for key in keys:
        parsed = parse_key(key, prefix)
        if parsed.place is not None and parsed.place.means == "none":
            continue
        if _is_named(parsed, needles):
            await _settle(redis, scan, key, parsed, remove=remove)
        else:
            unread.append((key, parsed))
    if unread:
        await _read_all(redis, needles, scan, unread, remove=remove)


async def _read_all(redis: RedisClient, needles: Needles, scan: RedisScan, unread: Sequence[tuple[str, RedisKey]], *, remove: bool) -> None:
    """Look at the values of these keys."""
    parsed_of = dict(unread)
    kinds = dict(zip([key for key, _ in unread], await _ask_each(redis, "TYPE", [key for key, _ in unread]), strict=True))
    texts = [key for key, kind in kinds.items() if kind == b"string"]
    for start in range(0, len(texts), TEXTS):
        some = texts[start : start + TEXTS]
        for key, value in zip(some, await _ask_each(redis, "GET", some), strict=True):
            await _look_inside(redis, needles, scan, key, parsed_of[key], [(b"", value or b"")], "", remove=remove)
    for key, parsed in unread:
        if kinds[key] in PARTS:
            async for parts in _read_parts(redis, key, kinds[key]):
                if await _look_inside(redis, needles, scan, key, parsed, parts, REMOVE[kinds[key]], remove=remove):
                    break


async def _ask_each(redis: RedisClient, command: str, keys: Sequence[str]) -> list[bytes]:
    """The replies to a command about each key, in one round trip."""
    batch = redis.pipeline()
    for key in keys:
        batch.execute_command(command, key)
    return [reply.encode() if isinstance(reply, str) else reply for reply in await batch.execute()]


def _is_named(key: RedisKey, needles: Needles) -> bool:
    """Whether the key's name says that it belongs to the erasure; what is the tenant's alone does to each of its accounts."""
    if needles.names(key.parts):
        return True
    place = key.place
    return place is not None and (
        (place.by_tenant and needles.tenant in key.parts) or (place.by_address and needles.address_hash in key.parts)
    )


async def _settle(redis: RedisClient, scan: RedisScan, key: str, parsed: RedisKey, *, remove: bool) -> None:
    """A key that belongs to the erasure."""
    means = "removed" if parsed.place is None else parsed.place.means
    if means == "kept" or parsed.is_kept:
        scan.kept[parsed.family] += 1
    elif means == "expires":
        scan.expiring[parsed.family] += 1
    elif remove:
        await redis.execute_command("UNLINK", key)
        scan.removed += 1
    else:
        scan.add_leftover(parsed.family, key)


async def _look_inside(
    redis: RedisClient,
    needles: Needles,
    scan: RedisScan,
    key: str,
    parsed: RedisKey,
    parts: Sequence[tuple[bytes, bytes]],
    removal: str,
    *,
    remove: bool,
) -> bool:
    """Look at some parts of a key, each a name and a value; True when the whole key is dealt with. ``removal`` removes one part."""
    place = parsed.place
    for member, value in parts:
        mention = needles.find(member, value if place is None else place.read(value))
        if not _counts(mention, parsed, remove=remove) and not _is_ended_claim(parsed, value, needles):
            continue
        if not removal or place is None or place.unit == "key" or place.means != "removed" or parsed.is_kept:
            await _settle(redis, scan, key, parsed, remove=remove)
            return True
        if remove:
            await redis.execute_command(removal, key, member)
            scan.removed += 1
        else:
            scan.add_leftover(parsed.family, f"{key}: {member.decode(errors='replace')}")
    return False


def _is_ended_claim(key: RedisKey, value: bytes, needles: Needles) -> bool:
    """Whether the key is named by the address and nothing but a tombstone: one that was claimed anew has a row."""
    return needles.address_hash in key.parts and key.family == "record" and value.endswith(b"  ")


def _counts(mention: NeedleMatch, key: RedisKey, *, remove: bool) -> bool:
    """Rows of others may name an account by its id where their topic keeps that. Nothing is removed for a text alone: only an id says
    whose it is, and an address may have got another owner a moment ago.
    """
    return (mention.text and not remove) or (mention.ids and not key.is_shared)


async def _read_parts(redis: RedisClient, key: str, kind: bytes) -> AsyncIterator[Sequence[tuple[bytes, bytes]]]:
    """Names and values of a hash, or members, some at a time: a command must not block Redis. A key that changes meanwhile may be read
    in part; the next round, or the check, reads it again.
    """
    if kind == b"zset":
        first = 0
        while members := await redis.execute_command("ZRANGE", key, first, first + MEMBERS - 1):
            yield [(member, b"") for member in members]
            first += MEMBERS
        return
    cursor: int | bytes = 0
    while True:
        cursor, found = await redis.execute_command("HSCAN" if kind == b"hash" else "SSCAN", key, cursor, "COUNT", MEMBERS)
        yield list(found.items()) if isinstance(found, dict) else [(member, b"") for member in found]
        if int(cursor) == 0:
            return
