"""Request-reply over the log: requests of the API to an agent, and the answers on the API's own partition. Subject and key: request id."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from schemas.chats import Turn
from schemas.documents import Locator, Shelf, TablePart
from schemas.errors import Problem
from schemas.events import Event

EMBED_TEXTS_MAX = 16  # of one request: with the 8,192 dimensions the settings allow, their vectors stay below a record's 1 MiB


class Search(Struct, frozen=True, kw_only=True, tag="search", tag_field="kind"):
    """Passages for ``query`` in these knowledge bases, the best ``limit``.

    ``bm25_min`` and ``dense_min`` (a cosine) are thresholds on the legs' own scores; 0 takes everything. With the ``history`` of a
    conversation a follow-up is condensed by rules, and the earlier turns influence the search, as for an answer.
    """

    query: str
    knowledge_base_ids: tuple[str, ...]
    limit: Annotated[int, Meta(ge=1, le=50)]
    bm25_min: float = 0.0
    dense_min: float = 0.0
    history: tuple[Turn, ...] = ()


class ListChunks(Struct, frozen=True, kw_only=True, tag="list_chunks", tag_field="kind"):
    """Chunks of one version by ordinal, from ``first`` on, at most ``limit``."""

    knowledge_base_id: str
    document_id: str
    version: int
    first: Annotated[int, Meta(ge=0)]
    limit: Annotated[int, Meta(ge=1, le=100)]


class CountShelves(Struct, frozen=True, kw_only=True, tag="count_shelves", tag_field="kind"):
    """The numbers of points in these collections of a knowledge base."""

    knowledge_base_id: str
    shelves: tuple[Shelf, ...]


class ClearShelf(Struct, frozen=True, kw_only=True, tag="clear_shelf", tag_field="kind"):
    """Remove every point of a collection that the index plan has released; of one that is in use if its knowledge base is ``erased``."""

    knowledge_base_id: str
    shelf: Shelf
    erased: bool = False


class Embed(Struct, frozen=True, kw_only=True, tag="embed", tag_field="kind"):
    """Vectors of ``texts``, by the embedding of the settings, charged to ``user_id``."""

    texts: Annotated[tuple[str, ...], Meta(min_length=1, max_length=EMBED_TEXTS_MAX)]
    user_id: str
    api_key_id: str = ""


Ask = Search | ListChunks | CountShelves | ClearShelf | Embed


class Found(Struct, frozen=True, kw_only=True):
    """A passage. ``score`` is fused and only orders; ``bm25`` and ``dense`` (cosine) are the legs' own, 0 where one did not find it."""

    chunk_id: str
    knowledge_base_id: str
    document_id: str
    version: int
    ordinal: int
    title: str
    headings: tuple[str, ...] = ()
    place: Locator | None = None
    text: str
    score: float
    bm25: float
    dense: float


class Passages(Struct, frozen=True, kw_only=True, tag="passages", tag_field="kind"):
    """Answer to ``Search``: best first; ``keywords`` are those of the query. ``query`` is set where it differs from the requested one."""

    keywords: tuple[str, ...]
    passages: tuple[Found, ...]
    query: str = ""


class ChunkText(Struct, frozen=True, kw_only=True):
    """A chunk with its literal text; its first ``overlap`` characters also end the chunk before. ``tables``: where rows are in it."""

    chunk_id: str
    ordinal: int
    title: str
    headings: tuple[str, ...] = ()
    place: Locator | None = None
    text: str
    tokens: int
    overlap: int = 0
    tables: tuple[TablePart, ...] = ()


class Chunks(Struct, frozen=True, kw_only=True, tag="chunks", tag_field="kind"):
    """Answer to ``ListChunks``: ``more`` follow. ``visible`` is the visible version; chunks only if it is the requested one."""

    visible: int | None
    chunks: tuple[ChunkText, ...] = ()
    more: bool = False


class ShelfCounts(Struct, frozen=True, kw_only=True, tag="shelf_counts", tag_field="kind"):
    """Answer to ``CountShelves``, in the requested order, and to ``ClearShelf``: the remaining points, of hidden versions as well.

    ``unencoded``: how many of them still lack their second vector; empty in answers about none.
    """

    points: tuple[int, ...]
    removed: int = 0
    unencoded: tuple[int, ...] = ()


class Vectors(Struct, frozen=True, kw_only=True, tag="vectors", tag_field="kind"):
    """Answer to ``Embed``: float32, little-endian, ``dimensions`` per text, in the requested order. ``tokens`` of all texts, estimated."""

    model: str
    dimensions: int
    values: bytes
    tokens: int


Result = Passages | Chunks | ShelfCounts | Vectors


class Request(Struct, frozen=True, kw_only=True):
    """The requesting process follows ``reply_partition`` of ``claw.requests.answered.v1`` for the answer, until ``deadline`` (UTC)."""

    request_id: str
    reply_partition: int
    deadline: datetime
    ask: Ask


class Answer(Struct, frozen=True, kw_only=True):
    """The answer to a request: exactly one of ``result`` and ``problem``."""

    request_id: str
    result: Result | None = None
    problem: Problem | None = None


class RequestAsked(Event, tag="claw.request.asked.v1", frozen=True, kw_only=True):
    """A request of the API or of a rebuild to an agent. Subject and key: the request's id."""

    data: Request


class RequestAnswered(Event, tag="claw.request.answered.v1", frozen=True, kw_only=True):
    """The answer of an agent. Subject and key: the request's id."""

    data: Answer
