"""A promise, and what a history shows where it was broken."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ops.faults.evidence import RunEvidence
from ops.faults.history import HistoryRecord, begin_of

RECORDS_MAX = 60  # of one violation: the first ones, in order of time


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: of whom (``subject``: a reply, a document, a fault), what was seen, and the records that show it, by time."""

    promise: str
    subject: str
    detail: str
    records: tuple[HistoryRecord, ...] = ()


Check = Callable[[RunEvidence], Iterator[tuple[str, str, Iterable[HistoryRecord]]]]


@dataclass(frozen=True, slots=True)
class Promise:
    """``sentence`` says what holds; ``check`` yields subject, detail and records of each place where it does not."""

    name: str
    sentence: str
    check: Check

    def violations(self, evidence: RunEvidence) -> Iterator[Violation]:
        """Where the history breaks it: one violation a subject."""
        subjects = set()
        for subject, detail, records in self.check(evidence):
            if subject not in subjects:
                subjects.add(subject)
                yield Violation(self.name, subject, detail, tuple(sorted(records, key=begin_of)[:RECORDS_MAX]))
