"""What this process has seen of running conversations, so that they go on while Redis is down.

Nothing here is the truth: it is read when Redis cannot answer, and what is a second old at most also spares a round trip per question.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from api.http.recent import Recent
from domain.chats.history import BranchHistory, HistoryBudget
from domain.chats.reply_lock import ReplyLocation
from schemas.chats import Turn
from schemas.records import Conversation

CONVERSATIONS_MAX = 5_000
HISTORIES_MAX = 500  # each bounded by limits.history_bytes_max (64 KB): 32 MB at worst
REPLIES_MAX = 10_000
FRESH_S = 1.0  # how long a list of knowledge bases is taken as it was: sharing that ends is felt within a second
STALE_S = 3_600.0  # with Redis down longer than this a conversation is no longer "running"
BACKGROUND_TASKS_MAX = 1_000  # pieces of work beside requests; what is dropped beyond that, somebody else does later

ConversationKey = tuple[str, str]  # tenant, conversation id


class LocalState:
    """One per process. Keys carry the tenant, so nothing crosses the wall."""

    def __init__(self) -> None:
        self.conversations: Recent[tuple[str, str, str], Conversation] = Recent(CONVERSATIONS_MAX)  # tenant, user, conversation
        self.knowledge: Recent[tuple[str, str], tuple[str, ...]] = Recent(CONVERSATIONS_MAX)  # tenant, user
        self.histories: Recent[ConversationKey, BranchHistory] = Recent(HISTORIES_MAX)
        self.locations: Recent[tuple[str, str], ReplyLocation] = Recent(REPLIES_MAX)  # tenant, reply
        self.streams = 0  # event streams open now
        self.uploads: Counter[str] = Counter()  # under way now, by account
        self.sockets_open = 0  # WebSocket connections open now
        self.sockets: Counter[str] = Counter()  # those that said who they are, by account
        self._alone: Recent[ConversationKey, str] = Recent(REPLIES_MAX)  # turns taken here because Redis could not be asked
        self._read: dict[ConversationKey, str] = {}  # replies that somebody reads here: open, whatever Redis would say
        self._followers: set[asyncio.Task[None]] = set()

    def holder(self, conversing: ConversationKey, ttl_s: float) -> str | None:
        """The reply that took this turn here, alone."""
        return self._alone.get(conversing, ttl_s)

    def take(self, conversing: ConversationKey, reply_id: str, ttl_s: float) -> str:
        """Take the turn without Redis; the reply that has it now, as far as this process knows."""
        holder = self._alone.get(conversing, ttl_s) or self._read.get(conversing)
        if holder is None:
            self._alone.put(conversing, reply_id)
            return reply_id
        return holder

    def add_reader(self, conversing: ConversationKey, reply_id: str) -> None:
        """Somebody reads this reply here."""
        self._read[conversing] = reply_id

    def remove_reader(self, conversing: ConversationKey, reply_id: str) -> None:
        """They have left, or it has ended."""
        if self._read.get(conversing) == reply_id:
            del self._read[conversing]

    def close(self, conversing: ConversationKey, reply_id: str) -> None:
        """The reply has ended, or never began: give back the turn if it was taken here."""
        self.remove_reader(conversing, reply_id)
        if self._alone.get(conversing, STALE_S) == reply_id:
            self._alone.forget(conversing)

    def add_turn(self, conversing: ConversationKey, message_id: str, turn: Turn, budget: HistoryBudget) -> None:
        """Something was said in a conversation whose history is known here."""
        known = self.histories.get(conversing, STALE_S)
        if known is not None:
            self.histories.put(conversing, known.with_turn(message_id, turn, budget))

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside the request, or drop it when too much is running: nothing may depend on it."""
        if len(self._followers) >= BACKGROUND_TASKS_MAX:
            work.close()
            return
        task = asyncio.create_task(work, name="beside-a-request")
        self._followers.add(task)
        task.add_done_callback(self._followers.discard)

    async def stop(self) -> None:
        """End what runs beside requests."""
        for task in self._followers:
            task.cancel()
        if self._followers:
            await asyncio.wait(self._followers)
