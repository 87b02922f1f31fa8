"""Responses of handlers: JSON with an ETag or a Location, idempotent responses, pages."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from litestar import Response
from msgspec import Struct

from api.http.idempotency import Fresh, Replay, is_kept
from api.http.request import ApiRequest
from schemas.bodies.pages import Page
from schemas.errors import FieldError, Refused, Unavailable
from streams.tables.record_table import RecordPage as TablePage
from streams.tables.record_table import RecordTable

T = TypeVar("T")
B = TypeVar("B", bound=Struct)

JSON = "application/json"
REVISION_DIGITS_MAX = 9  # no record is changed more often; Python refuses to convert very long numbers
TIME_MIN, TIME_MAX = datetime(1970, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
KEY_BYTES = 256  # what Redis needs for a key without a response
_encode = msgspec.json.Encoder().encode


def json_response(body: Struct | None, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response[Any]:
    """A JSON response; None has no body."""
    return Response(_encode(body) if body is not None else b"", status_code=status, media_type=JSON, headers=dict(headers or {}))


async def run_idempotent(request: ApiRequest, make: Callable[[], Awaitable[Response[Any]]]) -> Response[Any]:
    """The response that ``make`` returns, or the one that the same ``Idempotency-Key`` and body got before.

    Raises Refused("idempotency_conflict") for another body, Unavailable("redis_unavailable") while Redis is down.
    """
    known = await begin_idempotent(request)
    if isinstance(known, Replay):
        return Response(known.body, status_code=known.status, media_type=JSON, headers=known.headers)
    response = await make()
    if known is not None:
        headers = {name: value for name, value in response.headers.items() if name in {"ETag", "Location"}}
        with suppress(Unavailable, Refused):  # the work is done; a repeat does it again with the same ids
            if is_kept(response.status_code or HTTPStatus.OK, response.content):
                await request.http.caps.keep_bytes(request.user, len(response.content))
            await request.http.idempotency.finish(known, response.status_code or HTTPStatus.OK, response.content, headers)
    return response


async def begin_idempotent(request: ApiRequest) -> Fresh | Replay | None:
    """What is stored under the request's ``Idempotency-Key``; None without one. Raises like ``run_idempotent``.

    Called alone it refuses another body, for responses that must not be stored.
    """
    if (key := request.idempotency_key) is None:
        return None
    caller = request.user
    known = await request.http.idempotency.begin(caller.tenant, caller.account_id, request.scope["path"], key, await request.body())
    if isinstance(known, Fresh) and known.is_new:
        try:
            await request.http.caps.keep_bytes(caller, KEY_BYTES)
        except Refused:
            await request.http.idempotency.forget(known)
            raise
    return known


async def find_created(request: ApiRequest, table: RecordTable[T], scope: str, id: str) -> T | None:  # noqa: A002
    """The record that the same request created before, whose stored answer is gone; None when it is to be created now.

    Raises Refused("deleted_since"): a repeat of an old request never brings back what was deleted since.
    """
    if request.idempotency_key is None:
        return None
    present = await table.get(scope, id)
    if present is None and await table.is_deleted(scope, id):
        raise Refused("deleted_since")
    return present


def etag(revision: int) -> str:
    """The strong ETag of a record's revision."""
    return f'"{revision}"'


def require_match(request: ApiRequest, revision: int) -> None:
    """Refused("lost_update") when ``If-Match`` names another revision; without the header the last write wins."""
    expected = request.headers.get("if-match")
    if expected is None or expected.strip() == "*":
        return
    if etag(revision) not in {tag.strip() for tag in expected.split(",")}:
        raise Refused("lost_update")


def if_match_revision(request: ApiRequest) -> int | None:
    """The revision in ``If-Match``, None without one; -1, which no record has, for any other text."""
    header = request.headers.get("if-match")
    if header in {None, "*"}:
        return None
    number = str(header).strip().removeprefix("W/").strip('"')
    return int(number) if number.isascii() and number.isdigit() and len(number) <= REVISION_DIGITS_MAX else -1


def given_fields(data: msgspec.Struct) -> dict[str, Any]:
    """The fields of a PATCH that were sent."""
    return {name: value for name, value in msgspec.structs.asdict(data).items() if value is not msgspec.UNSET}


def map_page(page: TablePage[T], view: Callable[[T], B]) -> Page[B]:
    """A page of a record table as a page of views."""
    return Page(items=tuple(view(item) for item in page.items), next_cursor=page.next_cursor or None)


def invalid_field(field: str, detail: str, limit: str = "", code: str = "validation_failed") -> Refused:
    """The refusal of one field that only the handler can validate."""
    return Refused(code, errors=(FieldError(field, detail, limit),))


def to_utc(field: str, at: datetime) -> datetime:
    """A time of a request in UTC; Refused("validation_failed") for one without a zone. What lies before 1970 or after 9998 becomes that
    bound: nothing here is so old or so late, and computing with the first and last times there are overflows.
    """
    if at.tzinfo is None:
        raise invalid_field(field, "has no time zone", "an RFC 3339 time such as 2026-01-31T00:00:00Z")
    return max(TIME_MIN, min(at, TIME_MAX)).astimezone(UTC)
