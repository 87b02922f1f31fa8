"""Documents that are files or web pages."""

from typing import Annotated

from msgspec import Meta, field

from schemas.bodies.knowledge import DocumentTitle, Metadata
from schemas.bodies.pages import RequestBody
from schemas.documents import DocumentId, FileType


class UploadFields(RequestBody, frozen=True, kw_only=True):
    """The fields beside the file. ``title`` defaults to the title in the file, ``media_type`` to the type of its content."""

    document_id: DocumentId | None = None
    title: DocumentTitle = ""
    media_type: FileType = ""
    password: Annotated[str, Meta(max_length=500, description="Opens an encrypted file; kept sealed.")] = ""
    metadata: Metadata = field(default_factory=dict)


class PageSubmit(RequestBody, frozen=True, kw_only=True):
    """A web page, fetched when it is parsed: at a public address, within bounds of time and size, if its robots.txt permits it."""

    url: Annotated[str, Meta(min_length=8, max_length=2_048, examples=["https://example.com/handbook"])]
    document_id: DocumentId | None = None
    title: DocumentTitle = ""
    metadata: Metadata = field(default_factory=dict)
