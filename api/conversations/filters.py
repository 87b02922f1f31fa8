"""Which conversations a list is to have: pure."""

import unicodedata

from msgspec import Struct

from schemas.records import Conversation

SEARCH_CHARS_MAX = 200  # as long as a title


class ConversationFilter(Struct, frozen=True, kw_only=True):
    """None and no words accept every conversation. ``words``: folded, and the title must have all of them."""

    status: str | None = None
    pinned: bool | None = None
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, *, status: str | None, pinned: bool | None, q: str) -> "ConversationFilter":
        """The filter of a request; ``q`` as a person types it."""
        return cls(status=status, pinned=pinned, words=words_of(q))

    @property
    def is_set(self) -> bool:
        """Whether it refuses any."""
        return self.status is not None or self.pinned is not None or bool(self.words)

    def accepts(self, conversation: Conversation) -> bool:
        """Whether the list has this one."""
        if self.status not in {None, conversation.status} or self.pinned not in {None, conversation.pinned}:
            return False
        title = fold(conversation.title) if self.words else ""
        return all(word in title for word in self.words)


def words_of(q: str) -> tuple[str, ...]:
    """The words to look for, folded, each once."""
    return tuple(dict.fromkeys(fold(q).split()))


def fold(text: str) -> str:
    """Letters without case, width and ligatures: "ＦＡＱ" is found by "faq"."""
    return unicodedata.normalize("NFKC", text).casefold()
