"""Where an answer ends before its model does: a stop sequence, or enough tokens."""

from collections.abc import Sequence

from adapters.text.invisible import strip_joiners
from adapters.text.language import estimate_tokens


class AnswerTruncator:
    """Feed text as it comes, get what may be shown. ``reason`` is set once the answer has ended: ``stop`` or ``length``.

    The beginning of a stop sequence at the end of the text is held back until it is known whether it goes on.
    """

    __slots__ = ("_held", "_left", "_stop", "reason")

    def __init__(self, stop: Sequence[str] = (), *, tokens_max: int | None = None) -> None:
        self._stop = tuple(filter(None, stop))
        self._held = ""
        self._left = tokens_max
        self.reason = ""

    def feed(self, text: str) -> str:
        """The part of the text so far that may be shown now."""
        if self.reason:
            return ""
        text, self._held = self._held + text, ""
        # the one that is complete first, however the text comes in
        found = min(((at + len(stop), at) for stop in self._stop if (at := text.find(stop)) >= 0), default=None)
        if found is not None:
            text, self.reason = text[: found[1]], "stop"
        else:
            keep = max((_partial_stop_chars(text, stop) for stop in self._stop), default=0)
            text, self._held = text[: len(text) - keep], text[len(text) - keep :]
        return self._limit_tokens(text)

    def finish(self) -> str:
        """The text that was held back, at the end."""
        held, self._held = self._held, ""
        return "" if self.reason else self._limit_tokens(held)

    def _limit_tokens(self, text: str) -> str:
        """As much of the text as the tokens that are left allow: the token limit comes before a stop sequence further on."""
        if self._left is None:
            return text
        tokens = estimate_tokens(text)
        if tokens > self._left:
            text = truncate_to_tokens(text, self._left)
            self.reason, tokens = "length", self._left
        self._left -= tokens
        return text


def _partial_stop_chars(text: str, stop: str) -> int:
    """Characters at the end of ``text`` that a ``stop`` may begin with."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)


def truncate_to_tokens(text: str, tokens: int) -> str:
    """The longest beginning of ``text`` of so many tokens."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if estimate_tokens(text[:middle]) <= tokens else (low, middle - 1)
    return text if low == len(text) else strip_joiners(text[:low])
