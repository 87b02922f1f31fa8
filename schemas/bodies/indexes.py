"""The index of a knowledge base: its builds, and its rebuild."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.bodies.pages import RequestBody
from schemas.documents import Shelf
from schemas.indexes import IndexPlan, PlanState


class RebuildRequest(RequestBody, frozen=True, kw_only=True):
    """Defaults come from the settings. ``keep`` keeps the old index after the switch; ``force`` switches although documents are missing."""

    chunk_tokens: Annotated[int, Meta(ge=32, le=2048)] | None = None
    chunk_tokens_max: Annotated[int, Meta(ge=64, le=4096)] | None = None
    embedding: Literal["local", "wordllama", "openai", "zhipu"] | None = None
    keep: bool = False
    force: bool = False

    def collection(self) -> Shelf:
        """The collection to build; its generation is assigned later."""
        return Shelf(chunk_tokens=self.chunk_tokens or 0, chunk_tokens_max=self.chunk_tokens_max or 0, embedding=self.embedding or "")


class BuildView(Struct, frozen=True, kw_only=True):
    """One build of an index. ``points`` counts its chunks, those of versions in progress included; null while the index does not answer.
    ``unencoded_points`` counts those that still lack the second vector of `CLAW_RETRIEVAL_ENCODER`; 0 without an encoder.

    ``outdated_index`` names the index that still holds it although the settings lead to another one: a rebuild replaces it.
    """

    generation: int
    chunk_tokens: int
    chunk_tokens_max: int
    embedding: str
    points: int | None = None
    unencoded_points: int | None = None
    outdated_index: str | None = None


class MissingView(Struct, frozen=True, kw_only=True):
    """A visible document that the new build does not contain."""

    document_id: str
    version: int
    code: str


class RebuildView(Struct, frozen=True, kw_only=True):
    """The progress of a rebuild; ``missing`` lists the first 100 of ``missing_total``."""

    phase: str
    documents: int
    queued: int
    pending: int
    missing: tuple[MissingView, ...]
    missing_total: int
    updated_at: datetime


class IndexView(Struct, frozen=True, kw_only=True):
    """``active`` is the build in use; ``other`` is being built, kept or discarded, according to ``state``."""

    knowledge_base_id: str
    state: PlanState
    active: BuildView
    other: BuildView | None = None
    keep: bool = False
    force: bool = False
    rebuild: RebuildView | None = None
    changed_at: datetime | None = None
    revision: int = 0

    @classmethod
    def of(cls, plan: IndexPlan, made: tuple[BuildView, ...], rebuild: RebuildView | None) -> "IndexView":
        """``made``: the active build, then the other one if there is one."""
        return cls(
            knowledge_base_id=plan.knowledge_base_id,
            state=plan.state,
            active=made[0],
            other=made[1] if len(made) > 1 else None,
            keep=plan.keep,
            force=plan.force,
            rebuild=rebuild,
            changed_at=plan.changed_at,
            revision=plan.revision,
        )
