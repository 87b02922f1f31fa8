"""Content hash: whether a new version of a document differs, by one hash over everything that determines its points."""

import hashlib

import msgspec

from domain.documents.visibility import PriorState
from schemas.documents import Document, Shelf
from schemas.settings import RetrievalSettings

# Of parsing, chunking and term encoding: raise it when their results improve, and unchanged documents are processed again
PIPELINE_VERSION = 4


def content_hash_of(document: Document, shelf: Shelf, retrieval: RetrievalSettings, fetched: str = "") -> str:
    """SHA-256 in hex. ``fetched`` is the hash of a web page's content; "" for one that was not fetched yet: its hash is unknown."""
    if document.url and not fetched:
        return ""
    content = fetched or (document.blob.sha256 if document.blob else document.text)
    making = (
        PIPELINE_VERSION,
        shelf.generation,
        shelf.chunk_tokens or retrieval.chunk_tokens,
        shelf.chunk_tokens_max or retrieval.chunk_tokens_max,
        shelf.embedding or retrieval.embedding,
        retrieval.embedding_name,
        retrieval.embedding_dimensions,
    )
    attributes = (document.title, document.media_type, document.filename, document.charset, sorted(document.metadata.items()))
    return hashlib.sha256(msgspec.msgpack.encode((making, attributes, content))).hexdigest()


def is_unchanged(document: Document, content_hash: str, before: PriorState, version: int) -> bool:
    """Whether an earlier version with this very content is visible."""
    shown = before.state.visible_version
    return bool(content_hash) and not document.force and shown is not None and shown < version and before.content_hash == content_hash
