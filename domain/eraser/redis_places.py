"""The inventory of Redis: of every family of keys what it has of a person, and how that goes.

A family is the part of a key behind the prefix of the installation: ``record`` of ``claw:record:{accounts:…}:…``. Counters of usage stay,
as their topic does; everything else of a person goes at once.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import Struct

from domain.areas import RECORDS
from domain.eraser.log_places import BY_TOPIC
from schemas.erasures import Means

Unit = Literal["key", "member"]
OF_TABLES = frozenset({"record", "index", "reserved", "groups", "closed", "left"})  # families whose keys name a record table

_PARTS = re.compile(r"[:/{}]+")


def _same(value: bytes) -> bytes:
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisPlace:
    """A family in the inventory.

    What goes is a whole ``key`` whose name has an id of the erasure or whose value mentions one, or of a key that many share the ``member``
    (of a set, a field of a hash). ``by_tenant``: every key of the person's tenant goes, because nothing in it says whose it is.
    ``by_address``: its keys are named by the hash of the address. ``read`` makes a stored value readable.
    """

    family: str
    holds: str
    means: Means = "removed"
    unit: Unit = "key"
    by_tenant: bool = False
    by_address: bool = False
    read: Callable[[bytes], bytes] = _same


class _StoredResponse(Struct):
    body: bytes


def _read_response(value: bytes) -> bytes:
    """A response behind an idempotency key: the digest, then JSON whose body is base64."""
    try:
        return msgspec.json.decode(value[64:], type=_StoredResponse).body
    except (msgspec.DecodeError, UnicodeDecodeError):
        return value


def _read_escaped(value: bytes) -> bytes:
    """A cache entry may hold bytes as base64."""
    found = re.findall(rb'"([A-Za-z0-9+/]{40,}={0,2})"', value)
    return b"\n".join((value, *(base64.b64decode(each + b"=" * (-len(each) % 4)) for each in found[:1_000])))


NOBODY = "Nobody."
WORK = "Ids of work under way, for minutes."

REDIS_PLACES: tuple[RedisPlace, ...] = (
    RedisPlace(family="record", holds="Rows of the record tables, as their topics."),
    RedisPlace(family="index", holds="Ids of rows, by rank.", unit="member"),
    RedisPlace(family="reserved", holds="Ids of rows about to be written.", unit="member"),
    RedisPlace(family="groups", holds="Ids of messages and documents, by group.", unit="member"),
    RedisPlace(family="closed", holds="That nothing is written any more under an id.", means="kept"),
    RedisPlace(family="left", holds="Ids of messages whose tombstones are on their way.", means="kept"),
    RedisPlace(family="record-lease", holds="Leases of writers, for seconds.", means="expires"),
    RedisPlace(family="counter", holds="Usage and statistics by account and key, in numbers.", means="kept"),
    RedisPlace(family="{tables}", holds=NOBODY, means="none"),
    RedisPlace(family="{limit}", holds="Token buckets and reservations of accounts and addresses."),
    RedisPlace(family="places", holds="Streams and requests under way.", unit="member"),
    RedisPlace(family="kept", holds="Bytes of stored responses by account."),
    RedisPlace(family="cache", holds="Answers, searches, contents of documents.", by_tenant=True, read=_read_escaped),
    RedisPlace(family="cache-tally", holds=NOBODY, means="none"),
    RedisPlace(family="cache-warmup", holds="Questions that were asked before.", by_tenant=True),
    RedisPlace(family="idempotency", holds="Responses of the last day.", read=_read_response),
    RedisPlace(family="turn", holds=WORK),
    RedisPlace(family="location", holds="Where replies lie on the log."),
    RedisPlace(family="cancel", holds=WORK, means="expires"),
    RedisPlace(family="answer_calls", holds=WORK),
    RedisPlace(family="task", holds="Tasks of the last days, with titles of documents."),
    RedisPlace(family="task-index", holds="Ids of tasks.", unit="member"),
    RedisPlace(family="task-changes", holds="Ids of tasks.", unit="member"),
    RedisPlace(family="task-sequence", holds=NOBODY, means="none"),
    RedisPlace(family="key-uses", holds="When API keys were last used.", unit="member"),
    RedisPlace(family="widget-questions", holds="Questions of the day by API key, in numbers.", means="expires"),
    RedisPlace(family="logins", holds="Hashes of the networks of logins, under a hash of the address.", by_address=True),
    RedisPlace(family="visibility", holds="Versions of documents, titles and paths of their files."),
    RedisPlace(family="storage", holds="Sizes of documents.", unit="member"),
    RedisPlace(family="express", holds="Ids of documents under way.", unit="member"),
    RedisPlace(family="bulk", holds="Ids of documents under way.", unit="member"),
    RedisPlace(family="slowed", holds="Ids of documents under way.", unit="member"),
    RedisPlace(family="open", holds="Ids of documents under way.", unit="member"),
    RedisPlace(family="rebuild", holds="Progress of rebuilds of indexes."),
    RedisPlace(family="rebuild-lease", holds=WORK, means="expires"),
    RedisPlace(family="mails", holds="Ids of mails under way.", unit="member"),
    RedisPlace(family="webhooks", holds="Ids of messages to webhooks.", unit="member"),
    RedisPlace(family="schedule-timers", holds="Ids of schedules.", unit="member"),
    RedisPlace(family="job-timers", holds="Ids of jobs.", unit="member"),
    RedisPlace(family="erasures", holds="Ids of erasures.", means="kept"),
    RedisPlace(family="configs", holds=NOBODY, means="none"),
    RedisPlace(family="gate", holds=NOBODY, means="none"),
    RedisPlace(family="lease", holds=WORK, means="expires"),
    RedisPlace(family="attempt", holds=WORK, means="expires"),
    RedisPlace(family="deaths", holds=NOBODY, means="none"),
    RedisPlace(family="workers", holds=NOBODY, means="none"),
    RedisPlace(family="reconciler", holds=NOBODY, means="none"),
    RedisPlace(family="second-vectors", holds=NOBODY, means="none"),
    RedisPlace(family="redriven", holds=NOBODY, means="none"),
    RedisPlace(family="unreadable", holds=NOBODY, means="none"),
)

BY_FAMILY: Mapping[str, RedisPlace] = {place.family: place for place in REDIS_PLACES}
_KEPT_TABLES = frozenset(record.table for record in RECORDS if BY_TOPIC[record.topic.name].means == "kept")
_SHARED_TABLES = frozenset(record.table for record in RECORDS if BY_TOPIC[record.topic.name].keeps)


@dataclass(frozen=True, slots=True)
class RedisKey:
    """A key of this installation by its parts: the family, every part between separators, and of a record table its name."""

    family: str
    parts: frozenset[str]
    table: str = ""

    @property
    def place(self) -> RedisPlace | None:
        """Its entry in the inventory; None for a family that has none."""
        return BY_FAMILY.get(self.family)

    @property
    def is_kept(self) -> bool:
        """Whether it belongs to a record table that keeps ids."""
        return self.table in _KEPT_TABLES

    @property
    def is_shared(self) -> bool:
        """Whether it belongs to a record table whose rows of others may name the account by id."""
        return self.table in _SHARED_TABLES


def parse_key(key: str, prefix: str) -> RedisKey:
    """A key without the prefix of the installation."""
    rest = key.removeprefix(f"{prefix}:")
    family, _, name = rest.partition(":")
    table = name.removeprefix("{").partition(":")[0] if family in OF_TABLES else ""
    return RedisKey(family, frozenset(filter(None, _PARTS.split(rest))), table)
