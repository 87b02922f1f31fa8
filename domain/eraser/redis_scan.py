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
    if not unread:
        return
    batch = redis.pipeline()
    for key, _ in unread:
        batch.execute_command("TYPE", key)
    for (key, parsed), kind in zip(unread, await batch.execute(), strict=True):
        await _look_inside(redis, needles, scan, key, parsed, (kind.decode() if isinstance(kind, bytes) else str(kind)), remove=remove)


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
    redis: RedisClient, needles: Needles, scan: RedisScan, key: str, parsed: RedisKey, kind: str, *, remove: bool
) -> None:
    place = parsed.place
    async for member, value in _members(redis, key, kind):
        mention = needles.find(member, value if place is None else place.read(value))
        if not _counts(mention, parsed, remove=remove) and not _is_ended_claim(parsed, value, needles):
            continue
        if place is None or place.unit == "key" or kind == "string" or place.means != "removed" or parsed.is_kept:
            await _settle(redis, scan, key, parsed, remove=remove)
            return
        if remove:
            await redis.execute_command({"hash": "HDEL", "zset": "ZREM", "set": "SREM"}[kind], key, member)
            scan.removed += 1
        else:
            scan.add_leftover(parsed.family, f"{key}: {member.decode(errors='replace')}")


def _is_ended_claim(key: RedisKey, value: bytes, needles: Needles) -> bool:
    """Whether the key is named by the address and nothing but a tombstone: one that was claimed anew has a row."""
    return needles.address_hash in key.parts and key.family == "record" and value.endswith(b"  ")


def _counts(mention: NeedleMatch, key: RedisKey, *, remove: bool) -> bool:
    """Rows of others may name an account by its id where their topic keeps that. Nothing is removed for a text alone: only an id says
    whose it is, and an address may have got another owner a moment ago.
    """
    return (mention.text and not remove) or (mention.ids and not key.is_shared)


async def _members(redis: RedisClient, key: str, kind: str) -> AsyncIterator[tuple[bytes, bytes]]:
    """Name and value of each part of a key: of a string one without a name."""
    if kind == "string":
        yield b"", await redis.execute_command("GET", key) or b""
    elif kind == "hash":
        pairs = await redis.execute_command("HGETALL", key)
        for name, value in pairs.items() if isinstance(pairs, dict) else zip(pairs[::2], pairs[1::2], strict=True):
            yield name, value
    elif kind == "zset":
        for member in await redis.execute_command("ZRANGE", key, 0, -1):
            yield member, b""
    elif kind == "set":
        for member in await redis.execute_command("SRANDMEMBER", key, 1_000_000):  # SMEMBERS is no command of the product
            yield member, b""
