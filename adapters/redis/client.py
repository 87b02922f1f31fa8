"""Redis behind one client that fails fast: every command and pipeline has one deadline, driver errors become Unavailable, and during an
outage only one call per second is let through until one succeeds, so that it costs a request nothing but the answer "no".

Admission rule for scripts: Redis >= 6.2 (no Functions), every key in ``keys``, and all keys of one script under one ``{hash tag}``.
"""

import asyncio
import hashlib
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as _Redis
from redis.asyncio.client import Pipeline as _Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.client import NEVER_DECODE
from redis.exceptions import (
    ClusterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from adapters.redis.multiplexer import Multiplexer
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import RedisSettings

PAUSE_S = 1.0  # while Redis is down: calls fail at once for so long before one is let through as a probe
HEALTH_CHECK_S = 30  # a connection idle this long is asked PING before it is used: firewalls drop silent ones

# Answers of a server that is there but cannot serve now: as the driver's classes, and as text where it has no class or where Redis 6.2
# wraps the answer in a sentence about the script.
_OUTAGES = (
    RedisConnectionError,
    RedisTimeoutError,
    OSError,  # TimeoutError is one
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ClusterDownError,
    TryAgainError,
)
_PASSING = re.compile(r"(?:^|[ -])(?:READONLY|OOM|MISCONF|NOREPLICAS|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|LOADING|BUSY)\b")

Argument = str | bytes | int | float
NO_OPTIONS: Mapping[str, Any] = {}

log = structlog.get_logger(__name__)


class RedisBreaker:
    """Circuit breaker for Redis. ``clock_s`` is monotonic.

    The first failure may be of this process (a stalled event loop times everything out), so the next call is a probe at once; only
    when such a probe fails too is there a pause before the next one. ``held``: the error code that every call gets meanwhile, although
    Redis answers, because what it says must not be believed; "" for none.
    """

    def __init__(self, pause_s: float = PAUSE_S, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._pause_s = pause_s
        self._clock_s = clock_s
        self._probe_at_s: float | None = None  # None: up
        self._failed_at_s = float("-inf")
        self._held = ""

    @property
    def is_up(self) -> bool:
        """False from the first failure until a call succeeds, and while calls are held back."""
        return self._probe_at_s is None and not self._held

    @property
    def held(self) -> str:
        """See the class."""
        return self._held

    @held.setter
    def held(self, code: str) -> None:
        if self._held and not code:
            self._failed_at_s = self._clock_s()
        self._held = code

    def admit(self) -> bool:
        """True for a call that is the probe, False for one of many while Redis is up; all others raise Unavailable("redis_unavailable"),
        or with the code of ``held``.
        """
        if self._held:
            raise Unavailable(self._held, retry_after_s=self._pause_s)
        if self._probe_at_s is None:
            return False
        now_s = self._clock_s()
        if now_s < self._probe_at_s:
            raise Unavailable("redis_unavailable", retry_after_s=self._probe_at_s - now_s)
        self._probe_at_s = now_s + self._pause_s
        return True

    def record_success(self) -> None:
        """Redis answered."""
        if self._probe_at_s is not None:
            self._probe_at_s = None
            log.info("redis_recovered")

    def record_failure(self, error: BaseException, *, probe: bool) -> None:
        """Redis did not answer, or answered that it cannot serve. ``probe``: the result of ``admit`` for this call."""
        if self._probe_at_s is None:
            log.warning("redis_lost", error=f"{type(error).__name__}: {error}")
            self._probe_at_s = self._clock_s()
        elif probe:
            self._probe_at_s = self._clock_s() + self._pause_s
        self._failed_at_s = self._clock_s()

    def failed_within(self, seconds: float) -> bool:
        """Whether Redis did not answer this process, or was not to be believed, at some time of these last seconds."""
        return bool(self._held) or self._clock_s() - self._failed_at_s <= seconds


def _is_outage(error: BaseException) -> bool:
    """Whether an error is an outage, as opposed to a wrong command."""
    if isinstance(error, _OUTAGES):
        return True
    return isinstance(error, ResponseError) and _PASSING.search(str(error)) is not None


@asynccontextmanager
async def translate_errors(breaker: RedisBreaker | None = None) -> AsyncIterator[None]:
    """Around anything that talks to Redis: an outage becomes Unavailable("redis_unavailable"); other errors are bugs and pass as they are.

    What a ``Client`` runs is translated already; pub/sub connections are not.
    """
    probe = breaker.admit() if breaker is not None else False
    try:
        yield
    except (RedisError, OSError) as error:
        if not _is_outage(error):
            if breaker is not None:
                breaker.record_success()  # an error reply is an answer
            raise
        if breaker is not None:
            breaker.record_failure(error, probe=probe)
        raise Unavailable("redis_unavailable") from error
    if breaker is not None:
        breaker.record_success()


class Script:
    """A Lua script. Calling it runs EVALSHA and, on a server that does not know it yet, EVAL."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, client: "RedisClient", keys: Sequence[str], arguments: Sequence[Argument] = ()) -> Any:
        """The script's reply; raises Unavailable("redis_unavailable")."""
        try:
            return await client.execute_command("EVALSHA", self.sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await client.execute_command("EVAL", self.source, len(keys), *keys, *arguments)

    async def run_many(self, client: "RedisClient", calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        """The replies to several calls in one round trip; raises Unavailable("redis_unavailable"), or the first error reply."""
        commands = [(("EVALSHA", self.sha, len(keys), *keys, *arguments), NO_OPTIONS) for keys, arguments in calls]
        replies = await client.execute_commands(commands) if commands else []
        if any(isinstance(reply, NoScriptError) for reply in replies):
            return [await self(client, keys, arguments) for keys, arguments in calls]
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies


class RedisClient(_Redis):
    """redis.asyncio.Redis whose commands and pipelines raise Unavailable("redis_unavailable") within ``timeout_s``; replies are bytes.

    One per process and event loop; its commands share one connection, so none may block the server. Wrong commands still raise redis'
    ResponseError.
    """

    def __init__(self, pool: BlockingConnectionPool, *, timeout_s: float, breaker: RedisBreaker | None = None) -> None:
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self.breaker = breaker or RedisBreaker()
        self.timeout_s = timeout_s
        self.absence_check: Callable[[], Awaitable[None]] | None = None
        self._multiplexer = Multiplexer(pool, timeout_s)

    @property
    def is_up(self) -> bool:
        """False from the first failure until a call succeeds."""
        return self.breaker.is_up

    async def confirm_absence(self) -> None:
        """Call this before something counts as absent because Redis does not have it: raises Unavailable("tables_lost") when Redis has lost
        its data. Without an ``absence_check`` Redis is believed.
        """
        if self.absence_check is not None:
            await self.absence_check()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        (reply,) = await self.execute_commands(((args, options),))
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def execute_commands(self, commands: Sequence[tuple[Sequence[Any], Mapping[str, Any]]]) -> list[Any]:
        """Replies in order, of commands with the driver's options; an error reply is an exception in its place."""
        probe = self.breaker.admit()
        try:
            replies = await self._multiplexer.call([args for args, _ in commands])
            for reply in replies:
                if isinstance(reply, Exception) and _is_outage(reply):
                    raise reply
        except (RedisError, OSError) as error:
            self.breaker.record_failure(error, probe=probe)
            raise Unavailable("redis_unavailable") from error
        self.breaker.record_success()
        return [self._convert_reply(*command, reply) for command, reply in zip(commands, replies, strict=True)]

    def _convert_reply(self, args: Sequence[Any], options: Mapping[str, Any], reply: Any) -> Any:
        """The reply as the driver's methods return it."""
        shape = self.response_callbacks.get(args[0])
        if shape is None or isinstance(reply, Exception):
            return reply
        return shape(reply, **{name: value for name, value in options.items() if name not in ("keys", NEVER_DECODE)})

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001
        """Close every connection."""
        await self._multiplexer.close()
        await super().aclose(close_connection_pool)

    def pipeline(self, transaction: bool = False, shard_hint: str | None = None) -> "RedisPipeline":  # noqa: FBT001, FBT002
        """Commands in one round trip; a transaction only on request."""
        return RedisPipeline(self, transaction=transaction, shard_hint=shard_hint)


class RedisPipeline(_Pipeline):
    """A pipeline under its client's deadline and breaker."""

    def __init__(self, client: RedisClient, *, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._client = client

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002
        """All replies in order; raises Unavailable("redis_unavailable")."""
        if self.is_transaction:
            async with translate_errors(self._client.breaker), asyncio.timeout(self._client.timeout_s):
                return await super().execute(raise_on_error)
        commands, self.command_stack = self.command_stack, []
        replies = await self._client.execute_commands(commands)
        if raise_on_error:
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return replies


def connect(settings: RedisSettings) -> RedisClient:
    """A client that connects on first use; close it with ``aclose()``. Raises ConfigurationError for an unusable URL."""
    options: dict[str, Any] = {
        "max_connections": settings.max_connections,
        "timeout": settings.timeout_s,
        "socket_timeout": settings.timeout_s,
        "socket_connect_timeout": settings.timeout_s,
        "health_check_interval": HEALTH_CHECK_S,
        "retry": Retry(NoBackoff(), 0),  # callers that may wait retry an Unavailable themselves; the others fail at once
        "protocol": 2,  # nothing here needs RESP3, and 6.2 servers have no maintenance notifications
        "client_name": "claw",
        "driver_info": None,  # CLIENT SETINFO costs every connection two commands, and the servers before 7.2 do not know it
    }
    if settings.username:
        options["username"] = settings.username
    if settings.password:
        options["password"] = settings.password.reveal()
    if settings.ssl_ca_file:
        if not settings.location.startswith("rediss://"):
            raise ConfigurationError("CLAW_REDIS_SSL_CA_FILE needs a rediss:// URL in CLAW_REDIS_URL")
        try:
            ssl.create_default_context(cafile=settings.ssl_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"CLAW_REDIS_SSL_CA_FILE: {settings.ssl_ca_file!r} is not a readable PEM file: {error}") from error
        options["ssl_ca_certs"] = settings.ssl_ca_file
    try:
        pool = BlockingConnectionPool.from_url(settings.location, **options)
    except ValueError as error:
        raise ConfigurationError(f"CLAW_REDIS_URL: {error}") from error
    return RedisClient(pool, timeout_s=settings.timeout_s)
