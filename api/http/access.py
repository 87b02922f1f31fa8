"""Which conversations and knowledge bases a caller may use. What is another tenant's, or not shared, is ``404``: it is not there.

Questions go on while Redis is down with what this process has seen of them; everything else says so with a 503.
"""

from collections.abc import Sequence

from api.chats.running import FRESH_S, STALE_S
from api.http.identity import Caller
from api.ports import Ports
from schemas.bodies.conversations import KNOWLEDGE_BASES_MAX
from schemas.errors import Refused, Unavailable
from schemas.records import Conversation, KnowledgeBase

SCAN_PAGES_MAX = 10  # of a tenant's knowledge bases, 100 each, when the visible ones are gathered
SCAN_PAGE = 100


def conversations_of(caller: Caller) -> str:
    """The scope of the caller's conversations."""
    return f"{caller.tenant}/{caller.account_id}"


async def find_conversation(ports: Ports, caller: Caller, conversation_id: str, *, lately: bool = False) -> Conversation:
    """The caller's conversation. ``lately``: with Redis down, as it was seen here within the hour."""
    key = (caller.tenant, caller.account_id, conversation_id)
    try:
        found = await ports.views.conversations.get(conversations_of(caller), conversation_id)
    except Unavailable:
        found = ports.running.conversations.get(key, STALE_S) if lately else None
        if found is None:
            raise
        return found
    if found is None:
        ports.running.conversations.forget(key)
        raise Refused("not_found", f"there is no conversation {conversation_id}")
    ports.running.conversations.put(key, found)
    return found


def can_read(caller: Caller, base: KnowledgeBase) -> bool:
    """Whether the caller may read what is in ``base``."""
    return base.user_id == caller.account_id or base.sharing == "tenant"


async def find_knowledge_base(ports: Ports, caller: Caller, base_id: str) -> KnowledgeBase:
    """A knowledge base the caller may read."""
    found = await ports.views.knowledge_bases.get(caller.tenant, base_id)
    if found is None or not can_read(caller, found):
        raise Refused("not_found", f"there is no knowledge base {base_id}")
    return found


async def find_own_knowledge_base(ports: Ports, caller: Caller, base_id: str) -> KnowledgeBase:
    """A knowledge base the caller may change; one that is only shared with them is ``403``."""
    found = await find_knowledge_base(ports, caller, base_id)
    if found.user_id != caller.account_id:
        raise Refused("forbidden", "only its owner may change a knowledge base")
    return found


async def check_knowledge_bases(ports: Ports, caller: Caller, base_ids: Sequence[str]) -> None:
    """Refused("not_found") unless the caller may read all of them."""
    if base_ids:
        found = await ports.views.knowledge_bases.get_many(caller.tenant, base_ids)
        for base_id in base_ids:
            if base_id not in found or not can_read(caller, found[base_id]):
                raise Refused("not_found", f"there is no knowledge base {base_id}")


async def resolve_knowledge_bases(ports: Ports, caller: Caller, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """The knowledge bases a question is held against: those of the conversation that the caller still sees, or all they see (at most
    64). With Redis down as they were seen here within the hour; Unavailable when they were not.
    """
    key = (caller.tenant, f"{caller.account_id}/{','.join(chosen)}")
    known = ports.running.knowledge.get(key, FRESH_S)
    if known is not None:
        return known
    try:
        visible = await _filter_readable(ports, caller, chosen) if chosen else await _list_readable(ports, caller)
    except Unavailable:
        known = ports.running.knowledge.get(key, STALE_S)
        if known is None:
            raise
        return known
    ports.running.knowledge.put(key, visible)
    return visible


def invalidate_knowledge_bases(ports: Ports, caller: Caller) -> None:
    """What the caller sees has just changed here: the next question looks anew."""
    ports.running.knowledge.forget((caller.tenant, f"{caller.account_id}/"))


async def _filter_readable(ports: Ports, caller: Caller, chosen: tuple[str, ...]) -> tuple[str, ...]:
    found = await ports.views.knowledge_bases.get_many(caller.tenant, chosen)
    return tuple(base_id for base_id in chosen if base_id in found and can_read(caller, found[base_id]))


async def _list_readable(ports: Ports, caller: Caller) -> tuple[str, ...]:
    visible: list[str] = []
    cursor = ""
    for _ in range(SCAN_PAGES_MAX):
        page = await ports.views.knowledge_bases.list(caller.tenant, limit=SCAN_PAGE, cursor=cursor, newest_first=False)
        visible += [base.id for base in page.items if can_read(caller, base)]
        cursor = page.next_cursor
        if not cursor or len(visible) >= KNOWLEDGE_BASES_MAX:
            break
    return tuple(visible[:KNOWLEDGE_BASES_MAX])
