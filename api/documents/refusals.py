"""Records of the tenant's inbox that were refused, for whoever sends them: the newest first, with the cause and the remedy."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Router, get
from litestar.params import QueryParameter

from api.http.access import can_read
from api.http.gate import KNOWLEDGE_READ
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from domain.dead_letters import dead_letter_reader, find_problem
from domain.documents.inbox import find_names, identify_document
from domain.documents.topics import inbox_topic
from schemas import ids
from schemas.bodies.inbox import RefusedRecord
from schemas.bodies.pages import Page
from streams.dead_letters.reader import DeadLetter, DeadLetterFilter

NAME_CHARS_MAX = 1_000  # shown of a key, a subject, an event's id

Code = Annotated[str, QueryParameter(max_length=100, description="Only records that were refused with this error code.")]


@get("/inbox/refusals", opt=KNOWLEDGE_READ, responses=PROBLEMS, summary="List refused records of the inbox")
async def list_(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "", code: Code = "") -> Page[RefusedRecord]:
    """Records of the caller's tenant that upstream systems wrote on its inbox topic, and that did not become documents.

    They are kept for 30 days. A page may have fewer than ``limit``, even none, and still a ``next_cursor``: continue with it. Records for
    a knowledge base that the caller may not read are left out, except for admins; one that names none is for the default one.
    """
    tenant = request.user.tenant
    wanted = DeadLetterFilter(tenant=tenant, topic=inbox_topic(tenant).name, code=code or None)
    letters = dead_letter_reader(request.core.settings.kafka)
    page = await letters.page_of(wanted, lambda letter: view_refusal(tenant, letter), limit=limit, cursor=cursor)
    return Page(items=await _filter_readable(request, page.items), next_cursor=page.next_cursor or None)


async def _filter_readable(request: ApiRequest, refused: Sequence[RefusedRecord]) -> tuple[RefusedRecord, ...]:
    caller = request.user
    if caller.has_role("admin"):
        return tuple(refused)
    named = sorted({record.knowledge_base_id for record in refused})
    bases = await request.core.read_models.knowledge_bases.get_many(caller.tenant, named)
    hidden = {base.id for base in bases.values() if not can_read(caller, base)}
    return tuple(record for record in refused if record.knowledge_base_id not in hidden)


def view_refusal(tenant: str, letter: DeadLetter) -> RefusedRecord:
    """The dead letter of an inbox record as its sender sees it."""
    names = find_names(letter.value, letter.headers)
    document = identify_document(tenant, letter.key, letter.value, letter.headers)
    return RefusedRecord(
        id=letter.id,
        topic=letter.topic,
        partition=letter.original_partition,
        offset=letter.original_offset,
        written_at=_time_of(letter.original_at_ms),
        refused_at=letter.at,
        key=None if letter.key is None else letter.key.decode(errors="replace")[:NAME_CHARS_MAX],
        subject=_shown(names.subject),
        event_id=_shown(names.event_id),
        knowledge_base_id=_shown(names.knowledge_base_id) or ids.default_knowledge_base(tenant),
        document_id=document.document_id if document else "",
        problem=find_problem(letter),
    )


def _time_of(timestamp_ms: int) -> datetime | None:
    """Producers write any number as the timestamp of a record."""
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000, UTC) if timestamp_ms else None
    except (ValueError, OverflowError, OSError):
        return None


def _shown(name: Any) -> str:
    return name[:NAME_CHARS_MAX] if isinstance(name, str) else ""


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[list_], tags=["documents"])
