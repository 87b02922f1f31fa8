"""Names of the cache's keys. All keys of one tenant and scenario share a ``{hash tag}``: scripts and MGET work on a cluster.

That is also the ceiling: one tenant's entries of one scenario lie on one shard.
"""

import hashlib
from collections.abc import Sequence

KEY_CHARS_MAX = 200  # a longer one is cut and hashed: the size of an index member and of an administrator's list is bounded
SCENARIO_MARK = ""  # the tag that every entry of a scenario has


class Names:
    """The keys of one tenant and scenario."""

    __slots__ = ("_root",)

    def __init__(self, prefix: str, tenant: str, scenario: str) -> None:
        self._root = f"{prefix}:cache:{{{tenant}/{scenario}}}"

    @property
    def index(self) -> str:
        """A sorted set, all of one score, of every key that has an entry or a lease: pages and prefixes are ranges of it."""
        return f"{self._root}:index"

    def entry(self, key: str) -> str:
        return f"{self._root}:e:{key}"

    def lease(self, key: str) -> str:
        return f"{self._root}:l:{key}"

    def marks(self, tags: Sequence[str]) -> list[str]:
        """The scenario's own mark, then one per tag."""
        return [f"{self._root}:m:{tag}" for tag in (SCENARIO_MARK, *tags)]

    def parts(self) -> tuple[str, str, str]:
        """The parts before the tenant, between it and an entry's key, and between it and a tag; the tenant must occur here only once."""
        (before, entry), mark = self.entry("").split("\0"), self.marks(())[0].split("\0")[1]
        return before, entry, mark


def shorten_key(key: str) -> str:
    """``key`` itself, or its beginning and the SHA-256 of all of it."""
    if len(key) <= KEY_CHARS_MAX:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: KEY_CHARS_MAX - len(digest) - 1]}~{digest}"


def knowledge_tag(knowledge_base: str) -> str:
    """The tag of what was made from a knowledge base."""
    return f"kb/{knowledge_base}"
