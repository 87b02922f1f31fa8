"""A conversation as a file: all of it as JSON, or the newest branch as Markdown. Streamed page by page."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Router, get
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from api.chats.branches import branch_ids
from api.chats.ports import ChatPorts
from api.http.gate import CHAT
from api.http.openapi import EXPORT_FILE, PROBLEMS, ExportOperation
from api.http.request import ApiRequest
from schemas.bodies.conversations import ConversationView, MessageView
from schemas.chats import Citation, Message
from schemas.records import Conversation

PAGE = 100  # messages read at once: some hundred kilobytes, at the longest answers a few megabytes
BRANCH_MAX = 50_000  # messages of a Markdown file, whose ids are held in memory meanwhile (5 MB); a note says that older ones are left out

Format = Annotated[
    Literal["json", "markdown"], QueryParameter(description="`json`: every branch; `markdown`: the newest one, citations as footnotes.")
]

_encode = msgspec.json.Encoder().encode
_LINES = re.compile(r"\s+")


@get(
    "/conversations/{conversation_id:str}/export",
    opt=CHAT,
    responses={**PROBLEMS, 200: EXPORT_FILE},
    operation_class=ExportOperation,
    summary="Export a conversation",
)
async def export(request: ApiRequest, conversation_id: FromPath[UUID], format: Format = "json") -> Stream:  # noqa: A002
    """A file to download. Messages written meanwhile may be missing; a download that breaks off is not valid JSON."""
    ports, caller = request.ports(ChatPorts), request.user
    found = await ports.http.access.find_conversation(caller, str(conversation_id))
    scope, now = f"{caller.tenant}/{found.id}", ports.core.clock.now()
    parts = _json(ports, scope, found, now) if format == "json" else _markdown(ports, scope, found, now)
    first = await anext(parts)  # an error is still answered with a problem
    kind, ending = ("application/json", "json") if format == "json" else ("text/markdown", "md")
    headers = {"content-disposition": f'attachment; filename="conversation-{found.id}.{ending}"'}
    return Stream(_prepend(first, parts), media_type=kind, headers=headers)


async def _prepend(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part


async def _json(ports: ChatPorts, scope: str, found: Conversation, now: datetime) -> AsyncGenerator[bytes, None]:
    """A ``ConversationFile``, page by page."""
    head = {"exported_at": now, "conversation": ConversationView.of(found)}
    separator, cursor = _encode(head)[:-1] + b',"messages":[\n', ""
    while True:
        page = await ports.core.read_models.messages.list(scope, limit=PAGE, cursor=cursor, newest_first=False)
        if page.items:
            yield separator + b",\n".join(_encode(MessageView.of(message)) for message in page.items)
            separator = b",\n"
        if not (cursor := page.next_cursor):
            break
    yield (b"" if separator == b",\n" else separator) + b"\n]}\n"


async def _markdown(ports: ChatPorts, scope: str, found: Conversation, now: datetime) -> AsyncGenerator[bytes, None]:
    newest = await ports.core.read_models.messages.list(scope, limit=1)
    ids = await branch_ids(ports, scope, newest.items[0], BRANCH_MAX) if newest.items else []
    title = _line(found.title) or f"Conversation {found.id}"
    left_out = f" The newest {BRANCH_MAX} messages." if len(ids) == BRANCH_MAX else ""
    head = f"# {title}\n\n*{found.type}, begun {_time(found.created_at)}, exported {_time(now)}.*{left_out}\n"
    for start in range(0, max(len(ids), 1), PAGE):
        some = ids[start : start + PAGE]
        messages = await ports.core.read_models.messages.get_many(scope, some)
        rendered = (render_message(messages[each], start + number) for number, each in enumerate(some, 1) if each in messages)
        yield (head + "".join(rendered)).encode()
        head = ""


def render_message(message: Message, number: int) -> str:
    """One message; the markers of its citations become footnotes, numbered by message so that they are unique."""
    text = message.content
    for marker in {citation.marker for citation in message.citations}:
        text = re.sub(rf"\[{marker}\]|【{marker}】", f"[^{number}-{marker}]", text)
    speaker = "Question" if message.role == "user" else f"Answer ({message.model})" if message.model else "Answer"
    state = "" if message.state == "complete" else f", {message.state}"
    notes = "".join(f"\n[^{number}-{marker}]: {note}\n" for marker, note in _notes(message.citations))
    return f"\n## {speaker}\n\n*{_time(message.created_at)}{state}*\n\n{text}\n{notes}"


def _notes(citations: Sequence[Citation]) -> Iterator[tuple[int, str]]:
    """One footnote per marker: the document and the place, then all quotes from there."""
    for marker in sorted({citation.marker for citation in citations}):
        cited = [citation for citation in citations if citation.marker == marker]
        source = ", ".join(filter(None, (_line(cited[0].title) or cited[0].document_id, _line(cited[0].locator))))
        quotes = " … ".join(dict.fromkeys(_line(citation.quote) for citation in cited))
        yield marker, f"{source}: “{quotes}”"


def _line(text: str) -> str:
    return _LINES.sub(" ", text).strip()


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[export], tags=["conversations"])
