"""Whose turn it is in a conversation: the open reply, the wish to cancel it, and where on the log it lies.

All of it is short-lived and lives in Redis only: an open reply ends by itself when whoever answers dies for good.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import structlog
from msgspec import Struct
from redis.asyncio.client import PubSub

from adapters.redis.client import RedisClient, translate_errors
from adapters.redis.lease import release_lease, renew_lease, take_lease
from schemas.errors import Unavailable

CANCEL_S = 3_600  # longer than any answer may take
LOCATION_S = 30 * 86_400  # as long as the log keeps replies
WAKE_S = 5.0  # the subscription is looked after at least this often: a dead connection is noticed, a lost publication made up for
RECONNECT_S_MIN, RECONNECT_S_MAX = 0.1, 2.0

log = structlog.get_logger(__name__)


class ReplyLocation(Struct, frozen=True):
    """Where a reply is told: its partition of ``claw.chats.answered.v1`` and an offset no later than its first event."""

    conversation_id: str
    partition: int
    offset: int
    message_id: str


class ReplyLocks:
    """Open replies, cancel flags and locations. Every method raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    async def acquire(self, tenant: str, conversation: str, reply_id: str, ttl_s: float) -> str:
        """Take the turn for ``ttl_s`` seconds; the reply that has it now: ``reply_id`` itself, or the one to wait for."""
        return await take_lease(self._redis, self._lock_key(tenant, conversation), reply_id, ttl_s)

    async def release(self, tenant: str, conversation: str, reply_id: str) -> bool:
        """Give the turn back; False if this reply did not have it."""
        return await release_lease(self._redis, self._lock_key(tenant, conversation), reply_id)

    async def holder(self, tenant: str, conversation: str) -> str | None:
        """The open reply."""
        holder: bytes | None = await self._redis.execute_command("GET", self._lock_key(tenant, conversation))
        return None if holder is None else holder.decode()

    async def renew(self, tenant: str, conversation: str, reply_id: str, ttl_s: float) -> bool:
        """Keep the turn for another ``ttl_s`` seconds; False if it is no longer this reply's."""
        return await renew_lease(self._redis, self._lock_key(tenant, conversation), reply_id, ttl_s)

    async def request_cancel(self, tenant: str, reply_id: str) -> None:
        """Ask whoever answers to stop: a flag for those who have not begun, a publication for those who are at it."""
        await self._redis.execute_command("SET", cancel_key(self._prefix, tenant, reply_id), b"1", "EX", CANCEL_S)
        await self._redis.execute_command("PUBLISH", cancel_channel(self._prefix), f"{tenant}/{reply_id}")

    async def is_cancelled(self, tenant: str, reply_id: str) -> bool:
        """Somebody asked for this reply to stop."""
        return bool(await self._redis.execute_command("EXISTS", cancel_key(self._prefix, tenant, reply_id)))

    async def save_location(self, tenant: str, reply_id: str, location: ReplyLocation, life_s: int = LOCATION_S) -> None:
        """Keep for 30 days, or ``life_s``, where a reply is told."""
        await self._redis.execute_command("SET", self._location_key(tenant, reply_id), msgspec.json.encode(location), "EX", life_s)

    async def locate(self, tenant: str, reply_id: str) -> ReplyLocation | None:
        """Where a reply is told; None when this tenant has no such reply, or not any more."""
        raw: bytes | None = await self._redis.execute_command("GET", self._location_key(tenant, reply_id))
        if raw is None:
            return None
        try:
            return msgspec.json.decode(raw, type=ReplyLocation)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("location_undecodable", reply_id=reply_id, error=str(error))
            return None

    def _lock_key(self, tenant: str, conversation: str) -> str:
        return f"{self._prefix}:turn:{{{tenant}/{conversation}}}"

    def _location_key(self, tenant: str, reply_id: str) -> str:
        return f"{self._prefix}:location:{{{tenant}/{reply_id}}}"


def cancel_key(prefix: str, tenant: str, reply_id: str) -> str:
    """The flag of one reply."""
    return f"{prefix}:cancel:{{{tenant}/{reply_id}}}"


def cancel_channel(prefix: str) -> str:
    """One channel for the installation: cancels are rare, subscriptions are not free."""
    return f"{prefix}:cancels"


class CancelWatch:
    """Hears cancels for the replies this process is answering: one subscription, which reconnects by itself.

    Use ``start`` and ``stop`` around the life of the process.
    """

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._listening: dict[asyncio.Event, tuple[str, str]] = {}  # tenant, reply id
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen; Redis need not be there yet."""
        self._task = asyncio.create_task(self._listen(), name="cancel-watch")

    async def stop(self) -> None:
        """Leave the channel."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    @contextmanager
    def subscribe(self, tenant: str, reply_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when this reply is to stop; ``look`` asks whether that was said before."""
        event = asyncio.Event()
        self._listening[event] = (tenant, reply_id)
        try:
            yield event
        finally:
            del self._listening[event]

    async def check(self, event: asyncio.Event) -> None:
        """Set an event of ``listening`` whose reply was told to stop before anybody listened."""
        try:
            await self._set_flagged([event])
        except Unavailable:
            log.info("cancel_unknown", reply_id=self._listening[event][1])  # answered all the same; checked when Redis is back

    async def _listen(self) -> None:
        pause_s = RECONNECT_S_MIN
        while True:
            try:
                async with translate_errors(), self._redis.pubsub() as channel:
                    await channel.subscribe(cancel_channel(self._prefix))
                    await self._set_flagged(list(self._listening))
                    pause_s = RECONNECT_S_MIN
                    await self._read_channel(channel)
            except Unavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RECONNECT_S_MAX)

    async def _read_channel(self, channel: PubSub) -> None:
        """Set the events of what is published, until the connection breaks."""
        while True:
            message = await channel.get_message(ignore_subscribe_messages=True, timeout=WAKE_S)
            if message is None:
                await self._set_flagged(list(self._listening))
                continue
            tenant, _, reply_id = message["data"].decode(errors="replace").rpartition("/")
            for event, name in self._listening.items():  # a few hundred at most, and cancels are rare
                if name == (tenant, reply_id):
                    event.set()

    async def _set_flagged(self, events: Sequence[asyncio.Event]) -> None:
        """Look at the flags: what was published while nobody listened is not said again."""
        waiting = [event for event in events if not event.is_set()]
        if not waiting:
            return
        batch = self._redis.pipeline()
        for event in waiting:
            batch.execute_command("EXISTS", cancel_key(self._prefix, *self._listening[event]))
        for event, flagged in zip(waiting, await batch.execute(), strict=True):
            if flagged:
                event.set()
