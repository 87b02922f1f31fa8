"""Visibility records made again from the log, for when Redis lost them. Nothing moves downward, so it may run beside the agents.

The log says of each document what was submitted and withdrawn, which files of replaced versions are kept, and which version readers saw
when it last spoke. The hashes of chunks in
the index and the names of files that could not be removed yet are not on it: the next change of a document embeds all of it again.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from adapters.redis.client import Argument, RedisClient, Script
from domain.documents.content_hash import content_hash_of
from domain.documents.requests import SubmissionRequests, request_of
from domain.documents.versions import describe_file
from domain.documents.visibility import NO_VERSION, NewVersion, Visibility, visibility_key
from schemas.documents import (
    CANCELLED_CODE,
    DocumentProgressed,
    DocumentRequested,
    DocumentSubmitted,
    DocumentVersionsKept,
    DocumentWithdrawn,
)
from schemas.events import Event
from schemas.indexes import IndexPlan
from schemas.settings import RetrievalSettings
from streams.log.outgoing import LogOffset

BATCH = 500  # records of one round trip
DONE = frozenset({"indexed", "unchanged"})
KEPT_ON_LOG = 1_000_000  # all of a document: one that goes is taken from the list on the log as well, so by the next submission

# KEYS record; ARGV version that readers saw, hash of its content or "", its chunks, a newer version with the same content or "". Only
# upward, and never over what is known.
_RAISE_VISIBLE = Script("""
local visible = tonumber(redis.call('HGET', KEYS[1], 'visible') or '-1')
if visible > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'visible', ARGV[1])
if ARGV[2] ~= '' and redis.call('HSETNX', KEYS[1], 'hash', ARGV[2]) == 1 then redis.call('HSET', KEYS[1], 'chunks', ARGV[3]) end
if ARGV[4] ~= '' and redis.call('HGET', KEYS[1], 'latest') == ARGV[4] then
  redis.call('HSET', KEYS[1], 'same', ARGV[4] .. ' ' .. ARGV[1])
end
return 1
""")


class _DocumentProgress(Struct):
    """The last word about a document: the newest version, its state, and what readers saw."""

    version: int = NO_VERSION
    done: bool = False
    visible: int = NO_VERSION
    chunks: int = 0
    hash: str = ""
    unchanged: bool = False
    cancelled: bool = False


class VisibilityRebuild:
    """Give it all of ``claw.documents.versions.v1`` and ``claw.documents.progressed.v1``, then all of ``claw.documents.submitted.v1``, then
    ``finish``; the requests at any time.

    Takes about 300 bytes of memory per document. Redis methods raise Unavailable("redis_unavailable").
    """

    def __init__(
        self,
        redis: RedisClient,
        prefix: str,
        plan: Callable[[str, str], IndexPlan],
        retrieval: RetrievalSettings,
        file_of: Callable[[DocumentSubmitted, int], str],
        requests: SubmissionRequests,
    ) -> None:
        self._requests = requests
        self._redis, self._prefix, self._plan, self._retrieval, self._file_of = redis, prefix, plan, retrieval, file_of
        self._visibility = Visibility(redis, prefix)
        self._documents: dict[str, _DocumentProgress] = {}

    async def add_kept(self, events: Iterable[Event]) -> None:
        """Add the kept versions first: a submission orphans the file of the one before unless that is kept."""
        await self._visibility.restore_kept([(event.subject, event.data) for event in events if isinstance(event, DocumentVersionsKept)])

    def add_progress(self, events: Iterable[Event]) -> None:
        """Add progress events, in any order."""
        for event in events:
            if not isinstance(event, DocumentProgressed) or event.data.version == NO_VERSION:
                continue
            progress = event.data
            known = self._documents.setdefault(event.subject, _DocumentProgress())
            known.visible = max(known.visible, progress.visible, progress.version if progress.state == "indexed" else NO_VERSION)
            if progress.version >= known.version:
                known.done = progress.state in DONE or (known.done and progress.version == known.version)
                known.unchanged = progress.state == "unchanged"
                known.cancelled = progress.cause is not None and progress.cause.code == CANCELLED_CODE
                known.version, known.chunks = progress.version, progress.chunks or known.chunks

    async def add_submissions(self, events: Sequence[tuple[Event, LogOffset]]) -> None:
        """Add submissions and withdrawals."""
        submissions = [(event, place.offset) for event, place in events if isinstance(event, DocumentSubmitted)]
        await self._visibility.record_submissions(
            [self._new_version(event, offset) for event, offset in submissions], versions_kept=KEPT_ON_LOG
        )
        for submission, offset in submissions:
            known = self._documents.get(submission.subject)
            if known is not None and known.done and known.version == offset:
                shelf = self._plan(submission.tenant, submission.data.knowledge_base_id).active
                known.hash = content_hash_of(submission.data, shelf, self._retrieval)
        for event, place in events:
            if isinstance(event, DocumentWithdrawn):
                await self._visibility.record_withdrawal(event.subject, place.offset, event.data.record)
        found = [
            (submission.subject, request_of(submission, offset)) for submission, offset in submissions
        ]  # dispatch may not have seen it
        await self._requests.record_many([(key, [request]) for key, request in found if request is not None])

    async def add_requests(self, events: Sequence[tuple[Event, LogOffset]]) -> None:
        """Add the requests that submitted documents, whose submissions may have been compacted away."""
        await self._requests.record_many(
            [(event.subject, event.data.requests) for event, _ in events if isinstance(event, DocumentRequested)]
        )

    async def finish(self) -> None:
        """Raise the visible versions, after everything else was added."""
        calls: list[tuple[Sequence[str], Sequence[Argument]]] = []
        for key, known in self._documents.items():
            if known.visible != NO_VERSION:
                same = known.version if known.unchanged else ""
                calls.append(((visibility_key(self._prefix, key),), (known.visible, known.hash, known.chunks, same)))
            if len(calls) == BATCH:
                await _RAISE_VISIBLE.run_many(self._redis, calls)
                calls.clear()
        await _RAISE_VISIBLE.run_many(self._redis, calls)
        for key, known in self._documents.items():
            if known.cancelled:
                await self._visibility.cancel(key, known.version)

    def _new_version(self, event: DocumentSubmitted, version: int) -> NewVersion:
        path = self._file_of(event, version)
        return NewVersion(event.subject, version, path, event.data.record, file=describe_file(event, version, path))
