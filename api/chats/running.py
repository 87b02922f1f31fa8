"""What this process has seen of running conversations, so that they go on while Redis is down, and at once when it is back."""

from typing import Literal

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
        self._asked_s: Recent[str, float] = Recent(REPLIES_MAX)  # of replies whose first reader here has not come yet
        self._closed: Recent[str, Literal["ended", "never asked"]] = Recent(REPLIES_MAX)  # replies that are not open, whatever Redis says

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

    def put_asked(self, reply_id: str, asked_s: float) -> None:
        """The question was answered by a location to follow: whoever follows it first has waited since ``asked_s`` (monotonic)."""
        self._asked_s.put(reply_id, asked_s)

    def take_asked(self, reply_id: str) -> float | None:
        """When the question was asked, once; None when it was asked elsewhere, or somebody follows it already."""
        asked_s = self._asked_s.get(reply_id, STALE_S)
        self._asked_s.forget(reply_id)
        return asked_s

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

    def mark_ended(self, reply_id: str) -> None:
        """The end of the reply was relayed here: whatever Redis says, it is not open."""
        self._closed.put(reply_id, "ended")

    def has_ended(self, reply_id: str) -> bool:
        """Whether its end was relayed here within the hour."""
        return self._closed.get(reply_id, STALE_S) == "ended"

    def mark_never_asked(self, reply_id: str) -> None:
        """The question of this reply did not reach the log, and never will: its id is of one request."""
        self._closed.put(reply_id, "never asked")

    def was_never_asked(self, reply_id: str) -> bool:
        """Whether the reply holds a lock here or in Redis without a question."""
        return self._closed.get(reply_id, STALE_S) == "never asked"

    def add_turn(self, conversation: ConversationKey, message_id: str, turn: Turn, budget: HistoryBudget) -> None:
        """Append a turn to a history that is known here."""
        known = self.histories.get(conversation, STALE_S)
        if known is not None:
            self.histories.put(conversation, known.with_turn(message_id, turn, budget))
