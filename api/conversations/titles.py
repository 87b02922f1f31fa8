"""The title of a conversation, derived from its first question until a person or the summariser sets a better one."""

import msgspec
import structlog

from api.chats.ports import ChatPorts
from api.http.request import ApiRequest
from domain.chats.titles import is_untitled, title_of
from domain.chats.topics import CONVERSATIONS_CHANGED
from schemas.errors import Refused, Unavailable
from schemas.records import ConversationChanged
from streams.log.outgoing import Outgoing

log = structlog.get_logger(__name__)


async def title_conversation(request: ApiRequest, conversation_id: str, question: str) -> None:
    """Set the title of an untitled conversation. Runs beside the request: a failure is logged, and the next first question tries again."""
    ports, title = request.ports(ChatPorts), title_of(question)
    try:
        async with ports.core.records.lease(f"conversation/{conversation_id}"):
            present = await ports.http.access.find_conversation(request.user, conversation_id)
            if title and is_untitled(present):
                named = msgspec.structs.replace(present, title=title, titled_by="rule", revision=present.revision + 1)
                await ports.core.records.change(Outgoing(CONVERSATIONS_CHANGED, await request.event(ConversationChanged, named.id, named)))
                ports.http.access.remember_conversation(named)
    except (Refused, Unavailable) as error:
        log.info("conversation_not_named", conversation_id=conversation_id, cause=str(error))
