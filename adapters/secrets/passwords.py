"""Passwords as argon2id hashes, computed in a few threads of their own.

A hash costs 64 MiB and tens of milliseconds by design: on the event loop it would stop every stream, without a bound a handful of
logins would eat the machine. argon2 releases the interpreter lock while it works.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from adapters.secrets.strength import score_password
from schemas.errors import Unavailable

T = TypeVar("T")

MEMORY_KIB = 65_536  # RFC 9106, second recommended option
PASSES = 3
WAITING_MAX = 64  # logins queued per process; at two threads and 100 ms each the last one waits about 3 s

# Compared when no account has the e-mail address: the same parameters, so the same time. No password is known to match it: a hash of
# all zero bits.
DUMMY_HASH = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${'A' * 22}${'A' * 43}"


class Passwords:
    """Hashes and checks passwords; at most ``concurrency`` at once and ``WAITING_MAX`` waiting, else Unavailable("overloaded")."""

    def __init__(self, concurrency: int) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="passwords")
        self._bound = concurrency + WAITING_MAX
        self._working = 0

    async def score(self, password: str, known: Sequence[str]) -> int:
        """How hard it is to guess, 0 to 4 (``score_password``)."""
        return await self._run(score_password, password, known)

    async def hash(self, password: str) -> str:
        """The argon2id hash to store."""
        return await self._run(self._hasher.hash, password)

    async def matches(self, password: str, stored_hash: str | None) -> bool:
        """Whether ``password`` has the stored hash; None (no account has the e-mail) takes as long and is never True."""
        matched = await self._run(self._verify, stored_hash or DUMMY_HASH, password)
        return matched and stored_hash is not None

    def close(self) -> None:
        """Let the threads end; pending calls are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., T], *arguments: str | Sequence[str]) -> T:
        if self._working >= self._bound:
            raise Unavailable("overloaded", "too many passwords are being checked")
        self._working += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._working -= 1
