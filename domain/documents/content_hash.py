"""Whether a new version of a document says anything new: one hash over all that decides what its points are."""

import hashlib

import msgspec

from domain.documents.visibility import PriorState
from schemas.documents import Document, Shelf
from schemas.settings import RetrievalSettings

# Of parsing, chunking and term encoding: raise it when the same document would come out better, and "unchanged" ones are worked again
PIPELINE_VERSION = 3


def content_hash_of(document: Document, shelf: Shelf, retrieval: RetrievalSettings, fetched: str = "") -> str:
    """SHA-256 in hex. ``fetched`` is the hash of a web page's content; "" for one that was not fetched yet, of which nobody knows."""
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
    said = (document.title, document.media_type, document.filename, document.charset, sorted(document.metadata.items()))
    return hashlib.sha256(msgspec.msgpack.encode((making, said, content))).hexdigest()


def is_unchanged(document: Document, content_hash: str, before: PriorState, version: int) -> bool:
    """Readers see this very content already, as an earlier version."""
    shown = before.standing.visible_version
    return bool(content_hash) and not document.force and shown is not None and shown < version and before.content_hash == content_hash
