"""What this process has seen of running conversations, so that they go on while Redis is down.

It is read only when Redis does not answer.
"""

from api.http.recent import Recent
from domain.chats.history import BranchHistory, HistoryBudget
from schemas.chats import Turn

HISTORIES_MAX = 500  # each bounded by limits.history_bytes_max (64 KB): 32 MB at worst
REPLIES_MAX = 10_000
STALE_S = 3_600.0  # with Redis down longer than this a conversation is no longer "running"

ConversationKey = tuple[str, str]  # tenant, conversation id


class RunningConversations:
    """One per process. Keys carry the tenant, so tenants stay apart."""

    def __init__(self) -> None:
        self.histories: Recent[ConversationKey, BranchHistory] = Recent(HISTORIES_MAX)
        self._local_locks: Recent[ConversationKey, str] = Recent(REPLIES_MAX)  # reply locks taken here while Redis was down
        self._read: dict[ConversationKey, str] = {}  # replies with a reader here: open, whatever Redis says

    def holder(self, conversation: ConversationKey, ttl_s: float) -> str | None:
        """The reply that holds the lock taken here without Redis."""
        return self._local_locks.get(conversation, ttl_s)

    def acquire(self, conversation: ConversationKey, reply_id: str, ttl_s: float) -> str:
        """Take the reply lock without Redis; returns the reply that holds it, as far as this process knows."""
        holder = self._local_locks.get(conversation, ttl_s) or self._read.get(conversation)
        if holder is None:
            self._local_locks.put(conversation, reply_id)
            return reply_id
        return holder

    def add_reader(self, conversation: ConversationKey, reply_id: str) -> None:
        """A reader of this reply has connected here."""
        self._read[conversation] = reply_id

    def remove_reader(self, conversation: ConversationKey, reply_id: str) -> None:
        """The reader has left, or the reply has ended."""
        if self._read.get(conversation) == reply_id:
            del self._read[conversation]

    def close(self, conversation: ConversationKey, reply_id: str) -> None:
        """The reply has ended, or never began: release the lock if it was taken here."""
        self.remove_reader(conversation, reply_id)
        if self._local_locks.get(conversation, STALE_S) == reply_id:
            self._local_locks.forget(conversation)

    def add_turn(self, conversation: ConversationKey, message_id: str, turn: Turn, budget: HistoryBudget) -> None:
        """Append a turn to a history that is known here."""
        known = self.histories.get(conversation, STALE_S)
        if known is not None:
            self.histories.put(conversation, known.with_turn(message_id, turn, budget))
