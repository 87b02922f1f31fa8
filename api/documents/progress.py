"""The progress of a knowledge base's documents as an event stream: the present state, then every step as it happens."""

from uuid import UUID

from litestar import Response, Router, get
from litestar.params import FromPath

from api.documents.ports import DocumentPorts
from api.documents.watch import WatchedKnowledgeBase
from api.http.gate import KNOWLEDGE_READ
from api.http.openapi import PROBLEMS, event_stream
from api.http.request import ApiRequest
from api.http.sse import EventStream
from api.http.watch import watch
from schemas.bodies.streams import PROGRESS_EVENTS

EVENTS = event_stream(
    "An event stream: first a `snapshot` (open documents, counts by state), then a `progress` for every step of a document; another "
    "`snapshot` in place of steps that were missed, and after every reconnect. `failed` when the knowledge base is no longer yours.",
    PROGRESS_EVENTS,
)


@get(
    "/knowledge/{knowledge_base_id:str}/events",
    opt=KNOWLEDGE_READ,
    responses={**PROBLEMS, 200: EVENTS},
    summary="Follow the progress of documents",
)
async def events(request: ApiRequest, knowledge_base_id: FromPath[UUID]) -> Response[None]:
    """The progress of every document, with percentage and estimated wait."""
    ports, core, http = request.ports(DocumentPorts), request.core, request.http
    await request.take_stream()
    base = await http.access.find_knowledge_base(request.user, str(knowledge_base_id))
    watched = WatchedKnowledgeBase(core.read_models, http.access, ports.estimates, request.user, base.id)
    return EventStream(watch(ports.progress, watched, core.clock, http.streams))


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[events], tags=["documents"])
