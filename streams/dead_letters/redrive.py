"""Redrives dead letters: original bytes, key and headers to the original partition, where that can do no harm.

A record that goes back to a topic gets a new offset there. Where the offset decides which of two records is newer, a ``RedriveGuard``
finds whether a newer one is known; then the dead letter is superseded and stays.

The redrive is recorded after sending. A process that dies in between sends the record once more, which is harmless: effects happen once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from adapters.redis.client import RedisClient
from schemas.errors import Refused
from schemas.settings import KafkaSettings
from streams.clock import Clock
from streams.dead_letters.reader import DeadLetter
from streams.dead_letters.unreadable import UNREADABLE
from streams.log.outgoing import LogOffset
from streams.topics import DEAD_LETTERS, Topic

KEPT_S = (DEAD_LETTERS.retention_ms or 0) // 1000

RedriveOutcome = Literal["redriven", "superseded", "already_redriven", "gone"]


class RawPublisher(Protocol):
    """The publisher of raw bytes; raises Unavailable and, for a record that is too large, Refused."""

    async def publish_raw(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, bytes], *, partition: int | None = None
    ) -> LogOffset: ...

    def partition_for(self, topic: Topic, key: str) -> int: ...


class RedriveGuard(Protocol):
    """The product's knowledge of the order of records. Topics are named without prefix."""

    def is_known(self, topic: str) -> bool:
        """Whether the installation has this topic."""
        ...

    def has_order(self, topic: str) -> bool:
        """Whether the offset on this topic determines which of two records of a key is newer."""
        ...

    async def find_newer(self, letter: DeadLetter) -> str:
        """The reason against a redrive of this dead letter; "" for none. Raises Unavailable when it cannot be checked."""
        ...


@dataclass(frozen=True, slots=True)
class RedriveResult:
    """The outcome for one dead letter; ``detail`` is the reason when it was not sent."""

    letter: str
    outcome: RedriveOutcome
    detail: str = ""
    place: LogOffset | None = None


class Redrive:
    """The redrive of dead letters. Methods raise Unavailable when Kafka or Redis is out of reach: nothing is sent unchecked."""

    def __init__(
        self, kafka: KafkaSettings, publisher: RawPublisher, guard: RedriveGuard, redis: RedisClient, prefix: str, clock: Clock
    ) -> None:
        self._kafka, self._publisher, self._guard = kafka, publisher, guard
        self._redis, self._prefix, self._clock = redis, prefix, clock

    async def send(
        self, letter_id: str, letter: DeadLetter | None, *, later: str = "", force: bool = False, dry: bool = False
    ) -> RedriveResult:
        """Send ``letter`` (None: it is gone) again, or return why not. ``later`` is the id of a later dead letter with its key and topic
        ("" for none, ``find_later`` of the reader): the last one is sent. ``force`` also sends one that is superseded or was sent before;
        ``dry`` sends nothing. Raises Refused("not_found") for a topic that this installation does not have.
        """
        if letter is None:
            return RedriveResult(letter_id, "gone", "retention has removed it, or it never existed")
        if not self._guard.is_known(letter.topic):
            raise Refused("not_found", f"dead letter {letter_id} is from {letter.topic[:200]!r}, which is no topic of this installation")
        if letter.code == UNREADABLE or letter.left_out_bytes:
            return RedriveResult(letter.id, "superseded", "it does not hold the record: only its sender can send it again")
        if not force:
            sent_at = (await self.redrive_times([letter.id])).get(letter.id)
            if sent_at is not None:
                return RedriveResult(letter.id, "already_redriven", f"at {sent_at.isoformat(timespec='seconds')}")
            if newer := (
                f"dead letter {later} is a newer one of the document"
                if later and self._guard.has_order(letter.topic)
                else await self._guard.find_newer(letter)
            ):
                return RedriveResult(letter.id, "superseded", newer)
        if dry:
            return RedriveResult(letter.id, "redriven", "not sent: a dry run")
        topic = self._kafka.topic_prefix + letter.topic
        place = await self._publisher.publish_raw(topic, letter.key, letter.value, letter.headers, partition=letter.original_partition)
        await self._redis.execute_command("SET", self._mark_key(letter.id), self._clock.now().isoformat(), "EX", KEPT_S)
        return RedriveResult(letter.id, "redriven", "", place)

    async def redrive_times(self, letters: Sequence[str]) -> dict[str, datetime]:
        """The times of redrive of these dead letters, by id; without those that were not sent."""
        if not letters:
            return {}
        batch = self._redis.pipeline()
        for letter in letters:
            batch.execute_command("GET", self._mark_key(letter))
        found = zip(letters, await batch.execute(), strict=True)
        return {letter: datetime.fromisoformat(at.decode()) for letter, at in found if at is not None}

    def _mark_key(self, letter: str) -> str:
        return f"{self._prefix}:redriven:{letter}"
