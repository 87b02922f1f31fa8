"""Search in the messages of conversations, a few conversations a page, so that its time does not grow with what an account has."""

import re
from typing import Annotated

from litestar import Router, get
from litestar.params import QueryParameter

from api.conversations.filters import SEARCH_CHARS_MAX, fold, words_of
from api.http.access import conversations_of
from api.http.gate import CHAT
from api.http.openapi import PROBLEMS, Cursor
from api.http.request import ApiRequest
from schemas.bodies.conversations import ConversationView, MessageHit
from schemas.bodies.pages import Page
from schemas.chats import Message
from schemas.records import Conversation

CONVERSATIONS_MAX = 20  # of one page
MESSAGES_MAX = 50  # of one conversation, the newest
CONTENT_CHARS_MAX = 20_000  # of one message, its beginning
EXCERPT_CHARS = 60  # on each side of the first word

Text = Annotated[
    str,
    QueryParameter(
        min_length=1, max_length=SEARCH_CHARS_MAX, description="A message has to have all of these words, in any case and order."
    ),
]


@get("/conversations/search", opt=CHAT, responses=PROBLEMS, summary="Search in the messages of your conversations")
async def search(request: ApiRequest, q: Text, cursor: Cursor = "") -> Page[MessageHit]:
    """The newest message of each conversation that has the words, the last active conversation first. A page reads the newest 50 messages
    of at most 20 conversations, of each message the first 20,000 characters: it may have no items, and a cursor to go on with.
    """
    caller, words = request.user, words_of(q)
    models = request.core.read_models
    page = await models.conversations.list(conversations_of(caller), limit=CONVERSATIONS_MAX, cursor=cursor)
    hits = []
    for conversation in page.items if words else ():
        messages = await models.messages.list(f"{caller.tenant}/{conversation.id}", limit=MESSAGES_MAX)
        found = next((message for message in messages.items if has_words(message, words)), None)
        if found is not None:
            hits.append(_hit(conversation, found, words))
    return Page(items=tuple(hits), next_cursor=page.next_cursor or None)


def has_words(message: Message, words: tuple[str, ...]) -> bool:
    """Whether the message has all of these folded words."""
    text = fold(message.content[:CONTENT_CHARS_MAX])
    return all(word in text for word in words)


def excerpt_of(content: str, words: tuple[str, ...]) -> str:
    """The surroundings of the first of the words on one line; the beginning where it is written in another width."""
    found = re.search("|".join(map(re.escape, words)), content[:CONTENT_CHARS_MAX], re.IGNORECASE)
    start, end = found.span() if found is not None else (0, 0)
    first, last = max(0, start - EXCERPT_CHARS), end + EXCERPT_CHARS
    return ("…" if first else "") + " ".join(content[first:last].split()) + ("…" if last < len(content) else "")


def _hit(conversation: Conversation, message: Message, words: tuple[str, ...]) -> MessageHit:
    return MessageHit(
        conversation=ConversationView.of(conversation),
        message_id=message.id,
        role=message.role,
        created_at=message.created_at,
        excerpt=excerpt_of(message.content, words),
    )


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[search], tags=["conversations"])
