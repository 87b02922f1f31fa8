"""Dead letters of the caller's tenant, for admins: listed newest first, grouped by cause, and redriven, one or many."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from api.core import Core
from api.http.audit import record_audit
from api.http.gate import ADMIN
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import json_response, run_idempotent
from domain.areas import TOPICS
from domain.dead_letters import build_redrive, dead_letter_reader
from schemas.bodies.dead_letters import (
    BulkRedriveRequest,
    BulkRedriveView,
    DeadLetterContent,
    DeadLetterGroupsView,
    DeadLetterGroupView,
    DeadLetterView,
    RedriveView,
)
from schemas.bodies.pages import Page
from schemas.errors import Refused
from streams.dead_letters.bulk import group_letters, read_letters, redrive_letters
from streams.dead_letters.reader import DeadLetter, DeadLetterFilter
from streams.dead_letters.redrive import Redrive

CONTENT_BYTES_MAX = 65_536  # shown of one letter
CONTENT_ITEMS_MAX = 20  # letters of a page with contents: each may have to be held in memory, 2 MiB
KEY_CHARS_MAX = 1_000
LETTERS_MAX = 2_000  # of a tenant, the newest: grouped, and searched for a filter

_PRIVATE = frozenset(topic.name for topic in TOPICS if topic.private)

Code = Annotated[str, QueryParameter(max_length=100, description="Only letters with this error code.")]
TopicName = Annotated[str, QueryParameter(max_length=249, description="Only letters from this topic.")]
Content = Annotated[bool, QueryParameter(description=f"With the original records, of at most {CONTENT_ITEMS_MAX} letters.")]


@get("/tasks/dead-letters", opt=ADMIN, responses=PROBLEMS, summary="List dead letters")
async def list_(
    request: ApiRequest,
    limit: Limit = 20,
    cursor: Cursor = "",
    code: Code = "",
    topic: TopicName = "",
    content: Content = False,  # noqa: FBT002
) -> Page[DeadLetterView]:
    """The newest first. A page may have fewer than ``limit``, even none, and still a ``next_cursor``: continue with it."""
    wanted = DeadLetterFilter(tenant=request.user.tenant, code=code or None, topic=topic or None)
    letters = dead_letter_reader(request.core.settings.kafka)
    page = await letters.page(wanted, limit=min(limit, CONTENT_ITEMS_MAX) if content else limit, cursor=cursor, content=content)
    sent = await _redrive(request.core).redrive_times([letter.id for letter in page.items])
    return Page(items=tuple(_view(letter, sent, content=content) for letter in page.items), next_cursor=page.next_cursor or None)


@post(
    "/tasks/dead-letters/{letter_id:str}/redrive",
    opt=ADMIN | RUNS_AGAIN,
    responses=PROBLEMS,
    status_code=200,
    summary="Redrive a dead letter",
)
async def redrive(request: ApiRequest, letter_id: FromPath[str]) -> Response[RedriveView]:
    """Sends the original record to its topic again, unless its document was submitted again or deleted since, or it was redriven before."""

    async def make() -> Response[Any]:
        letters = dead_letter_reader(request.core.settings.kafka)
        letter = await letters.get(letter_id)
        if letter is None or not DeadLetterFilter(tenant=request.user.tenant).matches(letter):
            raise Refused("not_found", f"there is no dead letter {letter_id[:40]}")
        done = await _redrive(request.core).send(letter_id, letter, later=await letters.find_later(letter))
        await record_audit(request, "dead_letter.redrive", target=letter_id, detail={"topic": letter.topic, "outcome": done.outcome})
        place = done.place
        outcome = cast("Any", done.outcome)  # the letter exists, so its outcome is not "gone"
        return json_response(
            RedriveView(
                id=letter_id,
                outcome=outcome,
                detail=done.detail,
                partition=place.partition if place else None,
                offset=place.offset if place else None,
            )
        )

    return await run_idempotent(request, make)


@get("/tasks/dead-letters/groups", opt=ADMIN, responses=PROBLEMS, summary="Group dead letters by cause")
async def groups(request: ApiRequest, code: Code = "", topic: TopicName = "") -> DeadLetterGroupsView:
    """By error code, topic and agent, of the newest 2,000 dead letters."""
    wanted = DeadLetterFilter(tenant=request.user.tenant, code=code or None, topic=topic or None)
    letters, complete = await read_letters(dead_letter_reader(request.core.settings.kafka), wanted, LETTERS_MAX)
    sent = await _redrive(request.core).redrive_times([letter.id for letter in letters])
    found = tuple(DeadLetterGroupView(**group._asdict()) for group in group_letters(letters, frozenset(sent)))
    return DeadLetterGroupsView(letters=len(letters), complete=complete, groups=found)


@post("/tasks/dead-letters/redrive", opt=ADMIN | RUNS_AGAIN, responses=PROBLEMS, status_code=200, summary="Redrive many dead letters")
async def redrive_many(request: ApiRequest, data: JSONBody[BulkRedriveRequest]) -> Response[BulkRedriveView]:
    """Sends the original records of all that match again, the oldest first, by the same rules as one. Try it with ``dry_run`` first."""

    async def make() -> Response[Any]:
        wanted = DeadLetterFilter(tenant=request.user.tenant, code=data.code, topic=data.topic, agent=data.agent)
        reader, sender = dead_letter_reader(request.core.settings.kafka), _redrive(request.core)
        done = await redrive_letters(reader, sender, wanted, letters_max=LETTERS_MAX, sent_max=data.limit, dry=data.dry_run)
        return json_response(BulkRedriveView(**done._asdict(), dry_run=data.dry_run))

    return await run_idempotent(request, make)


def _redrive(core: Core) -> Redrive:
    return build_redrive(
        core.settings.kafka,
        core.publisher,
        core.visibility,
        core.redis,
        core.settings.redis.key_prefix,
        core.clock,
    )


def _view(letter: DeadLetter, sent: Mapping[str, datetime], *, content: bool) -> DeadLetterView:
    shown = content and letter.topic not in _PRIVATE
    return DeadLetterView(
        id=letter.id,
        topic=letter.topic,
        partition=letter.original_partition,
        offset=letter.original_offset,
        key=(letter.key or b"").decode(errors="replace")[:KEY_CHARS_MAX],
        agent=letter.agent,
        code=letter.code,
        detail=letter.detail,
        attempts=letter.attempts,
        bytes=letter.value_bytes,
        at=letter.at,
        redriven_at=sent.get(letter.id),
        content=_content(letter) if shown else None,
    )


def _content(letter: DeadLetter) -> DeadLetterContent:
    value = letter.value or b""
    some, truncated = value[:CONTENT_BYTES_MAX], len(value) > CONTENT_BYTES_MAX
    headers = {name: raw.decode(errors="replace")[:KEY_CHARS_MAX] for name, raw in letter.headers.items()}
    try:
        text = some.decode()
    except UnicodeDecodeError as error:
        if not truncated or error.start < len(some) - 3:  # a character that was cut in two
            return DeadLetterContent(base64=base64.b64encode(some).decode(), truncated=truncated, headers=headers)
        text = some[: error.start].decode()
    return DeadLetterContent(null=letter.value is None, text=text, truncated=truncated, headers=headers)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[list_, groups, redrive, redrive_many], tags=["tasks"])
