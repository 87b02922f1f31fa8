"""Searches, and the chunks of a document."""

from typing import Annotated

from msgspec import Meta, Struct

from schemas.bodies.conversations import KnowledgeBaseIds
from schemas.bodies.pages import RequestBody
from schemas.chats import Role, locator_of
from schemas.documents import Locator
from schemas.requests import ChunkText, Found

QueryText = Annotated[str, Meta(min_length=1, max_length=8_000, examples=["How many days of leave are there?"])]


class EarlierTurn(RequestBody, frozen=True, kw_only=True):
    """An earlier turn of a conversation."""

    role: Role
    content: Annotated[str, Meta(max_length=8_000)]


class SearchRequest(RequestBody, frozen=True, kw_only=True):
    """``bm25_min`` and ``dense_min`` (a cosine) are thresholds on a passage's own scores; 0 accepts all.

    With the ``history`` of a conversation, oldest first, a follow-up question is completed from its context.
    """

    query: QueryText
    history: Annotated[tuple[EarlierTurn, ...], Meta(max_length=40)] = ()
    limit: Annotated[int, Meta(ge=1, le=50)] = 10
    bm25_min: Annotated[float, Meta(ge=0)] = 0.0
    dense_min: Annotated[float, Meta(ge=0, le=1)] = 0.0


class SearchManyRequest(SearchRequest, frozen=True, kw_only=True):
    """A search in several knowledge bases; without any, in all that you can read (at most 64)."""

    knowledge_base_ids: KnowledgeBaseIds = ()


class PassageView(Struct, frozen=True, kw_only=True):
    """A passage. ``score`` is fused and only orders; ``bm25`` and ``dense`` (cosine) are its own, 0 where one did not find it.

    ``locator`` is ``place`` and the headings for people; a text with neither has the number of the chunk.
    """

    chunk_id: str
    knowledge_base_id: str
    document_id: str
    version: int
    ordinal: int
    title: str
    headings: tuple[str, ...]
    locator: str
    place: Locator | None
    text: str
    score: Annotated[float, Meta(examples=[1.42])]
    bm25: Annotated[float, Meta(examples=[11.3])]
    dense: Annotated[float, Meta(examples=[0.61])]

    @classmethod
    def of(cls, found: Found) -> "PassageView":
        """A passage of an agent's reply."""
        return cls(
            chunk_id=found.chunk_id,
            knowledge_base_id=found.knowledge_base_id,
            document_id=found.document_id,
            version=found.version,
            ordinal=found.ordinal,
            title=found.title,
            headings=found.headings,
            locator=locator_of(found.place, found.headings, found.ordinal),
            place=found.place,
            text=found.text,
            score=found.score,
            bm25=found.bm25,
            dense=found.dense,
        )


class SearchAnswer(Struct, frozen=True, kw_only=True):
    """Passages, best first. ``query`` is the text that was searched for, ``keywords`` are its content words."""

    query: str
    keywords: Annotated[tuple[str, ...], Meta(examples=[["days", "leave"]])]
    passages: tuple[PassageView, ...]


class ChunkView(Struct, frozen=True, kw_only=True):
    """A chunk of a document as it is searched and quoted; ``tokens`` as an estimate."""

    chunk_id: str
    ordinal: int
    headings: tuple[str, ...]
    locator: str
    place: Locator | None
    text: str
    tokens: int

    @classmethod
    def of(cls, chunk: ChunkText) -> "ChunkView":
        """A chunk of an agent's reply."""
        return cls(
            chunk_id=chunk.chunk_id,
            ordinal=chunk.ordinal,
            headings=chunk.headings,
            locator=locator_of(chunk.place, chunk.headings, chunk.ordinal),
            place=chunk.place,
            text=chunk.text,
            tokens=chunk.tokens,
        )


class ChunkPage(Struct, frozen=True, kw_only=True):
    """Chunks in order, of the version that readers see: null when there is none yet."""

    document_id: str
    knowledge_base_id: str
    version: int | None
    items: tuple[ChunkView, ...]
    next_cursor: str | None = None
