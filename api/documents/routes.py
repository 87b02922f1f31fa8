"""Documents: submitted, replaced and deleted through the log; their states are read from the table that agents keep.

A version is the offset of its event, so it is known when a request returns, long before the document is searchable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, post, put
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

from api.documents.ports import DocumentPorts
from api.http.gate import KNOWLEDGE_READ, KNOWLEDGE_WRITE
from api.http.late_repeats import ANSWERED
from api.http.openapi import GONE, PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import invalid_field, json_response, run_idempotent
from domain.documents.progress import explicit_title, submission_progress
from domain.documents.records import show_progress
from domain.documents.requests import request_of
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.documents.visibility import NO_VERSION
from schemas import ids
from schemas.bodies.knowledge import DocumentAccepted, DocumentReplace, DocumentSubmit, DocumentView
from schemas.bodies.pages import Page
from schemas.documents import PATH_STEPS, Document, DocumentSubmitted, DocumentWithdrawn, Progress, State, Withdrawal
from schemas.errors import FieldError, Refused, Unavailable
from streams.log.outgoing import Outgoing
from streams.topics import decoder

DELETE_WAIT_S = 5.0  # for the document to become invisible; after that the client follows the task
DELETE_POLL_S_MIN, DELETE_POLL_S_MAX = 0.005, 0.1

PAGES_MAX = 20  # scanned by one request for documents in a state
READ_S_MAX = 5.0  # for reading a submission from the log again

DocumentName = Annotated[str, PathParameter(min_length=1, max_length=200, description="The owner's name for it.")]
OnlyState = Annotated[State | None, QueryParameter(name="state", description="Only documents in this state.")]

_decode = decoder(DOCUMENTS_SUBMITTED).decode


@post(
    "/knowledge/{knowledge_base_id:str}/documents",
    opt=KNOWLEDGE_WRITE | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Submit a document",
)
async def submit(request: ApiRequest, knowledge_base_id: FromPath[UUID], data: JSONBody[DocumentSubmit]) -> Response[DocumentAccepted]:
    """The document is on the log when this returns; its progress is at ``Location``. An existing id gets a new version."""

    async def make() -> Response[Any]:
        base_id, document_id = str(knowledge_base_id), await new_document_id(request, data.document_id)
        return await submit_once(request, base_id, document_id, lambda: _submit_text(request, base_id, document_id, data))

    return await run_idempotent(request, make)


@put(
    "/knowledge/{knowledge_base_id:str}/documents/{document_id:str}",
    opt=KNOWLEDGE_WRITE,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Submit or replace a document",
)
async def replace(
    request: ApiRequest, knowledge_base_id: FromPath[UUID], document_id: DocumentName, data: JSONBody[DocumentReplace]
) -> Response[DocumentAccepted]:
    """Like submitting with this id. Readers see the old version until the new one is complete."""
    return await _submit_text(request, str(knowledge_base_id), check_document_id("path.document_id", document_id), data)


@get("/knowledge/{knowledge_base_id:str}/documents", opt=KNOWLEDGE_READ, responses=PROBLEMS, summary="List documents")
async def list_(
    request: ApiRequest, knowledge_base_id: FromPath[UUID], limit: Limit = 20, cursor: Cursor = "", only: OnlyState = None
) -> Page[DocumentView]:
    """The last submitted first, with their states. A page may be shorter than ``limit`` although another one follows."""
    ports, tenant = request.ports(DocumentPorts), request.user.tenant
    base = await ports.http.access.find_knowledge_base(request.user, str(knowledge_base_id))
    shown: list[DocumentView] = []
    for _ in range(PAGES_MAX):
        page = await ports.core.read_models.documents.list(f"{tenant}/{base.id}", limit=limit, cursor=cursor)
        shown += await _document_views(request, [progress for progress in page.items if only in (None, progress.state)])
        cursor = page.next_cursor
        if shown or not cursor:
            break
    return Page(items=tuple(shown), next_cursor=cursor or None)


@get(
    "/knowledge/{knowledge_base_id:str}/documents/{document_id:str}",
    opt=KNOWLEDGE_READ,
    responses=PROBLEMS,
    summary="Get a document",
)
async def read(request: ApiRequest, knowledge_base_id: FromPath[UUID], document_id: DocumentName) -> DocumentView:
    """The state of its newest version, and the version that readers see."""
    ports, tenant = request.ports(DocumentPorts), request.user.tenant
    base = await ports.http.access.find_knowledge_base(request.user, str(knowledge_base_id))
    progress = await ports.core.read_models.documents.get(f"{tenant}/{base.id}", document_id)
    shown = await _document_views(request, [] if progress is None else [progress])
    if not shown:
        raise Refused("not_found", f"there is no document {document_id}")
    return shown[0]


@delete(
    "/knowledge/{knowledge_base_id:str}/documents/{document_id:str}",
    opt=KNOWLEDGE_WRITE,
    responses={**PROBLEMS, 204: GONE},
    status_code=HTTPStatus.ACCEPTED,
    summary="Delete a document",
)
async def remove(request: ApiRequest, knowledge_base_id: FromPath[UUID], document_id: DocumentName) -> Response[DocumentAccepted]:
    """``204`` once no reader sees it any more; ``202`` with its task when that takes longer than 5 s. Refused while Redis is down."""
    base_id = str(knowledge_base_id)
    event, version = await withdraw_document(request, base_id, document_id)
    if await _wait_until_deleted(request, event.subject, version):
        return json_response(None, HTTPStatus.NO_CONTENT)
    return _response(base_id, document_id, version, event.id)


async def withdraw_document(request: ApiRequest, base_id: str, document_id: str, *, retry_of: str = "") -> tuple[DocumentWithdrawn, int]:
    """Put the deletion of a document of the caller's onto the log; ``retry_of`` is the task that this repeats. Returns its version, too."""
    ports, caller = request.ports(DocumentPorts), request.user
    base = await ports.http.access.find_own_knowledge_base(caller, base_id)
    key = ids.document_key(caller.tenant, base.id, document_id)
    await latest_version(request, base.id, document_id)
    data = Withdrawal(knowledge_base_id=base.id, document_id=document_id, requested_by=caller.account_id, retry_of=retry_of)
    event = await request.event(DocumentWithdrawn, key, data)
    place = await ports.core.publisher.publish(Outgoing(DOCUMENTS_SUBMITTED, event))
    await ports.tasks.show(event, place, ports.core.clock.now())
    return event, place.offset


@post(
    "/knowledge/{knowledge_base_id:str}/documents/{document_id:str}/reprocess",
    opt=KNOWLEDGE_WRITE | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Reprocess a document",
)
async def reprocess(request: ApiRequest, knowledge_base_id: FromPath[UUID], document_id: DocumentName) -> Response[DocumentAccepted]:
    """Its present content becomes a new version and is processed from the start. Readers see the old version meanwhile."""

    async def make() -> Response[Any]:
        return await reprocess_document(request, str(knowledge_base_id), document_id)

    return await run_idempotent(request, make)


async def reprocess_document(request: ApiRequest, base_id: str, document_id: str, *, retry_of: str = "") -> Response[Any]:
    """Submit the present content of a document of the caller's once more; ``retry_of`` is the task that this repeats."""
    ports, caller = request.ports(DocumentPorts), request.user
    base = await ports.http.access.find_own_knowledge_base(caller, base_id)

    async def submit_again() -> Response[Any]:
        version = await latest_version(request, base.id, document_id)
        document = await _read_submission(ports, ids.document_key(caller.tenant, base.id, document_id), version)
        return await submit_document(request, base.id, msgspec.structs.replace(document, force=True, origin="api", retry_of=retry_of))

    return await submit_once(request, base.id, document_id, submit_again)


async def _document_views(request: ApiRequest, found: Sequence[Progress]) -> list[DocumentView]:
    """The documents that were not deleted meanwhile, with their visible version and estimated wait."""
    ports, tenant = request.ports(DocumentPorts), request.user.tenant
    keys = [ids.document_key(tenant, progress.knowledge_base_id, progress.document_id) for progress in found]
    standings = await ports.core.visibility.version_states(keys)
    return [
        DocumentView.of(
            progress,
            standings[key].visible_version,
            await ports.estimates.open_document_wait_s(tenant, progress.queue, progress.state),
        )
        for key, progress in zip(keys, found, strict=True)
        if standings[key].deleted < progress.version
    ]


async def latest_version(request: ApiRequest, base_id: str, document_id: str) -> int:
    """The newest known version; Refused("not_found") when the document was deleted or never existed."""
    ports, tenant = request.ports(DocumentPorts), request.user.tenant
    key = ids.document_key(tenant, base_id, document_id)
    known, standings = await asyncio.gather(
        ports.core.read_models.documents.get(f"{tenant}/{base_id}", document_id), ports.core.visibility.version_states((key,))
    )
    latest = max(standings[key].latest, NO_VERSION if known is None else known.version)
    if latest <= standings[key].deleted:
        raise Refused("not_found", f"there is no document {document_id}")
    return latest


async def earlier_title(request: ApiRequest, base_id: str, document_id: str) -> str:
    """The title that its owner gave the document before; "" for none, and when it cannot be read now."""
    try:
        version = await latest_version(request, base_id, document_id)
        earlier = await _read_submission(request.ports(DocumentPorts), ids.document_key(request.user.tenant, base_id, document_id), version)
    except (Refused, Unavailable):
        return ""
    return explicit_title(earlier)


async def _read_submission(ports: DocumentPorts, key: str, version: int) -> Document:
    """The submitted document, from the log. Raises Unavailable when it cannot be read."""
    found = await find_submission(ports, key, version)
    if found is None:
        raise Unavailable("kafka_unavailable", f"version {version} of {key} is not on the log: a newer one is on its way")
    return found


async def find_submission(ports: DocumentPorts, key: str, version: int) -> Document | None:
    """The document as it was submitted; None when compaction has removed that, or this is none of its versions. Raises Unavailable."""
    event = await find_submitted(ports, key, version)
    return None if event is None else event.data


async def find_submitted(ports: DocumentPorts, key: str, version: int) -> DocumentSubmitted | None:
    """The submission itself."""
    partition = ports.core.publisher.partition_for(DOCUMENTS_SUBMITTED, key)
    try:
        async with asyncio.timeout(READ_S_MAX), aclosing(ports.submissions.records(partition, version, version + 1)) as records:
            async for record in records:
                event = _decode(record.value) if record.value is not None else None
                if isinstance(event, DocumentSubmitted) and event.subject == key:
                    return event
    except TimeoutError as error:
        raise Unavailable("kafka_unavailable", f"version {version} was not read in {READ_S_MAX:g} s") from error
    return None


async def _submit_text(request: ApiRequest, base_id: str, document_id: str, data: DocumentReplace) -> Response[DocumentAccepted]:
    _check_text(request, data.text)
    document = Document(
        knowledge_base_id=base_id,
        document_id=document_id,
        title=data.title or document_id,
        media_type=data.media_type,
        text=data.text,
        metadata=data.metadata,
    )
    return await submit_document(request, base_id, document)


async def submit_once(request: ApiRequest, base_id: str, document_id: str, submit: Callable[[], Awaitable[Response[Any]]]) -> Response[Any]:
    """The response of ``submit``, or what the same request submitted before although its stored response is gone: never written again, for
    that would replace newer versions by older content.

    Raises Refused("deleted_since") when the document was deleted since, and what ``find_own_knowledge_base`` raises.
    """
    if request.idempotency_key is not None:
        base = await request.http.access.find_own_knowledge_base(request.user, base_id)
        key = ids.document_key(request.user.tenant, base.id, document_id)
        event_id = await request.event_id(DocumentSubmitted, key)
        earlier = await request.ports(DocumentPorts).requests.find(key, event_id)
        if earlier is not None:
            if earlier.is_deleted:
                raise Refused("deleted_since")
            return _response(base.id, document_id, earlier.version, event_id)
    return await submit()


async def submit_document(request: ApiRequest, base_id: str, document: Document) -> Response[DocumentAccepted]:
    """Put a checked document of the caller onto the log: 202 with its version, shown as queued from then on.

    Fills in the knowledge base and the submitter. Raises Refused("not_found" or "forbidden") when the caller may not change the
    knowledge base, Unavailable("kafka_unavailable") when Kafka did not acknowledge it, Unavailable("overloaded") when too much is waiting.
    """
    ports, caller = request.ports(DocumentPorts), request.user
    base = await ports.http.access.find_own_knowledge_base(caller, base_id)
    wait_s = await ports.estimates.new_document_wait_s(caller.tenant)
    document = msgspec.structs.replace(document, knowledge_base_id=base.id, submitted_by=caller.account_id)
    event = await request.event(DocumentSubmitted, ids.document_key(caller.tenant, base.id, document.document_id), document)
    await request.http.caps.reserve_document(caller, base.id, document.document_id, document.bytes)
    try:
        place = await ports.core.publisher.publish(Outgoing(DOCUMENTS_SUBMITTED, event))
    except Refused:  # it is not on the log, whereas one that was not acknowledged may be
        await request.http.caps.release_document(caller, base.id, document.document_id)
        raise
    if request.idempotency_key is not None and (submitted := request_of(event, place.offset)) is not None:
        with suppress(Unavailable):  # as dispatch will: until then a repeat whose stored response is lost would submit it again
            await ports.requests.record_many([(event.subject, [submitted])])
    # the Location is readable at once: the state that the agent ``route`` will publish
    progress = submission_progress(document, place.offset, ids.task_id(event.id))
    await asyncio.gather(
        show_progress(ports.core.read_models.documents, caller.tenant, progress), ports.tasks.show(event, place, ports.core.clock.now())
    )
    return _response(base.id, document.document_id, place.offset, event.id, wait_s)


def _check_text(request: ApiRequest, text: str) -> None:
    """The limits that are settings and so not part of the body's type."""
    bytes_max = request.core.settings.limits.document_inline_bytes_max
    size = len(text.encode())
    if size > bytes_max:
        error = FieldError("text", f"has {size} bytes of UTF-8", f"{bytes_max} bytes")
        raise Refused("document_too_large", f"the text may have {bytes_max} bytes of UTF-8; split it", errors=(error,))
    if not text.strip():
        raise invalid_field("text", "has only white space", "some text", code="document_empty")


async def new_document_id(request: ApiRequest, given: str | None) -> str:
    """The given id, checked, or a new one."""
    if given is not None:
        return check_document_id("document_id", given)
    return await request.new_id("document", request.user.tenant, request.user.account_id)


def check_document_id(field: str, document_id: str) -> str:
    """The id, or Refused; the same rule for bodies and paths. A pattern alone would accept a trailing line feed."""
    if document_id in PATH_STEPS or not document_id.isprintable():
        fault = "is a step of a path" if document_id in PATH_STEPS else "has unprintable characters"
        raise invalid_field(field, fault, "1 to 200 printable characters, no slash, not . or ..")
    return document_id


def _response(base_id: str, document_id: str, version: int, event_id: str, wait_s: float | None = None) -> Response[Any]:
    body = DocumentAccepted(
        document_id=document_id,
        knowledge_base_id=base_id,
        version=version,
        state="queued",
        task_id=ids.task_id(event_id),
        estimated_wait_s=wait_s,
    )
    location = f"/api/v1/knowledge/{base_id}/documents/{quote(document_id, safe='')}"
    return json_response(body, HTTPStatus.ACCEPTED, {"Location": location})


async def _wait_until_deleted(request: ApiRequest, key: str, version: int) -> bool:
    """Wait until the visibility record is deleted, at most 5 s."""
    ports = request.ports(DocumentPorts)
    began_s, pause_s = ports.core.clock.monotonic_s(), DELETE_POLL_S_MIN
    while ports.core.clock.monotonic_s() - began_s < DELETE_WAIT_S:
        try:
            if (await ports.core.visibility.version_states((key,)))[key].deleted >= version:
                return True
        except Unavailable:
            return False  # it is on the log and will be processed; when is unknown
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, DELETE_POLL_S_MAX)
    return False


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[submit, replace, list_, read, remove, reprocess], tags=["documents"])
