"""The audit log: pages of it, and a file. Admins see what concerns their tenant, operators everything."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, cast

import msgspec
from litestar import Router, get
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIResponse, Operation
from litestar.params import QueryParameter
from litestar.response import Stream

from api.audit.ports import AuditPorts
from api.http.audit import record_audit
from api.http.csv_lines import csv_line
from api.http.gate import ADMIN
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import invalid_field, to_utc
from domain.audit.reader import AuditFilter, AuditReader
from schemas.audit import AuditOutcome
from schemas.bodies.audit import AuditView
from schemas.bodies.pages import Page
from schemas.errors import Refused

EXPORT_MAX = 100_000  # entries of one file, some 50 MB; the next one ends (`to`) where it does
EXPORT_PAGE = 1_000  # read at once; between two pages no consumer is open, however slowly the file is taken
COLUMNS = (
    *("at", "tenant", "action", "outcome", "actor_kind", "actor_account_id", "actor_key_id", "actor_role"),
    *("target", "address", "user_agent", "request_id", "id", "detail"),
)

Action = Annotated[str, QueryParameter(max_length=81, description="Only actions that begin so, such as `api_key.` or `session.create`.")]
ActorId = Annotated[str, QueryParameter(max_length=64, description="Only what this account or API key did, by its id.")]
Outcome = Annotated[AuditOutcome | None, QueryParameter(description="Only what was accepted, or refused.")]
Since = Annotated[datetime | None, QueryParameter(name="from", description="The first moment, with a time zone.")]
Until = Annotated[datetime | None, QueryParameter(name="to", description="The end, exclusive; by default now.")]
EveryTenant = Annotated[bool, QueryParameter(name="all", description="Of every tenant and of the installation; operators only.")]
FileFormat = Annotated[
    Literal["ndjson", "csv"],
    QueryParameter(name="format", description="`ndjson`: a JSON object a line, as in the list; `csv`: with a head."),
]

_encode = msgspec.json.Encoder().encode
_FILE = ResponseSpec(
    data_container=str, description="The file, newest entry first.", generate_examples=False, media_type="application/x-ndjson"
)


@dataclass
class AuditFileOperation(Operation):
    """An operation whose file has a media type by its format; the framework knows one for each status."""

    def __post_init__(self) -> None:
        content = cast("dict[str, OpenAPIResponse]", self.responses)["200"].content or {}
        content["text/csv"] = content["application/x-ndjson"]


@get("/audit", opt=ADMIN, responses=PROBLEMS, summary="List the audit log")
async def list_(
    request: ApiRequest,
    limit: Limit = 20,
    cursor: Cursor = "",
    action: Action = "",
    actor: ActorId = "",
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
    everything: EveryTenant = False,  # noqa: FBT002
) -> Page[AuditView]:
    """The newest first. A page may have fewer than ``limit`` entries, even none, and still a ``next_cursor``: continue with it.

    Entries are kept for 400 days. Those of accepted requests are listed once their response was sent, those of refused ones soon after.
    """
    wanted = _filter(request, action, actor, outcome, since, until, everything=everything)
    page = await request.ports(AuditPorts).reader.page(wanted, limit=limit, cursor=cursor)
    return Page(items=tuple(map(AuditView.of, page.items)), next_cursor=page.next_cursor or None)


@get(
    "/audit/export",
    opt=ADMIN,
    responses={**PROBLEMS, 200: _FILE},
    operation_class=AuditFileOperation,
    summary="Export the audit log",
)
async def export(
    request: ApiRequest,
    action: Action = "",
    actor: ActorId = "",
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
    everything: EveryTenant = False,  # noqa: FBT002
    file_format: FileFormat = "ndjson",
) -> Stream:
    """A file to download, newest entry first, of at most 100,000 entries: for older ones repeat it with ``to`` at the time of the last.

    That it was exported is an entry itself.
    """
    wanted = _filter(request, action, actor, outcome, since, until, everything=everything)
    await record_audit(request, "audit.export", detail={"format": file_format, "all": str(everything).lower()})
    head, write, kind = (b"", _ndjson, "application/x-ndjson") if file_format == "ndjson" else (csv_line(COLUMNS), _csv, "text/csv")
    parts = _write(request.ports(AuditPorts).reader, wanted, write)
    first = await anext(parts)  # an error is still answered with a problem
    headers = {"content-disposition": f'attachment; filename="audit.{file_format}"'}
    return Stream(_prepend(head + first, parts), media_type=kind, headers=headers)


async def _prepend(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part


async def _write(reader: AuditReader, wanted: AuditFilter, write: Callable[[Sequence[AuditView]], bytes]) -> AsyncGenerator[bytes, None]:
    """The file, page by page; the first part comes also when there is no entry."""
    cursor, written = "", 0
    while True:
        page = await reader.page(wanted, limit=min(EXPORT_PAGE, EXPORT_MAX - written), cursor=cursor)
        written += len(page.items)
        yield write([AuditView.of(event) for event in page.items])
        cursor = page.next_cursor
        if not cursor or written >= EXPORT_MAX:
            return


def _ndjson(views: Sequence[AuditView]) -> bytes:
    return b"".join(_encode(view) + b"\n" for view in views)


def _csv(views: Sequence[AuditView]) -> bytes:
    return b"".join(
        csv_line(
            (
                *(view.at.isoformat(), view.tenant, view.action, view.outcome),
                *(view.actor.kind, view.actor.account_id, view.actor.key_id, view.actor.role),
                *(view.target, view.address, view.user_agent, view.request_id, view.id),
                "; ".join(f"{name}={text}" for name, text in view.detail.items()),
            )
        )
        for view in views
    )


def _filter(
    request: ApiRequest,
    action: str,
    actor: str,
    outcome: AuditOutcome | None,
    since: datetime | None,
    until: datetime | None,
    *,
    everything: bool,
) -> AuditFilter:
    """What the caller may see of what the query asks for."""
    if everything and not request.user.has_role("operator"):
        raise Refused("forbidden", f"all=true needs an account with the role operator; yours has the role {request.user.role}")
    since = None if since is None else to_utc("query.from", since)
    until = None if until is None else to_utc("query.to", until)
    if since is not None and until is not None and since >= until:
        raise invalid_field("query.from", "is not before `to`")
    tenant = None if everything else request.user.tenant
    return AuditFilter(tenant=tenant, action=action, actor=actor, outcome=outcome, since=since, until=until)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[list_, export], tags=["audit"])
