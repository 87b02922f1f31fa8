"""Which conversations and knowledge bases a caller may use. A record of another tenant, or one that is not shared, is ``404``.

While Redis is down questions are answered from what this process has seen; every other request is refused with a 503.
"""

from collections.abc import Sequence

from api.http.identity import Caller
from api.http.recent import Recent
from domain.read_models import ReadModels
from schemas.bodies.conversations import KNOWLEDGE_BASES_MAX
from schemas.errors import Refused, Unavailable
from schemas.records import Conversation, KnowledgeBase

SCAN_PAGES_MAX = 10  # of a tenant's knowledge bases, 100 each, when the readable ones are collected
SCAN_PAGE = 100
RECENT_MAX = 5_000
FRESH_S = 1.0  # age at which a list of knowledge bases is read again: sharing that ends takes effect within a second
STALE_S = 3_600.0  # with Redis down longer than this a conversation is no longer "running"


def conversations_of(caller: Caller) -> str:
    """The scope of the caller's conversations."""
    return f"{caller.tenant}/{caller.account_id}"


def can_read(caller: Caller, base: KnowledgeBase) -> bool:
    """Whether the caller may read the contents of ``base``."""
    return base.user_id == caller.account_id or base.sharing == "tenant"


class Access:
    """Records by the rights of a caller, and the last ones that this process has seen. Keys carry the tenant."""

    def __init__(self, read_models: ReadModels) -> None:
        self._read_models = read_models
        self._conversations: Recent[tuple[str, str, str], Conversation] = Recent(RECENT_MAX)  # tenant, account, conversation
        self._knowledge: Recent[tuple[str, str], tuple[str, ...]] = Recent(RECENT_MAX)  # tenant, account and chosen ones

    async def find_conversation(self, caller: Caller, conversation_id: str, *, lately: bool = False) -> Conversation:
        """The caller's conversation; Refused("not_found"). ``lately``: with Redis down, as this process saw it within the hour."""
        key = (caller.tenant, caller.account_id, conversation_id)
        try:
            found = await self._read_models.conversations.get(conversations_of(caller), conversation_id)
        except Unavailable:
            found = self._conversations.get(key, STALE_S) if lately else None
            if found is None:
                raise
            return found
        if found is None:
            self._conversations.forget(key)
            raise Refused("not_found", f"there is no conversation {conversation_id}")
        self._conversations.put(key, found)
        return found

    def remember_conversation(self, record: Conversation) -> None:
        """A conversation was changed here."""
        key = (record.tenant, record.user_id, record.id)
        if record.deleted:
            self._conversations.forget(key)
        else:
            self._conversations.put(key, record)

    async def find_knowledge_base(self, caller: Caller, base_id: str) -> KnowledgeBase:
        """A knowledge base that the caller may read; Refused("not_found")."""
        found = await self._read_models.knowledge_bases.get(caller.tenant, base_id)
        if found is None or not can_read(caller, found):
            raise Refused("not_found", f"there is no knowledge base {base_id}")
        return found

    async def find_own_knowledge_base(self, caller: Caller, base_id: str) -> KnowledgeBase:
        """A knowledge base that the caller may change; Refused("forbidden") for one that is only shared with them."""
        found = await self.find_knowledge_base(caller, base_id)
        if found.user_id != caller.account_id:
            raise Refused("forbidden", "only its owner may change a knowledge base")
        return found

    async def check_knowledge_bases(self, caller: Caller, base_ids: Sequence[str]) -> None:
        """Refused("not_found") unless the caller may read all of them."""
        if base_ids:
            found = await self._read_models.knowledge_bases.get_many(caller.tenant, base_ids)
            for base_id in base_ids:
                if base_id not in found or not can_read(caller, found[base_id]):
                    raise Refused("not_found", f"there is no knowledge base {base_id}")

    async def resolve_knowledge_bases(self, caller: Caller, chosen: tuple[str, ...]) -> tuple[str, ...]:
        """The knowledge bases that a question searches: those of ``chosen`` that the caller may still read, or all they may read (at most
        64). With Redis down as this process saw them within the hour; Unavailable when it did not.
        """
        key = (caller.tenant, f"{caller.account_id}/{','.join(chosen)}")
        known = self._knowledge.get(key, FRESH_S)
        if known is not None:
            return known
        try:
            readable = await self._filter_readable(caller, chosen) if chosen else await self._list_readable(caller)
        except Unavailable:
            known = self._knowledge.get(key, STALE_S)
            if known is None:
                raise
            return known
        self._knowledge.put(key, readable)
        return readable

    def invalidate_knowledge_bases(self, caller: Caller) -> None:
        """The caller has changed a knowledge base here: the next question reads the list again."""
        self._knowledge.forget((caller.tenant, f"{caller.account_id}/"))

    async def _filter_readable(self, caller: Caller, chosen: tuple[str, ...]) -> tuple[str, ...]:
        found = await self._read_models.knowledge_bases.get_many(caller.tenant, chosen)
        return tuple(base_id for base_id in chosen if base_id in found and can_read(caller, found[base_id]))

    async def _list_readable(self, caller: Caller) -> tuple[str, ...]:
        readable: list[str] = []
        cursor = ""
        for _ in range(SCAN_PAGES_MAX):
            page = await self._read_models.knowledge_bases.list(caller.tenant, limit=SCAN_PAGE, cursor=cursor, newest_first=False)
            readable += [base.id for base in page.items if can_read(caller, base)]
            cursor = page.next_cursor
            if not cursor or len(readable) >= KNOWLEDGE_BASES_MAX:
                break
        return tuple(readable[:KNOWLEDGE_BASES_MAX])
