"""Reads the dead letters: newest first in pages, one by its id, or all that match in the order they were written.

The id of a dead letter is its log offset, ``partition-offset``. Every call has a consumer of its own for as long as it lasts, and reads a
bounded number of records.
"""

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from adapters.kafka import StoredRecord
from schemas.errors import Refused, Unavailable
from schemas.settings import KafkaSettings
from streams.dead_letters.writer import LEFT_OUT
from streams.log.backward import BackwardReader
from streams.log.reader import open_log_reader
from streams.tables.cursor import decode_offsets, encode_offsets
from streams.topics import DEAD_LETTERS

WINDOW = 16  # records of one partition read at once, going back in time; of at most 2 MiB each
SCANNED_MAX = 2_000  # records read for one page; a page may end early, its cursor continues
ORIGINAL = "original-"

FindTenant = Callable[
    [str, bytes | None], str | None
]  # the tenant of a record by its topic (without prefix) and key; None: neither determines it

T = TypeVar("T")

_ID = re.compile(r"(\d{1,4})-(\d{1,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A dead letter. ``topic`` has no prefix; ``headers`` are the original's; ``tenant`` is "" when it cannot be determined.
    ``left_out_bytes``: of a value that was too large for a dead letter, and is not in it.
    """

    partition: int
    offset: int
    at: datetime
    tenant: str
    topic: str
    original_partition: int
    original_offset: int
    original_at_ms: int
    agent: str
    code: str
    detail: str
    attempts: int
    key: bytes | None
    value: bytes | None
    value_bytes: int
    headers: dict[str, bytes]
    left_out_bytes: int = 0

    @property
    def id(self) -> str:
        """The id, ``partition-offset`` on the topic of dead letters."""
        return f"{self.partition}-{self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterFilter:
    """A filter of dead letters; None matches all. ``topic`` is a name with or without its ending ``.v1``."""

    tenant: str | None = None
    topic: str | None = None
    code: str | None = None
    agent: str | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Whether the filter matches this dead letter."""
        named = self.topic is None or self.topic in (letter.topic, letter.topic.removesuffix(".v1"))
        return (
            named
            and (self.tenant is None or (letter.tenant != "" and self.tenant == letter.tenant))
            and (self.code is None or self.code == letter.code)
            and (self.agent is None or self.agent == letter.agent)
        )


@dataclass(frozen=True, slots=True)
class DeadLetterPage(Generic[T]):
    """A page of dead letters, or of views of them, newest first. ``next_cursor`` is "" at the end."""

    items: Sequence[T]
    next_cursor: str


class DeadLetterReader:
    """Reader of dead letters; ``find_tenant`` determines a record's tenant. Every method raises Unavailable("kafka_unavailable")."""

    def __init__(self, kafka: KafkaSettings, find_tenant: FindTenant) -> None:
        self._kafka = kafka
        self._find_tenant = find_tenant

    async def page(self, wanted: DeadLetterFilter, *, limit: int, cursor: str = "", content: bool = False) -> DeadLetterPage[DeadLetter]:
        """At most ``limit`` dead letters before ``cursor``, newest first; fewer when too many others had to be read.

        ``content``: with their values, which may be 2 MiB each.

        Raises Refused("validation_failed") for a cursor that no page returned.
        """
        return await self.page_of(wanted, _whole if content else _without_value, limit=limit, cursor=cursor)

    async def page_of(
        self, wanted: DeadLetterFilter, view: Callable[[DeadLetter], T], *, limit: int, cursor: str = ""
    ) -> DeadLetterPage[T]:
        """The same page as what ``view`` makes of each letter, which has its value.

        Raises Refused("validation_failed") for a cursor that no page returned.
        """
        before = decode_offsets(cursor) if cursor else {}
        async with open_log_reader(self._kafka) as log:
            bounds = await log.bounds(await log.partitions(DEAD_LETTERS))
            starts = {place: (begin, min(before.get(place.partition, end), end)) for place, (begin, end) in bounds.items()}
            records, scanned = BackwardReader(log, starts, WINDOW), 0
            items: list[T] = []
            while len(items) < limit and scanned < SCANNED_MAX and (record := await records.pop()) is not None:
                scanned += 1
                if wanted.matches(letter := self._parse(record)):
                    items.append(view(letter))
        return DeadLetterPage(items, "" if records.is_at_end else encode_offsets(records.before))

    async def get(self, letter_id: str) -> DeadLetter | None:
        """The dead letter of this id; None when it is gone or never existed. Raises Refused("not_found") for text that is no id."""
        match = _ID.fullmatch(letter_id)
        if match is None:
            raise Refused("not_found", f"{letter_id[:40]} is not the id of a dead letter: partition-offset, such as 2-17")
        async with open_log_reader(self._kafka) as log:
            place = log.topic_partition(DEAD_LETTERS, int(match[1]))
            if place not in await log.partitions(DEAD_LETTERS):
                return None
            found = await log.read_record(place, int(match[2]))
        return self._parse(found) if found is not None else None

    async def find_later(self, letter: DeadLetter) -> str:
        """The id of the last dead letter after this one with the same key and topic; "" when there is none.

        Raises Unavailable("overloaded") when too many dead letters follow to read all of them.
        """
        if letter.key is None:
            return ""
        found = ""
        async with open_log_reader(self._kafka) as log:
            place = log.topic_partition(DEAD_LETTERS, letter.partition)
            begin, end = (await log.bounds([place]))[place]
            begin = max(begin, letter.offset + 1)
            if end - begin > SCANNED_MAX:
                detail = f"{end - begin} dead letters follow {letter.id}: send all of them with `claw redrive --topic {letter.topic}`"
                raise Unavailable("overloaded", detail)
            for at in range(begin, end, WINDOW):
                for record in await log.read_range(place, at, min(at + WINDOW, end)):
                    if record.key == letter.key and self._parse(record).topic == letter.topic:
                        found = f"{record.partition}-{record.offset}"
        return found

    async def scan(self, wanted: DeadLetterFilter, *, since_ms: int = 0) -> AsyncGenerator[DeadLetter, None]:
        """Every matching dead letter present now, oldest first within each partition and so within each key."""
        async with open_log_reader(self._kafka) as log:
            bounds = await log.bounds(await log.partitions(DEAD_LETTERS))
            starts = await log.offsets_for_time(tuple(bounds), since_ms) if since_ms else {}
            for place, (begin, end) in bounds.items():
                at = starts.get(place, begin)
                at = end if at is None else at
                while at < end:
                    for record in await log.read_range(place, at, min(at + WINDOW, end)):
                        letter = self._parse(record)
                        if wanted.matches(letter):
                            yield letter
                    at = min(at + WINDOW, end)

    def _parse(self, record: StoredRecord) -> DeadLetter:
        headers = {name: value or b"" for name, value in record.headers}
        origin = {name: value.decode(errors="replace") for name, value in headers.items() if not name.startswith(ORIGINAL)}
        topic = origin.get("topic", "").removeprefix(self._kafka.topic_prefix)
        return DeadLetter(
            partition=record.partition,
            offset=record.offset,
            at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
            tenant=self._tenant(topic, record.key, record.value),
            topic=topic,
            original_partition=_parse_number(origin.get("partition")),
            original_offset=_parse_number(origin.get("offset")),
            original_at_ms=_parse_number(origin.get("timestamp-ms")),
            agent=origin.get("agent", ""),
            code=origin.get("code", ""),
            detail=origin.get("detail", ""),
            attempts=_parse_number(origin.get("attempts")),
            key=record.key,
            value=record.value,
            value_bytes=len(record.value or b""),
            left_out_bytes=_parse_number(origin.get(LEFT_OUT)),
            headers={name.removeprefix(ORIGINAL): value for name, value in headers.items() if name.startswith(ORIGINAL)},
        )

    def _tenant(self, topic: str, key: bytes | None, value: bytes | None) -> str:
        """The tenant: by the topic and the key where they determine it, else by the event, which only this product writes."""
        known = self._find_tenant(topic, key)
        if known is not None:
            return known
        try:
            return msgspec.json.decode(value or b"", type=_TenantField).tenant
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""


def _whole(letter: DeadLetter) -> DeadLetter:
    return letter


def _without_value(letter: DeadLetter) -> DeadLetter:
    return replace(letter, value=None)


class _TenantField(Struct):
    tenant: str = ""


def _parse_number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
