"""What a reader of a file does not see: one rule for all formats, and the note that says how it was applied."""

from collections.abc import Iterable

from adapters.parsing.core.assembly import Assembly

PLACES_MAX = 20  # that a note names; there may be thousands of hidden rows
LEFT_OUT, INCLUDED = "hidden_left_out", "hidden_included"


class HiddenContent:
    """Collects what is hidden. It is left out unless ``include`` (CLAW_DOCUMENT_INCLUDE_HIDDEN); a note says it in either case."""

    def __init__(self, *, include: bool) -> None:
        self.include = include
        self._found: dict[str, None] = {}  # in order, each once

    @property
    def leave_out(self) -> bool:
        """Whether what is hidden is not read."""
        return not self.include

    def add(self, what: str) -> None:
        """Something that says something and is hidden, such as ``sheet Costs`` or ``text``."""
        self._found[what] = None

    def note_in(self, assembly: Assembly) -> None:
        """One note per kind of thing that was hidden; none when nothing was."""
        for what in self._found:
            assembly.add_note(INCLUDED if self.include else LEFT_OUT, what)


def name_runs(numbers: Iterable[int]) -> str:
    """``4-9, 12``: neighbours together, the first of many."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    named = [str(first) if first == last else f"{first}-{last}" for first, last in runs[:PLACES_MAX]]
    return ", ".join(named) + (f" and {len(runs) - PLACES_MAX:,} more" if len(runs) > PLACES_MAX else "")
