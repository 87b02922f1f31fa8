"""The visibility replica: the visibility records folded in memory from the progress topic, for searches while Redis is down.

It has a version once its progress is on the log, a moment after Redis; an unknown document is not shown.
"""

from collections.abc import Sequence

import msgspec
import structlog
from msgspec import Struct

from domain.documents.topics import DOCUMENTS_PROGRESSED
from domain.documents.visibility import NO_VERSION, VersionState
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.replica import TopicReplica
from streams.topics import Topic

DOCUMENTS_MAX = 500_000  # about 150 MB at 300 bytes a document; past that unknown ones stay unknown, hence hidden, until Redis is back
POLL_MS = 1_000  # how far behind it may be
FETCH_BYTES_MIN = 65_536  # until then the broker waits for more: many records at once cost least

log = structlog.get_logger(__name__)


class _ProgressData(Struct):
    version: int
    state: str
    visible: int = NO_VERSION


class _ProgressEvent(Struct):
    """The few fields of DocumentProgressed that matter here; the rest is skipped undecoded."""

    subject: str
    data: _ProgressData


class VisibilityReplica:
    """Implements ``visibility.VisibilitySource``. Start it with the process: it reads the whole (compacted) topic once, then follows."""

    def __init__(self, kafka: KafkaSettings, *, documents_max: int = DOCUMENTS_MAX, topic: Topic = DOCUMENTS_PROGRESSED) -> None:
        self._documents_max = documents_max
        self._decode = msgspec.json.Decoder(_ProgressEvent).decode
        self._states: dict[str, VersionState] = {}
        self._full = False
        self._replica = TopicReplica(kafka, topic, lambda record: self.fold(record.value), fetch_bytes_min=FETCH_BYTES_MIN, wait_ms=POLL_MS)

    def __len__(self) -> int:
        return len(self._states)

    @property
    def ready(self) -> bool:
        """Everything that was on the log at the start has been read."""
        return self._replica.ready

    async def start(self) -> None:
        """Begin to read; returns at once."""
        await self._replica.start()

    async def stop(self) -> None:
        """Stop reading; the states stay."""
        await self._replica.stop()

    async def version_states(self, keys: Sequence[str]) -> dict[str, VersionState]:
        """The version state of each document as far as the log was read; raises Unavailable("redis_unavailable") until it was read once."""
        if not self.ready:
            raise Unavailable("redis_unavailable")
        return {key: self._states.get(key, VersionState()) for key in keys}

    def fold(self, value: bytes | None) -> None:
        """Apply one record of the progress topic, in any order, any number of times."""
        if value is None:
            return  # a tombstone: the document was deleted long ago, and no older record can follow
        try:
            event = self._decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("progress_undecodable", error=str(error))
            return
        version, state = event.data.version, event.data.state
        if version == NO_VERSION:
            return  # refused at the inbox: it has no version
        known = self._states.get(event.subject)
        if known is None and len(self._states) >= self._documents_max:
            if not self._full:
                log.warning("visibility_mirror_full", documents=self._documents_max)
            self._full = True
            return
        known = known or VersionState()
        # "unchanged" is no change of what is shown: the points keep the version they were stored with
        self._states[event.subject] = VersionState(
            latest=max(known.latest, version),
            visible=max(known.visible, event.data.visible, version if state == "indexed" else NO_VERSION),
            deleted=max(known.deleted, version) if state == "deleted" else known.deleted,
        )
