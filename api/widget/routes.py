"""Questions of a page's visitors, their streams, and Stop."""

from http import HTTPStatus
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from api.chats.ask import check_question
from api.chats.estimates import QueueEstimate
from api.chats.ports import ChatPorts
from api.chats.replies import Reply, cancel_reply, first_frame, relay_reply
from api.chats.standalone import StandaloneQuestion, ask_standalone, find_reply, find_streamable
from api.http.gate import WIDGET, address_of
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import NO_MORE, PROBLEMS, event_stream
from api.http.request import ApiRequest
from api.http.responses import invalid_field
from api.http.sse import EventStream
from api.widget.events import public_frames
from api.widget.ports import WidgetPorts
from domain.chats.relay.frames import EventId
from domain.widgets.budget import seconds_to_reset
from domain.widgets.errors import WIDGET_EMPTY, WIDGET_QUESTIONS_USED, WIDGET_SHARE_USED
from domain.widgets.limits import WidgetLimits
from schemas.bodies.streams import WIDGET_EVENTS
from schemas.bodies.widget import WidgetCancelAccepted, WidgetQuestion
from schemas.chats import Turn
from schemas.errors import Refused
from schemas.widgets import WidgetAccess

ROOT = "/widget"
DAY_RULE = "widget_questions_per_day"

EVENTS = event_stream("The answer, as a visitor of the page sees it; every event has an id for `Last-Event-ID`.", WIDGET_EVENTS)


@post(
    f"{ROOT}/questions",
    opt=WIDGET | RUNS_AGAIN,
    responses={**PROBLEMS, 200: EVENTS},
    status_code=HTTPStatus.OK,
    summary="Ask from a page",
)
async def ask(request: ApiRequest, data: JSONBody[WidgetQuestion]) -> Response[None]:
    """The knowledge bases of the key, and the turns that the page has kept. A visitor who leaves does not stop the answer."""
    access, limits = _widget_of(request)
    _check_length(request, data.question)
    chosen = _chosen_bases(access, data)
    await _take_stream(request, limits)
    await request.http.limiting.spend_widget_question(access, request.user, address_of(request.scope))
    bases = await request.http.access.resolve_knowledge_bases(request.user, chosen)
    if not bases:
        raise Refused(WIDGET_EMPTY)
    asked = StandaloneQuestion(
        door="query",
        content=data.question,
        knowledge_base_ids=bases,
        history=tuple(Turn(turn.role, turn.content) for turn in data.history if turn.content),
    )
    reply, queue = await _ask_within_budget(request, asked, limits)
    frames = relay_reply(request.ports(ChatPorts), request.user, reply, first=first_frame(reply, *(queue or (None, None))))
    return EventStream(public_frames(frames))


@get(
    f"{ROOT}/questions/{{reply_id:str}}/stream",
    opt=WIDGET,
    responses={**PROBLEMS, 200: EVENTS, 204: NO_MORE},
    summary="Stream the answer to a page",
)
async def stream(request: ApiRequest, reply_id: FromPath[UUID]) -> Response[None]:
    """From the beginning, or exactly after ``Last-Event-ID``; for a day, and with the key that asked."""
    _, limits = _widget_of(request)
    await _take_stream(request, limits)
    reply = await find_streamable(request, str(reply_id))
    last_event_id = request.headers.get("last-event-id")
    frames = relay_reply(request.ports(ChatPorts), request.user, reply, last_event_id)
    return EventStream(public_frames(frames), resumes=EventId.parse(last_event_id) is not None)


@post(
    f"{ROOT}/questions/{{reply_id:str}}/cancel",
    opt=WIDGET | RUNS_AGAIN,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Cancel the answer to a page",
)
async def cancel(request: ApiRequest, reply_id: FromPath[UUID]) -> WidgetCancelAccepted:
    """It ends as cancelled, unless it ends by itself first. ``409`` when it has already ended."""
    reply, message = await find_reply(request, str(reply_id))
    await cancel_reply(request, reply, message)
    return WidgetCancelAccepted(reply_id=reply.id)


def _widget_of(request: ApiRequest) -> tuple[WidgetAccess, WidgetLimits]:
    """The caller's key, and its limits in force; the gate lets nobody else in."""
    access = request.user.widget
    assert access is not None
    return access, request.http.limiting.widget_limits(access)


def _chosen_bases(access: WidgetAccess, data: WidgetQuestion) -> tuple[str, ...]:
    """Refused("not_found") for one that the key is not for, whether it exists or not."""
    chosen = tuple(dict.fromkeys(map(str, data.knowledge_base_ids)))
    for base_id in chosen:
        if base_id not in access.knowledge_base_ids:
            raise Refused("not_found", f"there is no knowledge base {base_id}")
    return chosen or access.knowledge_base_ids


def _check_length(request: ApiRequest, question: str) -> None:
    check_question(request.ports(ChatPorts), "question", question)
    longest = request.ports(WidgetPorts).settings.value.question_chars_max
    if len(question) > longest:
        raise invalid_field("question", f"has {len(question)} characters", f"{longest} characters")


async def _take_stream(request: ApiRequest, limits: WidgetLimits) -> None:
    request.http.streams.check_capacity()
    await request.http.caps.hold_widget_stream(request.scope, request.user, limits.streams_max)


async def _ask_within_budget(request: ApiRequest, asked: StandaloneQuestion, limits: WidgetLimits) -> tuple[Reply, QueueEstimate | None]:
    """The question counts unless it was refused, or did not reach the log."""
    budget, key_id, now = request.ports(WidgetPorts).budget, request.user.key_id, request.core.clock.now()
    if not await budget.take(key_id, limits.questions_per_day, now):
        request.core.metrics.refusals.labels(DAY_RULE).inc()
        detail = f"{limits.questions_per_day} questions a day (questions_per_day of the key)"
        raise Refused(WIDGET_QUESTIONS_USED, detail, retry_after_s=seconds_to_reset(now), rule=DAY_RULE)
    is_asked = False
    try:
        found = await ask_standalone(request, asked)
        is_asked = True
    except Refused as refusal:
        if refusal.code != WIDGET_SHARE_USED.code:
            refusal.detail = ""  # what the account has used, and of how much, is not for strangers
        raise
    finally:
        if not is_asked:
            await budget.give_back(key_id, now)
    return found


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[ask, stream, cancel], tags=["widget"])
