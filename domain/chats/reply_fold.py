"""The fold of a reply's events, the same for every reader: a higher attempt supersedes a lower one, and the first terminal event is
absorbing.

Pure: the log may repeat events (a retried send, a second attempt at the same offset's work) and may lack one (a send that failed while
later ones passed); the fold's steps are consistent and have at most one end.
"""

from dataclasses import dataclass, field

from schemas.chats import (
    Answered,
    Cancelled,
    Citation,
    Completed,
    Extended,
    Failed,
    ReplyExtended,
    ReplyStarted,
    ReplyThought,
    Started,
    Thought,
)

AHEAD_MAX = 256  # extensions kept while an earlier one is missing; past that they are dropped, and the end brings the whole text


@dataclass(frozen=True, slots=True)
class Restarted:
    """A newer attempt took over: the text so far is void."""

    attempt: int


Terminal = Completed | Failed | Cancelled
FoldStep = Restarted | Started | Extended | Thought | Terminal


@dataclass(slots=True)
class ReplyFold:
    """The state of one reply. ``text`` and ``citations`` are the current attempt's. ``with_thinking``: for a reader who wants the thinking;
    for others there is none.
    """

    with_thinking: bool = False
    attempt: int = -1
    seq: int = 0
    started: Started | None = None
    end: Terminal | None = None
    _extensions: list[Extended] = field(default_factory=list)
    _thoughts: list[Thought] = field(default_factory=list)
    _ahead: dict[int, Extended] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text so far; of an ended reply the whole answer."""
        if isinstance(self.end, Completed | Cancelled):
            return self.end.text
        return "".join(extended.text for extended in self._extensions)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The citations so far; of a completed reply all of them."""
        if isinstance(self.end, Completed):
            return self.end.citations
        return tuple(citation for extended in self._extensions for citation in extended.citations)

    @property
    def thinking(self) -> str:
        """What the model has thought so far, as far as it was published."""
        return "".join(thought.text for thought in self._thoughts)

    @property
    def thinking_seq(self) -> int:
        """The number of the last ``Thought``; 0 before the first."""
        return self._thoughts[-1].seq if self._thoughts else 0

    def apply(self, event: Answered) -> tuple[FoldStep, ...]:
        """Fold one event in log order; returns the steps for its readers: none for repeats, for old attempts, and after the end."""
        data = event.data
        if self.end is not None or data.attempt < self.attempt:
            return ()
        restart: tuple[FoldStep, ...] = ()
        if data.attempt > self.attempt:
            if self.started is not None or self._extensions or self._thoughts:
                restart = (Restarted(data.attempt),)
            self.attempt, self.seq, self.started = data.attempt, 0, None
            self._extensions, self._ahead, self._thoughts = [], {}, []
        if isinstance(event, ReplyThought):
            return restart + self._think(event.data)
        if isinstance(event, ReplyStarted):
            return restart + self._start(event.data)
        if isinstance(event, ReplyExtended):
            return restart + self._extend(event.data)
        self.end, self._ahead = event.data, {}
        return (*restart, event.data)

    def _start(self, data: Started) -> tuple[FoldStep, ...]:
        if self.started is not None:
            return ()
        self.started = data
        return (data,)

    def _think(self, data: Thought) -> tuple[FoldStep, ...]:
        """Thinking is shown as it comes: a piece that is missing is not waited for, because no record brings it later."""
        if not self.with_thinking or data.seq <= self.thinking_seq:
            return ()
        self._thoughts.append(data)
        return (data,)

    def _extend(self, data: Extended) -> tuple[FoldStep, ...]:
        """Text is delivered in sequence: an extension after a missing one waits for it, or for the end with the whole text."""
        if data.seq != self.seq + 1:
            if data.seq > self.seq and len(self._ahead) < AHEAD_MAX:
                self._ahead.setdefault(data.seq, data)
            return ()
        steps: list[FoldStep] = []
        following: Extended | None = data
        while following is not None:
            self._extensions.append(following)
            self.seq = following.seq
            steps.append(following)
            following = self._ahead.pop(self.seq + 1, None)
        return tuple(steps)
