"""Knowledge bases and documents."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from schemas.bodies.pages import RequestBody
from schemas.documents import DocumentId, Lane, MediaType, Note, Progress, State
from schemas.errors import Problem
from schemas.records import KnowledgeBase, Sharing

KnowledgeName = Annotated[str, Meta(min_length=1, max_length=200, examples=["Handbook"])]
Description = Annotated[str, Meta(max_length=2_000)]
Metadata = Annotated[dict[Annotated[str, Meta(max_length=100)], Annotated[str, Meta(max_length=1_000)]], Meta(max_length=32)]
Text = Annotated[
    str,
    Meta(
        min_length=1,
        description="At most CLAW_LIMIT_DOCUMENT_INLINE_BYTES_MAX bytes of UTF-8.",
        examples=["# Leave\n\nEverybody has 25 days."],
    ),
]
VersionStanding = Literal["present", "replaced", "pending", "failed"]
DocumentTitle = Annotated[str, Meta(max_length=500, examples=["Leave rules"])]


class KnowledgeCreate(RequestBody, frozen=True, kw_only=True):
    """A new knowledge base; ``tenant`` sharing lets every account of the tenant read it."""

    name: KnowledgeName
    description: Description = ""
    sharing: Sharing = "private"


class KnowledgePatch(RequestBody, frozen=True, kw_only=True):
    """Fields that are left out stay as they are."""

    name: KnowledgeName | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    sharing: Sharing | UnsetType = UNSET


class KnowledgeView(Struct, frozen=True, kw_only=True):
    """A knowledge base as its readers see it. ``revision`` is also its ETag. ``documents`` counts those
    that it has, null while that is unknown.
    """

    id: str
    name: str
    description: str
    sharing: Sharing
    owner_id: str
    created_at: datetime
    updated_at: datetime
    revision: int
    documents: int | None = None

    @classmethod
    def of(cls, base: KnowledgeBase, documents: int | None) -> "KnowledgeView":
        """The record without the tenant."""
        return cls(
            id=base.id,
            name=base.name,
            description=base.description,
            sharing=base.sharing,
            owner_id=base.user_id,
            created_at=base.created_at,
            updated_at=base.updated_at,
            revision=base.revision,
            documents=documents,
        )


class DocumentReplace(RequestBody, frozen=True, kw_only=True):
    """A document's new text. ``title`` defaults to the document's id."""

    text: Text
    title: DocumentTitle = ""
    media_type: MediaType = "text/plain"
    metadata: Metadata = field(default_factory=dict)


class DocumentSubmit(DocumentReplace, frozen=True, kw_only=True):
    """A document. An existing id gets a new version; without an id it gets a random one."""

    document_id: DocumentId | None = None


class DocumentAccepted(Struct, frozen=True, kw_only=True):
    """The document is on the log; its progress is at ``Location``. ``estimated_wait_s``: until it is searchable, null when unknown."""

    document_id: str
    knowledge_base_id: str
    version: int
    state: State
    task_id: str
    estimated_wait_s: float | None = None


class DocumentView(Struct, frozen=True, kw_only=True):
    """The state of a document's newest version, and the version that readers see (null: none).

    ``unchanged``: its content is that of the visible version. ``done`` of ``chunks`` are stored; ``notes`` list what was left out.
    ``estimated_wait_s``: until it is searchable, null when unknown or when it has ended. ``problem``: the error and its remedy;
    with ``retry_at``, why the version waits until then to be tried again.
    """

    document_id: str
    knowledge_base_id: str
    version: int
    visible_version: int | None
    state: State
    title: str = ""
    media_type: str = ""
    bytes: int = 0
    chunks: int = 0
    done: int = 0
    percent: Annotated[int, Meta(ge=0, le=100)] = 0
    lane: Lane = "express"
    estimated_wait_s: float | None = None
    task_id: str = ""
    problem: Problem | None = None
    notes: tuple[Note, ...] = ()
    retry_at: datetime | None = None

    @classmethod
    def of(cls, progress: Progress, visible_version: int | None, estimated_wait_s: float | None = None) -> "DocumentView":
        """Progress and visibility as one."""
        return cls(
            document_id=progress.document_id,
            knowledge_base_id=progress.knowledge_base_id,
            version=progress.version,
            visible_version=visible_version,
            state=progress.state,
            title=progress.title,
            media_type=progress.media_type,
            bytes=progress.bytes,
            chunks=progress.chunks,
            done=progress.done,
            percent=progress.percent,
            lane=progress.lane,
            estimated_wait_s=estimated_wait_s,
            task_id=progress.task_id,
            problem=progress.cause,
            retry_at=progress.retry_at,
            notes=progress.notes,
        )


class DocumentVersionView(Struct, frozen=True, kw_only=True):
    """A version of a document. ``state``: readers see it (``present``), saw it before (``replaced``), or it is the newest and not complete
    (``pending``, ``failed``). ``has_file``: its file is stored, so its source can be shown as pages if files of its type have any.

    ``submitted_at``: null when that is no longer known.
    """

    version: int
    state: VersionStanding
    title: str = ""
    filename: str = ""
    media_type: str = ""
    bytes: int = 0
    submitted_at: datetime | None = None
    has_file: bool = False
