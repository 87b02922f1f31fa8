"""Padding records: what a restore writes at offsets that had no record, so that every other record has its offset again.

A padding record has neither key nor value, and one header. Compaction removes it as it removes every record without a key.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

PADDING_HEADER = "claw-padding"
PADDING: tuple[tuple[str, bytes], ...] = ((PADDING_HEADER, b""),)


class PaddingLike(Protocol):
    """The part of a record that tells padding."""

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


def is_padding(record: PaddingLike) -> bool:
    """Whether nobody wrote this record but a restore."""
    return record.value is None and record.key is None and tuple(record.headers) == PADDING


def hide_padding(fetcher: Any) -> None:
    """Let the consumer of this fetcher of aiokafka never see padding; its position passes it."""
    fetched_records, next_record = fetcher.fetched_records, fetcher.next_record

    async def fetch_without_padding(*arguments: Any, **options: Any) -> Any:
        while True:
            fetched = await fetched_records(*arguments, **options)
            shown = {}
            for place, records in fetched.items():
                if kept := [record for record in records if record.value is not None or not is_padding(record)]:
                    shown[place] = kept
            if shown or not fetched:
                return shown
            await asyncio.sleep(0)  # nothing but padding: what was fetched before is handed out without a pause

    async def next_without_padding(*arguments: Any, **options: Any) -> Any:
        while is_padding(record := await next_record(*arguments, **options)):  # noqa: ASYNC110 - only other tasks get their turn
            await asyncio.sleep(0)
        return record

    fetcher.fetched_records, fetcher.next_record = fetch_without_padding, next_without_padding
