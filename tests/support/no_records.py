"""An inbox whose documents are new: no newer records, no record keys."""

from collections.abc import AsyncIterator, Mapping, Sequence

from schemas.documents import DocumentSubmitted, InboxRecord
from streams.log.outgoing import Publisher


class NoRecords:
    async def newest_records(self, keys: Sequence[str]) -> Mapping[str, InboxRecord]:
        """None of them is known."""
        return {}


class NoKeys:
    async def remember(self, submissions: Sequence[DocumentSubmitted], agent: str, publisher: Publisher) -> None:
        """Forget them."""

    async def documents_under(self, tenant: str, knowledge_base_id: str, key: bytes | None) -> AsyncIterator[Sequence[str]]:
        """None."""
        for some in list[Sequence[str]]():
            yield some
