"""The searches and documents that a tenant used lately, read from the log: what a warm-up of the cache computes in advance."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from domain.documents.topics import DOCUMENTS_PROGRESSED
from domain.retrieval.topics import REQUESTS_ASKED
from schemas.documents import DocumentProgressed
from schemas.events import Event
from schemas.requests import RequestAsked, Search
from schemas.settings import KafkaSettings
from streams.log.reader import open_log_reader
from streams.topics import Topic, decoder

RECORDS_MAX = 5_000  # of one partition, the newest ones

T = TypeVar("T")


async def searches(kafka: KafkaSettings, tenant: str, since_ms: int, most: int) -> list[Search]:
    """Distinct searches of the tenant since that Unix time, the most frequent first; raises Unavailable("kafka_unavailable")."""

    def asked(event: RequestAsked) -> Search | None:
        return event.data.ask if event.tenant == tenant and isinstance(event.data.ask, Search) else None

    return await _count_uses(kafka, REQUESTS_ASKED, since_ms, asked, most)


async def documents(kafka: KafkaSettings, tenant: str, since_ms: int, most: int) -> list[tuple[str, str]]:
    """Knowledge base and id of documents that became visible since then, the most frequent first; raises as ``searches``."""

    def shown(event: DocumentProgressed) -> tuple[str, str] | None:
        progress = event.data
        return (progress.knowledge_base_id, progress.document_id) if event.tenant == tenant and progress.state == "indexed" else None

    return await _count_uses(kafka, DOCUMENTS_PROGRESSED, since_ms, shown, most)


async def _count_uses(kafka: KafkaSettings, topic: Topic, since_ms: int, what: Callable[[Any], T | None], most: int) -> list[T]:
    counts: dict[T, int] = {}
    decode = decoder(topic).decode
    async with open_log_reader(kafka) as reader:
        places = await reader.partitions(topic)
        bounds, begins = await reader.bounds(places), await reader.offsets_for_time(places, since_ms)
        for place in places:
            end, begin = bounds[place][1], begins[place]
            if begin is None:
                continue
            for record in await reader.read_range(place, max(begin, bounds[place][0], end - RECORDS_MAX), end):
                for used in _decode_uses(decode, record.value, what):
                    counts[used] = counts.get(used, 0) + 1
    return sorted(counts, key=lambda used: counts[used], reverse=True)[:most]


def _decode_uses(decode: Callable[[bytes], Event], value: bytes | None, what: Callable[[Any], T | None]) -> Iterator[T]:
    try:
        used = what(decode(value)) if value else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return  # it is in the dead letters
    if used is not None:
        yield used
