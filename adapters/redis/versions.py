"""Which versions of Redis have its security fixes: the one place that says it.

The flaws are those of the script engine, which whoever may run a script can use to run code in the server: CVE-2024-46981,
CVE-2025-46817, CVE-2025-46818 and CVE-2025-49844. Sources: the release notes of Redis (announced together in docker-library/official-images
pull request 20011) and of Valkey 7.2.11, 8.0.6 and 8.1.4, all of October 2025. Distributions repair older versions without another number.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.redis.client import RedisClient

# The first repaired patch of each branch. Of the branches that are not here, those before the last one were never repaired.
FIXED = {
    "redis": {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2},
    "valkey": {(7, 2): 11, (8, 0): 6, (8, 1): 4},
}
FLAW = "CVE-2025-49844"
_NUMBERS = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")
_PRINTED = re.compile(r"(Redis|Valkey)\b[^\n]{0,40}?\bv=(\d{1,4}(?:\.\d{1,4}){1,2})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """A product and its version, such as ``redis`` 6.2.14."""

    product: str
    version: str

    def __str__(self) -> str:
        return f"{self.product.capitalize()} {self.version}"

    @property
    def is_repaired(self) -> bool:
        """Whether it has the security fixes. Nothing is known against an unknown product or version: it counts as repaired."""
        fixed, numbers = FIXED.get(self.product), _NUMBERS.match(self.version)
        if fixed is None or numbers is None:
            return True
        branch, patch = (int(numbers[1]), int(numbers[2])), int(numbers[3] or 0)
        return patch >= fixed[branch] if branch in fixed else branch > max(fixed)

    @property
    def repairs(self) -> str:
        """The repaired versions, for people."""
        return ", ".join(f"{major}.{minor}.{patch}" for (major, minor), patch in FIXED.get(self.product, {}).items())

    @property
    def warning(self) -> str:
        """One sentence on what is wrong and one on what to do; empty when it is repaired."""
        if self.is_repaired:
            return ""
        return (
            f"{self} has known flaws in its script engine ({FLAW} and others): whoever has its password can run programs as its user. "
            f"Install one of {self.repairs} or later (as `redis-server` in the PATH, or behind CLAW_REDIS_URL); a distribution's "
            f"package may have the fixes under an older number"
        )


def parse_version(printed: str) -> ServerVersion | None:
    """What ``redis-server --version`` printed; None when it is something else."""
    found = _PRINTED.search(printed)
    return ServerVersion(found[1].lower(), found[2]) if found else None


async def ask_version(redis: "RedisClient") -> ServerVersion | None:
    """The version that a server tells; None when it does not tell. Raises Unavailable when it cannot be reached."""
    from redis.exceptions import ResponseError  # noqa: PLC0415 - `claw up` uses this module before it has a client, and starts Kafka first

    try:
        told = await redis.execute_command("HELLO", "2")
    except ResponseError:
        return None
    fields = {bytes(name): value for name, value in zip(told[::2], told[1::2], strict=False)} if isinstance(told, list) else {}
    product, version = fields.get(b"server"), fields.get(b"version")
    return ServerVersion(product.decode(), version.decode()) if isinstance(product, bytes) and isinstance(version, bytes) else None
