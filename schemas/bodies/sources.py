"""The source of a citation: the document in the version that was read, with the quote highlighted."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.documents import Locator, TablePart

SourceState = Literal["present", "changed", "deleted"]
SourceKind = Literal["pages", "text"]
NoPages = Literal["no_pages", "encrypted", "file_removed", "unreadable", "busy"]
Fraction = Annotated[float, Meta(ge=0, le=1)]


class SourceBox(Struct, frozen=True, kw_only=True):
    """A rectangle over quoted words, in fractions of the page's width and height, from the upper left corner."""

    left: Fraction
    top: Fraction
    width: Fraction
    height: Fraction


class SourcePage(Struct, frozen=True, kw_only=True):
    """A page with quoted words on it, counted from 1."""

    page: int
    boxes: tuple[SourceBox, ...]


class HighlightRange(Struct, frozen=True, kw_only=True):
    """The characters ``start`` to before ``end`` of a text."""

    start: int
    end: int


class SourcePassage(Struct, frozen=True, kw_only=True):
    """A chunk of the document, or the passage that the answer was made from. ``text`` is literal.

    Its first ``overlap`` characters also end the chunk before. ``tables``: where rows are in it, one a line, their cells separated by
    ``separator``; the ``header`` characters before ``start`` are the header's lines. ``highlights``: where the quote is.
    """

    chunk_id: str
    ordinal: int
    headings: tuple[str, ...]
    locator: str
    place: Locator | None
    text: str
    overlap: int = 0
    tables: tuple[TablePart, ...] = ()
    highlights: tuple[HighlightRange, ...] = ()


class SourceView(Struct, frozen=True, kw_only=True):
    """How the source of a citation is shown: as ``pages``, whose images are at ``…/pages/{page}``, or as ``text``.

    ``state``: whether readers see this very version now, the document has ``changed`` since (``visible_version`` is the present one, null
    for none), or was ``deleted``: then nothing of it is shown. ``found`` is the share of the quote that was found in the view; with less
    than half of it nothing is highlighted. ``first_page``: the page to begin with. ``passages`` are there for either view: of the index,
    with ``previous`` and ``next`` as ``first`` of a request for more; of a version that is no longer there, as the ``reply`` has recorded
    them (``recorded``). ``no_pages``: why the file is not shown as pages: ``no_pages`` (a file of this type has none here), ``encrypted``
    (only the workers that parsed it can open it), ``file_removed`` (newer versions have taken its place, and its file is
    kept no longer), ``unreadable``, ``busy``.
    """

    knowledge_base_id: str
    document_id: str
    version: int
    visible_version: int | None
    state: SourceState
    title: str = ""
    media_type: str = ""
    view: SourceKind
    no_pages: NoPages | None = None
    found: Fraction = 0.0
    page_count: int = 0
    first_page: int = 0
    pages: tuple[SourcePage, ...] = ()
    passages: tuple[SourcePassage, ...] = ()
    recorded: bool = False
    previous: int | None = None
    next: int | None = None
