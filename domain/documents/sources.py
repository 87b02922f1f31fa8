"""The content of documents: in the event, in the blob store, or on the web.

A page is fetched once per version: its content is stored beside a description at a path that follows from document and version, so that a
retry and every later build of the index use the very same content.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from msgspec import Struct

from adapters.blobs import BlobStore, blob_folder
from adapters.blobs.paths import PAGE_SUFFIX, page_path
from adapters.parsing.core.source import DocumentSource
from adapters.secrets.encryption import decrypt
from adapters.web.fetch import Fetcher, WebPage
from schemas.documents import Blob, Document, DocumentSubmitted, FileType, KeptVersion
from schemas.errors import Refused
from schemas.settings.section import Secret

PAGE_BYTES_MAX = 65_536  # of a description


class StoredPage(Struct, frozen=True, kw_only=True):
    """The description of a fetched page."""

    page: WebPage
    blob: Blob


def blob_path(event: DocumentSubmitted, version: int) -> str:
    """The path of the file behind a submission, also before its page is fetched; "" when there is none."""
    return _path(event.data, event.tenant, version)


class StoredFile(Struct, frozen=True, kw_only=True):
    """The file behind a version, with its type as declared and its name."""

    blob: Blob
    media_type: FileType = ""
    filename: str = ""


async def find_stored_file(blobs: BlobStore, document: Document, tenant: str, version: int) -> StoredFile | None:
    """The file that was uploaded, or the content of the page that was fetched; None for a text. Raises Refused("file_missing") for a page
    whose description is gone, and Unavailable.
    """
    if document.url:
        return await _find_page(blobs, _path(document, tenant, version))
    if document.blob is None:
        return None
    return StoredFile(blob=document.blob, media_type=document.media_type, filename=document.filename)


async def find_kept_file(blobs: BlobStore, kept: KeptVersion) -> StoredFile:
    """The file of a replaced version. Raises like ``find_stored_file``."""
    if kept.path.endswith(PAGE_SUFFIX):
        return await _find_page(blobs, kept.path)
    blob = Blob(path=kept.path, bytes=kept.bytes, sha256=kept.sha256)
    return StoredFile(blob=blob, media_type=kept.media_type, filename=kept.filename)


async def _find_page(blobs: BlobStore, path: str) -> StoredFile:
    stored = msgspec.json.decode(await blobs.read(path, PAGE_BYTES_MAX), type=StoredPage)
    return StoredFile(blob=stored.blob, media_type=stored.page.media_type, filename=stored.page.filename)


class DocumentLoader:
    """One per process; ``secret`` opens sealed passwords."""

    def __init__(self, blobs: BlobStore, fetcher: Fetcher, secret: Secret) -> None:
        self._blobs, self._fetcher, self._secret = blobs, fetcher, secret

    @asynccontextmanager
    async def open_document(self, document: Document, *, key: str, version: int, tenant: str) -> AsyncIterator[DocumentSource]:
        """The document as a child process reads it, for as long as the block lasts. ``key`` is what its password was sealed for.

        Raises what the blob store and the fetcher raise, and Refused("password_required") for a password that was not sealed here.
        """
        password = decrypt(self._secret.reveal(), document.sealed_password, context=key) if document.sealed_password else ""
        if document.url:
            stored = await self._load_page(document, tenant, version)
            async with self._blobs.local_path(stored.blob) as path:
                yield DocumentSource(
                    media_type=stored.page.media_type,
                    path=str(path),
                    filename=stored.page.filename,
                    charset=stored.page.charset,
                    password=password,
                    url=stored.page.url,
                    digest=stored.blob.sha256,
                )
        elif document.blob is not None:
            async with self._blobs.local_path(document.blob) as path:
                yield DocumentSource(
                    media_type=document.media_type,
                    path=str(path),
                    filename=document.filename,
                    charset=document.charset,
                    password=password,
                )
        else:
            yield DocumentSource(media_type=document.media_type, text=document.text, filename=document.filename)

    async def delete(self, path: str) -> None:
        """Remove the file at a ``blob_path``; of a page its content, too."""
        if path.endswith(PAGE_SUFFIX):
            stored = await self._read_stored(path)
            if stored is not None:
                await self._blobs.delete(stored.blob.path)
        await self._blobs.delete(path)

    async def _load_page(self, document: Document, tenant: str, version: int) -> StoredPage:
        path = _path(document, tenant, version)
        stored = await self._read_stored(path)
        if stored is not None:
            return stored
        async with self._blobs.writer(blob_folder(tenant, document.knowledge_base_id)) as written:
            page = await self._fetcher.fetch(document.url, written.write)
            stored = StoredPage(page=page, blob=await written.commit())
        if await self._blobs.create(path, msgspec.json.encode(stored)):
            return stored
        await self._blobs.delete(stored.blob.path)  # another worker fetched it meanwhile: its content is the version's
        return await self._read_stored(path) or stored

    async def _read_stored(self, path: str) -> StoredPage | None:
        try:
            return msgspec.json.decode(await self._blobs.read(path, PAGE_BYTES_MAX), type=StoredPage)
        except Refused:
            return None


def _path(document: Document, tenant: str, version: int) -> str:
    if document.url:
        return page_path(blob_folder(tenant, document.knowledge_base_id), document.document_id, version)
    return document.blob.path if document.blob else ""
