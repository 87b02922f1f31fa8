"""A transactional producer of somebody else, and every way in which its transactions can end a partition."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from aiokafka import AIOKafkaProducer

from adapters.kafka import connection_options
from schemas.settings import KafkaSettings

Ending = Literal["committed", "aborted", "aborted whole", "open"]
ENDINGS: tuple[Ending, ...] = ("committed", "aborted", "aborted whole", "open")


@dataclass(frozen=True)
class Outsider:
    """Writes ``(key, value)`` pairs into one partition."""

    producer: AIOKafkaProducer
    topic: str
    partition: int

    async def put(self, *records: tuple[bytes, bytes]) -> None:
        """Into the transaction that is open."""
        for key, value in records:
            await self.producer.send(self.topic, value, key, partition=self.partition)
        await self.producer.flush()

    async def transaction(self, *records: tuple[bytes, bytes], commit: bool) -> None:
        await self.producer.begin_transaction()
        await self.put(*records)
        await (self.producer.commit_transaction() if commit else self.producer.abort_transaction())

    async def end(self, ending: Ending, *records: tuple[bytes, bytes]) -> None:
        """Bring the partition to this end; of these records none may be seen, unless the ending is ``committed``.

        ``aborted`` leaves an aborted batch and its marker, ``aborted whole`` several of both, ``open`` an open transaction behind them.
        """
        if ending == "committed":
            await self.transaction(*records, commit=True)
            return
        for _ in range(3 if ending == "aborted whole" else 1):
            await self.transaction(*records, commit=False)
        if ending == "open":
            await self.producer.begin_transaction()
            await self.put(*records)


@asynccontextmanager
async def outsider(kafka: KafkaSettings, topic: str, partition: int = 0) -> AsyncIterator[Outsider]:
    """``topic`` with its prefix. What is open at the end is aborted."""
    producer = AIOKafkaProducer(**connection_options(kafka), transactional_id=f"outsider-{topic}-{partition}")
    await producer.start()
    try:
        yield Outsider(producer, topic, partition)
    finally:
        if producer._txn_manager.is_in_transaction():
            await producer.abort_transaction()
        await producer.stop()


def visible(ending: Ending, before: Sequence[bytes], last: Sequence[bytes]) -> list[bytes]:
    """What a reader of the partition may see."""
    return [*before, *(last if ending == "committed" else ())]
