"""Documents that are files or web pages: the file is stored, or the address checked, before anything is published."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, get_args
from uuid import UUID

import msgspec
from litestar import Response, Router, post
from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.params import FromPath, JSONBody

from adapters.blobs import blob_folder
from adapters.secrets.encryption import encrypt, fingerprint
from adapters.web.public_addresses import check_url, parse_networks
from api.documents.ports import DocumentPorts
from api.documents.routes import check_document_id, earlier_title, new_document_id, submit_document, submit_once
from api.http.gate import KNOWLEDGE_WRITE
from api.http.idempotency import check_key
from api.http.late_repeats import ANSWERED
from api.http.multipart import FILE, Form, read_form
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import run_idempotent
from schemas import ids
from schemas.bodies.knowledge import DocumentAccepted
from schemas.bodies.uploads import PageSubmit
from schemas.documents import Blob, Document, FileType
from schemas.errors import ClawError, Unavailable

UPLOADS_MAX = 64  # at once per process: each holds up to 6 MiB when files go to S3
UPLOADS_PER_ACCOUNT_MAX = 32
RETRY_AFTER_S = 5.0
FILE_TYPES = frozenset(get_args(FileType))
OTHER_NAMES = {  # of the types, as programs and systems send them
    **dict.fromkeys(("application/csv", "application/x-csv", "text/x-csv"), "text/csv"),
    **dict.fromkeys(("text/comma-separated-values", "text/tab-separated-values"), "text/csv"),
    **dict.fromkeys(("text/x-markdown", "application/markdown", "application/x-markdown"), "text/markdown"),
    "application/x-pdf": "application/pdf",
    "application/xhtml+xml": "text/html",
    "text/xml": "application/xml",
    **dict.fromkeys(("text/rtf", "application/x-rtf", "text/richtext"), "application/rtf"),
    **dict.fromkeys(("text/prs.fallenstein.rst", "text/rst"), "text/x-rst"),
    "text/x-org": "text/org",
    "application/x-zip-compressed": "application/zip",
}
UNCERTAIN = "kafka_unavailable"  # the event may be on the log nevertheless, and name the file


@dataclass
class UploadOperation(Operation):
    """The form, which the signature does not show: the handler parses it as it arrives."""

    def __post_init__(self) -> None:
        text = Schema(type=OpenAPIType.STRING)
        form = Schema(
            type=OpenAPIType.OBJECT,
            required=[FILE],
            properties={
                FILE: Schema(
                    type=OpenAPIType.STRING,
                    format=OpenAPIFormat.BINARY,
                    description="PDF, Office files, ODT, ODS, ODP, RTF, EPUB, HTML, Markdown, RST, Org, text, CSV, XML, EML, MSG or ZIP.",
                ),
                "document_id": Schema(
                    type=OpenAPIType.STRING,
                    min_length=1,
                    max_length=200,
                    description="The owner's name for it. Without one the id is made of the file's name and content:"
                    " the same file again is the same document.",
                ),
                "title": Schema(
                    type=OpenAPIType.STRING,
                    max_length=500,
                    description="Without one the title given before stays; without that the document names itself.",
                ),
                "media_type": Schema(
                    type=OpenAPIType.STRING, enum=sorted(FILE_TYPES - {""}), description="Only for content that does not show its type."
                ),
                "password": Schema(type=OpenAPIType.STRING, max_length=500, description="Opens an encrypted file; stored encrypted."),
                "metadata": Schema(
                    type=OpenAPIType.OBJECT, additional_properties=text, max_properties=32, description="A JSON object of strings."
                ),
            },
        )
        self.request_body = RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)}, required=True)


@post(
    "/knowledge/{knowledge_base_id:str}/documents/upload",
    opt=KNOWLEDGE_WRITE | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Upload a document",
    operation_class=UploadOperation,
    request_max_body_size=None,  # the form has limits of its own, enforced while it is read
)
async def upload(request: ApiRequest, knowledge_base_id: FromPath[UUID]) -> Response[DocumentAccepted]:
    """Like submitting a text. A file may have CLAW_DOCUMENT_FILE_BYTES_MAX bytes; a refused one leaves nothing behind."""
    if request.idempotency_key is not None:
        check_key(request.idempotency_key)
    base = await request.http.access.find_own_knowledge_base(request.user, str(knowledge_base_id))
    await request.ports(DocumentPorts).estimates.new_document_wait_s(request.user.tenant)  # an overload is reported before the file is sent
    async with _upload_slot(request):
        form, blob = await _receive(request, blob_folder(request.user.tenant, base.id))
    async with _delete_if_unpublished(request.ports(DocumentPorts), blob) as naming:

        async def make() -> Response[Any]:
            document_id = form.fields.document_id or file_id(form.filename, blob.sha256)

            async def submit() -> Response[Any]:
                return await naming(submit_document(request, base.id, await _file_document(request, base.id, document_id, form, blob)))

            return await submit_once(request, base.id, document_id, submit)

        return await run_idempotent(request, make)


@post(
    "/knowledge/{knowledge_base_id:str}/documents/url",
    opt=KNOWLEDGE_WRITE | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Submit a web page",
)
async def page(request: ApiRequest, knowledge_base_id: FromPath[UUID], data: JSONBody[PageSubmit]) -> Response[DocumentAccepted]:
    """Like submitting a text; the page is fetched afterwards, and a failure to do so is the document's state."""

    async def make() -> Response[Any]:
        check_url(data.url, parse_networks(request.core.settings.documents.fetch_networks))
        base_id, document_id = str(knowledge_base_id), await new_document_id(request, data.document_id)
        document = Document(
            knowledge_base_id=base_id,
            document_id=document_id,
            title=data.title or document_id,
            media_type="",
            url=data.url,
            metadata=data.metadata,
        )
        return await submit_once(request, base_id, document_id, lambda: submit_document(request, base_id, document))

    return await run_idempotent(request, make)


async def _receive(request: ApiRequest, home: str) -> tuple[Form, Blob]:
    """The form, and its file in the store. Sets a request body that identifies the form's content."""
    ports = request.ports(DocumentPorts)
    async with ports.blobs.writer(home) as written:
        form = await read_form(request, written.write, ports.core.settings.documents.file_bytes_max)
        if form.fields.document_id is not None:
            check_document_id("document_id", form.fields.document_id)
        blob = await written.commit()
    secret = ports.core.settings.encryption_secret.reveal()
    password = fingerprint(secret, form.fields.password)
    fields = msgspec.structs.replace(form.fields, password=password)
    request.replace_body(msgspec.json.encode((blob.sha256, msgspec.structs.replace(form, fields=fields)), order="sorted"))
    return form, blob


async def _file_document(request: ApiRequest, base_id: str, document_id: str, form: Form, blob: Blob) -> Document:
    fields = form.fields
    key = ids.document_key(request.user.tenant, base_id, document_id)
    secret = request.core.settings.encryption_secret.reveal()
    sealed = encrypt(secret, fields.password, context=key, random_bytes=request.core.random_bytes) if fields.password else ""
    named = OTHER_NAMES.get(form.media_type, form.media_type)
    media_type: Any = fields.media_type or (named if named in FILE_TYPES else "")
    return Document(
        knowledge_base_id=base_id,
        document_id=document_id,
        title=fields.title or await earlier_title(request, base_id, document_id) or document_id,
        media_type=media_type,
        blob=blob,
        filename=form.filename,
        charset=form.charset,
        sealed_password=sealed,
        metadata=fields.metadata,
    )


def file_id(filename: str, sha256: str) -> str:
    """The id of a document that its owner gave none: of the file's name and content, so that the same file again is the same document."""
    return ids.derive("file", filename, sha256)


@asynccontextmanager
async def _delete_if_unpublished(
    ports: DocumentPorts, blob: Blob
) -> AsyncIterator[Callable[[Awaitable[Response[Any]]], Awaitable[Response[Any]]]]:
    """Deletes the file when the block ends, unless ``naming`` published an event that names it, or may have published one."""
    named = False

    async def naming(accepting: Awaitable[Response[Any]]) -> Response[Any]:
        nonlocal named
        named = True
        try:
            return await accepting
        except ClawError as error:
            named = error.code == UNCERTAIN
            raise

    try:
        yield naming
    finally:
        if not named:
            with suppress(Unavailable):
                await ports.blobs.delete(blob.path)


@asynccontextmanager
async def _upload_slot(request: ApiRequest) -> AsyncIterator[None]:
    """A slot for an upload; Unavailable("overloaded") when all are taken, Refused("too_many_uploads") when the caller has too many."""
    uploads, account_id = request.ports(DocumentPorts).uploads, request.user.account_id
    if uploads.total >= UPLOADS_MAX or uploads[account_id] >= UPLOADS_PER_ACCOUNT_MAX:
        raise Unavailable("overloaded", "too many uploads are in progress", retry_after_s=RETRY_AFTER_S)
    uploads.add(account_id)
    try:
        async with request.http.caps.place("uploads", request.user):
            yield
    finally:
        uploads.remove(account_id)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[upload, page], tags=["documents"])
