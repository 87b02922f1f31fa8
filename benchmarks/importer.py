"""``python -m benchmarks.importer HOME SEED COUNT``: publishes documents to the inbox, as an upstream system would: ``SEED-0``, ..."""

import asyncio
import random
import sys
from pathlib import Path

from aiokafka import AIOKafkaProducer

from adapters.kafka import connection_options
from benchmarks.documents import inbox_event, make_documents
from ops.stack.embedded import locate


def document_name(seed: int, number: int) -> str:
    """Id of a document."""
    return f"{seed}-{number}"


async def run(home: Path, seed: int, count: int) -> None:
    """Returns when all of them are on the log."""
    texts = [text for _, text in make_documents(random.Random(seed), count)]
    producer = AIOKafkaProducer(**connection_options(locate(home).kafka), acks="all")
    await producer.start()
    print("sending", flush=True)
    try:
        names = [document_name(seed, number) for number in range(count)]
        sent = [
            await producer.send("claw.inbox.default.v1", inbox_event(name, text), name.encode())
            for name, text in zip(names, texts, strict=True)
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
