"""The title that a conversation gets from its first question, by rule: at once, and until somebody has a better one."""

import re

import msgspec
import structlog

from api.access import conversation
from api.requests import ApiRequest
from schemas.errors import Refused, Unavailable
from schemas.records import Conversation, ConversationChanged
from streams.agent import Outgoing
from streams.topics import CONVERSATIONS_CHANGED

TITLE_WIDTH_MAX = 60  # letters; a Chinese character is as wide as two

_SPACE = re.compile(r"[\s\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
_MARKUP = re.compile(r"^(?:#{1,6}|[-*+•>]|\d+[.)])\s+")
_END = re.compile(r"(?<=[。！？!?])|(?<=\.)\s")
_WIDE = 0x2E80  # from here on characters are as wide as two letters

log = structlog.get_logger(__name__)


def title_of(question: str) -> str:
    """Its first sentence on one line, cut between words; "" when it has no text."""
    line = next(filter(None, (_MARKUP.sub("", _SPACE.sub(" ", each).strip()) for each in question.splitlines())), "")
    sentence = _END.split(line, maxsplit=1)[0].strip()
    width, end = 0, 0
    for character in sentence:
        width += 2 if ord(character) >= _WIDE else 1
        if width > TITLE_WIDTH_MAX:
            break
        end += 1
    if end == len(sentence):
        return sentence
    kept = sentence[: max(1, end - 1)]
    between = kept.rfind(" ")
    return (kept[:between] if between > len(kept) // 2 else kept).rstrip(" ,;:，；：、") + "…"


def untitled(found: Conversation) -> bool:
    """Nobody has given it a title, nor taken one away."""
    return not found.title and not found.titled_by


async def name(request: ApiRequest, conversation_id: str, question: str) -> None:
    """Give an untitled conversation its title. For beside a request: a failure is logged, and the next first question tries again."""
    ports, title = request.ports, title_of(question)
    try:
        async with ports.records.lease(f"conversation/{conversation_id}"):
            present = await conversation(ports, request.user, conversation_id)
            if title and untitled(present):
                named = msgspec.structs.replace(present, title=title, titled_by="rule", revision=present.revision + 1)
                await ports.records.change(Outgoing(CONVERSATIONS_CHANGED, await request.event(ConversationChanged, named.id, named)))
                ports.running.conversations.put((named.tenant, named.user_id, named.id), named)
    except (Refused, Unavailable) as error:
        log.info("conversation_not_named", conversation_id=conversation_id, cause=str(error))
