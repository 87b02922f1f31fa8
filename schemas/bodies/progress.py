"""What the progress stream of a knowledge base says."""

from typing import Annotated

from msgspec import Meta, Struct

from schemas.documents import Lane, Note, Progress, State
from schemas.errors import Problem


class ProgressView(Struct, frozen=True, kw_only=True):
    """``progress``: where a version stands. Of one document the highest version counts; a deletion says how many points were ``removed``.

    ``done`` of ``chunks`` are stored. ``estimated_wait_s``: until it is searchable, null when nobody knows or when it has ended.
    """

    document_id: str
    version: int
    state: State
    title: str
    percent: Annotated[int, Meta(ge=0, le=100)]
    chunks: int
    done: int
    removed: int
    lane: Lane
    estimated_wait_s: float | None
    problem: Problem | None
    notes: tuple[Note, ...]

    @classmethod
    def of(cls, progress: Progress, estimated_wait_s: float | None) -> "ProgressView":
        """The event, and how long it may take from here."""
        return cls(
            document_id=progress.document_id,
            version=progress.version,
            state=progress.state,
            title=progress.title,
            percent=progress.percent,
            chunks=progress.chunks,
            done=progress.done,
            removed=progress.removed,
            lane=progress.lane,
            estimated_wait_s=estimated_wait_s,
            problem=progress.cause,
            notes=progress.notes,
        )


class ProgressSnapshot(Struct, frozen=True, kw_only=True):
    """``snapshot``: how things stand. ``counts`` by state of the newest documents: of all of them when ``complete``.

    ``open``: the newest that have not ended, at most 500.
    """

    knowledge_base_id: str
    documents: int
    counts: dict[State, int]
    complete: bool
    open: tuple[ProgressView, ...]
