"""Fetch sessions (KIP-227): a fetch names the partitions that changed since the last one, and the answer only those that have news.

aiokafka names every partition in every fetch and gets an answer for each, in Python: of a worker that reads 64 partitions that was a fifth
of its CPU, and the broker's part comes on top. Here the broker remembers what a consumer reads; the fetcher notices nothing of it.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import FetchSessionIdNotFound, InvalidFetchSessionEpoch, for_code
from aiokafka.protocol.fetch import FetchRequest

VERSION_MIN = 7  # of FetchRequest; an earlier broker is told everything each time
NO_SESSION = 0
FIRST_EPOCH = 0  # of a fetch that names everything; with the id of a session it replaces that one
EPOCH_MAX = 2**31 - 1

LOST = (FetchSessionIdNotFound.errno, InvalidFetchSessionEpoch.errno)  # it was evicted, or the broker was restarted

Positions = dict[TopicPartition, tuple[int, int]]  # the offset that is wanted next, and the most bytes of it


class SessionFetch(FetchRequest):  # type: ignore[misc]  # aiokafka has no types
    """The fetch ``whole``, of which the broker is told ``changed`` and ``forgotten`` alone where it knows sessions."""

    def __init__(self, whole: FetchRequest, session: int, epoch: int, changed: Positions, forgotten: Iterable[TopicPartition]) -> None:
        self.__dict__.update(whole.__dict__)
        self._session, self._epoch, self._changed, self._forgotten = session, epoch, changed, forgotten

    def build(self, request_struct_class: Any) -> Any:
        """As aiokafka's, in the version that was agreed on with the broker."""
        if request_struct_class.API_VERSION < VERSION_MIN:
            return super().build(request_struct_class)
        topics: dict[str, list[tuple[int, int, int]]] = {}
        for (topic, partition), (offset, bytes_max) in self._changed.items():
            topics.setdefault(topic, []).append((partition, offset, bytes_max))
        forgotten: dict[str, list[int]] = {}
        for topic, partition in self._forgotten:
            forgotten.setdefault(topic, []).append(partition)
        self._topics = list(topics.items())
        built = super().build(request_struct_class)
        built.session_id, built.session_epoch, built.forgotten_topics_data = self._session, self._epoch, list(forgotten.items())
        return built


class FetchSession:
    """The session of one consumer with one broker. Its fetches go one after another, as a fetcher's do."""

    def __init__(self) -> None:
        self._id, self._epoch = NO_SESSION, FIRST_EPOCH
        self._known: Positions = {}  # what the broker knows to be wanted

    async def send(self, send: Callable[[SessionFetch], Awaitable[Any]], whole: FetchRequest, wanted: Positions) -> Any:
        """The answer to ``whole``, which asks for ``wanted``; raises aiokafka's KafkaError."""
        begins = self._epoch == FIRST_EPOCH
        response = await self._send(send, whole, wanted)
        if response.API_VERSION >= VERSION_MIN and response.error_code in LOST and not begins:
            self._id = NO_SESSION
            response = await self._send(send, whole, wanted)
        if response.API_VERSION >= VERSION_MIN and response.error_code:
            raise for_code(response.error_code)
        return response

    async def _send(self, send: Callable[[SessionFetch], Awaitable[Any]], whole: FetchRequest, wanted: Positions) -> Any:
        """Until the answer is there the broker may know of this fetch or not: the one after an answer that never came names everything."""
        epoch, self._epoch = self._epoch, FIRST_EPOCH
        known: Positions = {} if epoch == FIRST_EPOCH else self._known
        changed = {place: at for place, at in wanted.items() if known.get(place) != at}
        response = await send(SessionFetch(whole, self._id, epoch, changed, known.keys() - wanted.keys()))
        if response.API_VERSION >= VERSION_MIN and not response.error_code:
            self._id, self._known = response.session_id, wanted
            if self._id != NO_SESSION:  # else the broker has room for no more
                self._epoch = epoch % EPOCH_MAX + 1
        return response
