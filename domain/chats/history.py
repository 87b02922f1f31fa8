"""The history that travels with a question: the newest turns of one branch within a budget, and a summary of those before.

Pure functions. A branch is its messages from the oldest that is known to the newest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.text.language import estimate_tokens
from schemas.chats import Message, Turn
from schemas.settings import LimitSettings

ANCESTORS_MIN = 20  # ids that a message carries at least, so that a branch is read upwards in few round trips even without a history
SUMMARISE_SHARE = (
    0.75  # of a budget: from here on older turns are summarised, while the rest of it still holds the questions asked meanwhile
)
VERBATIM_SHARE = 0.25  # of a budget: the newest turns that a summary leaves verbatim
PAIR = 2  # a question and its answer, which a summary never covers before the next question was asked
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class HistoryBudget:
    """Bounds of a history, all of which hold; ``summary`` is a summary's own bound in tokens, within ``tokens``. 0 messages: none."""

    messages: int
    bytes: int
    tokens: int
    summary: int

    @classmethod
    def from_limits(cls, limits: LimitSettings) -> "HistoryBudget":
        """As the settings say."""
        return cls(
            limits.history_messages_max,
            limits.history_bytes_max,
            limits.history_tokens_max,
            min(limits.summary_tokens_max, limits.history_tokens_max // 2),
        )

    @property
    def ancestors(self) -> int:
        """Ids that a message carries of those above it."""
        return max(self.messages, ANCESTORS_MIN)

    def share(self, part: float) -> "HistoryBudget":
        """A part of it."""
        return HistoryBudget(int(self.messages * part), int(self.bytes * part), int(self.tokens * part), self.summary)


NO_HISTORY = HistoryBudget(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class BranchHistory:
    """The branch that a question continues: ids of the newest messages above it, oldest first, and the turns that travel."""

    ancestors: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()
    summary: str = ""

    @property
    def parent_id(self) -> str:
        """The message right above; "" begins the conversation."""
        return self.ancestors[-1] if self.ancestors else ""

    def with_turn(self, message_id: str, turn: Turn, budget: HistoryBudget) -> "BranchHistory":
        """This history with one turn more; a message that it has already changes nothing (two readers may report one answer)."""
        if message_id in self.ancestors:
            return self
        ancestors = (*self.ancestors, message_id)[-budget.ancestors :]
        return BranchHistory(ancestors, fit_turns((*self.turns, turn), budget, self.summary), self.summary)


def build_history(ids: Sequence[str], known: Mapping[str, Message], budget: HistoryBudget) -> BranchHistory:
    """The history of a branch of messages, oldest first, as far as they are known."""
    summary, rest = split_summary([known[each] for each in ids if each in known])
    ancestors = tuple(ids)[-budget.ancestors :]
    return BranchHistory(ancestors, fit_turns([turn for _, turn in rest], budget, summary), summary if budget.messages else "")


def split_summary(branch: Sequence[Message]) -> tuple[str, list[tuple[str, Turn]]]:
    """The newest summary in the branch and the turns after what it covers, each with its message's id."""
    summary, covered = "", 0
    places = {message.id: place for place, message in enumerate(branch)}
    for message in reversed(branch):
        if message.summary:
            summary, covered = message.summary, places.get(message.summarised, -1) + 1
            break
    rest = [message for message in branch[covered:] if message.content and message.state != "failed"]
    return summary, [(message.id, Turn(message.role, message.content)) for message in rest]


def fit_turns(turns: Sequence[Turn], budget: HistoryBudget, summary: str = "") -> tuple[Turn, ...]:
    """The newest turns that keep every bound, oldest first; the newest of all is cut rather than left out."""
    kept: list[Turn] = []
    bytes_left, tokens_left = budget.bytes, budget.tokens - estimate_tokens(summary)
    for turn in reversed(turns[-budget.messages :] if budget.messages else ()):
        size, tokens = len(turn.content.encode()), estimate_tokens(turn.content)
        if size > bytes_left or tokens > tokens_left:
            if not kept and (text := truncate(turn.content, bytes_left, tokens_left)):
                kept.append(Turn(turn.role, text))
            break
        kept.append(turn)
        bytes_left, tokens_left = bytes_left - size, tokens_left - tokens
    return tuple(reversed(kept))


def truncate(text: str, bytes_max: int, tokens_max: int) -> str:
    """The beginning of ``text`` that keeps both bounds, an ellipsis for the rest included; "" when not even that fits."""
    if len(text.encode()) <= bytes_max and estimate_tokens(text) <= tokens_max:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        part = text[:middle] + _ELLIPSIS
        fits = len(part.encode()) <= bytes_max and estimate_tokens(part) <= tokens_max
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[:low].rstrip() + _ELLIPSIS if low else ""


def needs_summary(turns: Sequence[Turn], budget: HistoryBudget) -> bool:
    """Whether the older of these turns should be summarised before they no longer travel."""
    share = budget.share(SUMMARISE_SHARE)
    if budget.summary == 0 or len(turns) <= PAIR or budget.messages == 0:
        return False
    size, tokens = sum(len(turn.content.encode()) for turn in turns), sum(estimate_tokens(turn.content) for turn in turns)
    return len(turns) > share.messages or size > share.bytes or tokens > share.tokens


def count_to_summarise(turns: Sequence[Turn], budget: HistoryBudget) -> int:
    """How many of the oldest turns a summary is to cover; a few stay verbatim, at least the last question and answer."""
    return max(0, len(turns) - max(PAIR, len(fit_turns(turns, budget.share(VERBATIM_SHARE)))))
