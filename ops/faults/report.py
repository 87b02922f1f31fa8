"""The report of a run: for people as text, for programs as JSON."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from ops.faults.history import FaultHistory, HistoryRecord, StreamFrame, TopicRecord, begin_of
from ops.faults.promises.promise import Violation
from ops.faults.promises.running import groups_of, name_of
from ops.faults.states import unreached

LOAD = "processes per processor"  # a reading, at the start and at the end
LINES_MAX = 24  # of one violation in the text
SHOWN_MAX = 5  # violations of one promise in the text; the JSON has all
RECORD_CHARS_MAX, FIELD_CHARS_MAX = 240, 60


class Recovery(Struct, frozen=True, kw_only=True):
    """How soon after one kind of fault a question and a document succeeded: seconds, ``late`` of them not within the bound."""

    fault: str
    number: int
    question_s: float | None
    document_s: float | None
    worst_s: float | None
    late: int = 0


class FaultsReport(Struct, frozen=True, kw_only=True):
    """What a run has shown. ``unreached``: states that it should have met; ``interrupted``: why it ended early."""

    seed: int
    seconds: float
    groups: int
    faults: int
    operations: dict[str, int]
    replies: dict[str, int]
    provider_calls: int
    recoveries: tuple[Recovery, ...]
    states: dict[str, int]
    unreached: tuple[str, ...]
    violations: tuple[Violation, ...]
    load: tuple[float, ...] = ()  # processes that wanted a processor, for each there is: at the start, at the end
    interrupted: str = ""

    @property
    def passed(self) -> bool:
        """Whether every promise held and every state was met."""
        return not (self.violations or self.unreached or self.interrupted)

    def broken(self) -> dict[str, int]:
        """The number of violations of each broken promise."""
        return dict(Counter(violation.promise for violation in self.violations))


def make_report(
    history: FaultHistory,
    violations: Sequence[Violation],
    states: Mapping[str, int],
    *,
    seed: int,
    seconds: float,
    short: bool,
    interrupted: str = "",
) -> FaultsReport:
    """The report of a history that was checked."""
    ends = Counter(frame.name for frame in history.frames if frame.name in ("completed", "failed", "cancelled"))
    return FaultsReport(
        seed=seed,
        seconds=round(seconds, 1),
        groups=len(groups_of(history.faults)),
        faults=len(history.faults),
        operations=dict(sorted(Counter(f"{each.kind} {each.outcome}" for each in history.operations).items())),
        replies=dict(ends),
        provider_calls=len(history.calls),
        recoveries=tuple(_recoveries(history)),
        states=dict(states),
        unreached=tuple(unreached(dict(states), short=short)),
        violations=tuple(violations),
        load=tuple(reading.value for reading in history.readings if reading.name == LOAD),
        interrupted=interrupted,
    )


def _recoveries(history: FaultHistory) -> Iterator[Recovery]:
    """By kind of fault: medians of the two, and the worst."""
    by_name: dict[str, list[tuple[float | None, float | None]]] = defaultdict(list)
    for group in groups_of(history.faults):
        name = name_of(group) if len(group) == 1 else "two faults at once"
        by_name[name].append((group[-1].question_s, group[-1].document_s))
    for name, times in sorted(by_name.items()):
        known = [second for pair in times for second in pair if second is not None]
        yield Recovery(
            fault=name,
            number=len(times),
            question_s=_middle([question for question, _ in times]),
            document_s=_middle([document for _, document in times]),
            worst_s=round(max(known), 1) if known else None,
            late=sum(second is None for pair in times for second in pair),
        )


def _middle(times: Sequence[float | None]) -> float | None:
    known = [second for second in times if second is not None]
    return round(median(known), 1) if known else None


def render(report: FaultsReport) -> str:
    """The report as text."""
    lines = [f"seed {report.seed}: {report.faults} faults in {report.groups} groups, {report.seconds:.0f} s"]
    lines += [
        f"replies: {_counts(report.replies)}; provider calls: {report.provider_calls}",
        f"operations: {_counts(report.operations)}",
        "",
    ]
    lines.append(f"{'recovery after':<28} {'n':>3} {'question':>9} {'document':>9} {'worst':>7}  seconds")
    for each in report.recoveries:
        late = f"  {each.late} not within the bound" if each.late else ""
        lines.append(f"{each.fault:<28} {each.number:>3} {_s(each.question_s):>9} {_s(each.document_s):>9} {_s(each.worst_s):>7}{late}")
    lines += ["", "sometimes"]
    lines += [f"  {number:>6}  {name}" + ("   NEVER" if name in report.unreached else "") for name, number in report.states.items()]
    lines += ["", *_render_violations(report.violations)]
    if report.interrupted:
        lines.append(f"ended early: {report.interrupted}")
    lines.append("every promise held, every state was met" if report.passed else f"FAILED: {_summary(report)}")
    return "\n".join(lines)


def _summary(report: FaultsReport) -> str:
    parts = [f"{len(report.violations)} violations ({_counts(report.broken())})" if report.violations else ""]
    parts += [f"{len(report.unreached)} states never met" if report.unreached else "", report.interrupted]
    return ", ".join(filter(None, parts))


def _render_violations(violations: Sequence[Violation]) -> Iterator[str]:
    shown: Counter[str] = Counter()
    for violation in violations:
        shown[violation.promise] += 1
        if shown[violation.promise] > SHOWN_MAX:
            continue
        yield f"VIOLATION {violation.promise}: {violation.subject}: {violation.detail}"
        begin = begin_of(violation.records[0]) if violation.records else 0.0
        left_out = len(violation.records) - LINES_MAX
        for index, record in enumerate(violation.records):
            if left_out <= 0 or not LINES_MAX // 2 <= index < LINES_MAX // 2 + left_out:
                yield f"    {begin_of(record) - begin:8.3f} {_line(record)}"
            elif index == LINES_MAX // 2:
                yield f"             ... {left_out} more"
    for promise, number in shown.items():
        if number > SHOWN_MAX:
            yield f"... and {number - SHOWN_MAX} more of {promise}"


def _line(record: HistoryRecord) -> str:
    """A record in one line: what it is, and its short fields."""
    if isinstance(record, TopicRecord):
        place = f"{record.topic} {record.partition}.{record.offset}"
        shown = {name: value for name, value in record.data.items() if isinstance(value, int | str)}
        return f"{place} {record.type} id={str((record.value or {}).get('id'))[:8]} {_fields(shown)}"[:RECORD_CHARS_MAX]
    if isinstance(record, StreamFrame):
        shown = {name: value for name, value in record.data.items() if isinstance(value, int | str)}
        return f"frame {record.reader} {record.id} {record.name} {_fields(shown)}"[:RECORD_CHARS_MAX]
    kept = msgspec.to_builtins(record)
    return _fields({name: value for name, value in kept.items() if name not in ("begin", "at", "knowledge_base", "tenant")})[
        :RECORD_CHARS_MAX
    ]


def _fields(values: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={str(value)[:FIELD_CHARS_MAX]}" for name, value in values.items() if value not in ("", -1))


def _counts(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items()) or "none"


def _s(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}"
