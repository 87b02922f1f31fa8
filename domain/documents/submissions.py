"""Submissions and withdrawals read from the log again, one at a time."""

import msgspec

from domain.documents.topics import DOCUMENTS_SUBMITTED
from schemas.documents import Submitted
from schemas.settings import KafkaSettings
from streams.log.reader import open_log_reader
from streams.topics import MIB

_decode = msgspec.json.Decoder(Submitted).decode


class SubmissionLog:
    """The log of submissions. Every read has a consumer of its own."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka

    async def read(self, partition: int, version: int) -> Submitted | None:
        """The event that made this version; None when compaction has removed it. Raises Unavailable("kafka_unavailable")."""
        async with open_log_reader(self._kafka, fetch_bytes=MIB) as log:
            record = await log.read_record(log.topic_partition(DOCUMENTS_SUBMITTED, partition), version)
        try:
            return None if record is None else _decode(record.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
