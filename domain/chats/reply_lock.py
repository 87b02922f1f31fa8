"""The reply lock of a conversation: its open reply, requests to cancel it, and where its events lie on the log.

All of it is short-lived and only in Redis: a lock expires when the worker that answers dies for good.
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
WAKE_S = 5.0  # the flags are checked at least this often: covers dead connections and lost messages
RECONNECT_S_MIN, RECONNECT_S_MAX = 0.1, 2.0

log = structlog.get_logger(__name__)


class ReplyLocation(Struct, frozen=True):
    """The location of a reply's events: their partition of ``claw.chats.answered.v1`` and an offset no later than its first event."""

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
        """Take the lock for ``ttl_s`` seconds; returns its holder: ``reply_id`` itself, or the reply to wait for."""
        return await take_lease(self._redis, self._lock_key(tenant, conversation), reply_id, ttl_s)

    async def release(self, tenant: str, conversation: str, reply_id: str) -> bool:
        """Release the lock; False if this reply did not hold it."""
        return await release_lease(self._redis, self._lock_key(tenant, conversation), reply_id)

    async def holder(self, tenant: str, conversation: str) -> str | None:
        """The open reply."""
        holder: bytes | None = await self._redis.execute_command("GET", self._lock_key(tenant, conversation))
        return None if holder is None else holder.decode()

    async def renew(self, tenant: str, conversation: str, reply_id: str, ttl_s: float) -> bool:
        """Hold the lock for another ``ttl_s`` seconds; False if another reply holds it."""
        return await renew_lease(self._redis, self._lock_key(tenant, conversation), reply_id, ttl_s)

    async def request_cancel(self, tenant: str, reply_id: str) -> None:
        """Cancel a reply: a flag for a worker that has not begun it, a message for the one that is streaming it."""
        await self._redis.execute_command("SET", cancel_key(self._prefix, tenant, reply_id), b"1", "EX", CANCEL_S)
        await self._redis.execute_command("PUBLISH", cancel_channel(self._prefix), f"{tenant}/{reply_id}")

    async def is_cancelled(self, tenant: str, reply_id: str) -> bool:
        """Whether this reply was cancelled."""
        return bool(await self._redis.execute_command("EXISTS", cancel_key(self._prefix, tenant, reply_id)))

    async def save_location(self, tenant: str, reply_id: str, location: ReplyLocation, life_s: int = LOCATION_S) -> ReplyLocation:
        """Store the location of a reply's events for 30 days, or ``life_s``. One that is there stays; returns the one that is stored."""
        key = self._location_key(tenant, reply_id)
        if await self._redis.execute_command("SET", key, msgspec.json.encode(location), "EX", life_s, "NX"):
            return location
        return await self.locate(tenant, reply_id) or location

    async def locate(self, tenant: str, reply_id: str) -> ReplyLocation | None:
        """The location of a reply's events; None when this tenant has no such reply, or its location has expired."""
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
    """The key of one reply's cancel flag."""
    return f"{prefix}:cancel:{{{tenant}/{reply_id}}}"


def cancel_channel(prefix: str) -> str:
    """One channel for the installation: cancels are rare, subscriptions are not free."""
    return f"{prefix}:cancels"


class CancelWatch:
    """Receives cancels for the replies that this process is answering, over one subscription that reconnects by itself."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._listening: dict[asyncio.Event, tuple[str, str]] = {}  # tenant, reply id
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Subscribe in the background; Redis need not be reachable yet."""
        self._task = asyncio.create_task(self._listen(), name="cancel-watch")

    async def stop(self) -> None:
        """Unsubscribe."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    @contextmanager
    def subscribe(self, tenant: str, reply_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when this reply is cancelled; ``check`` finds out whether it was cancelled before."""
        event = asyncio.Event()
        self._listening[event] = (tenant, reply_id)
        try:
            yield event
        finally:
            del self._listening[event]

    async def check(self, event: asyncio.Event) -> None:
        """Set a subscribed event whose reply was cancelled before the subscription."""
        try:
            await self._set_flagged([event])
        except Unavailable:
            log.info("cancel_unknown", reply_id=self._listening[event][1])  # the answer continues; checked again when Redis is back

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
        """Set the event of every reply whose cancel is published, until the connection breaks."""
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
        """Set the events whose flag is set: Redis does not repeat a message published without a subscription."""
        waiting = [event for event in events if not event.is_set()]
        if not waiting:
            return
        batch = self._redis.pipeline()
        for event in waiting:
            batch.execute_command("EXISTS", cancel_key(self._prefix, *self._listening[event]))
        for event, flagged in zip(waiting, await batch.execute(), strict=True):
            if flagged:
                event.set()
