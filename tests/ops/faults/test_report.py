"""The report, as text and as a verdict."""

import msgspec

from ops.faults.history import FaultHistory, InjectedFault
from ops.faults.promises.promise import Violation
from ops.faults.report import LINES_MAX, SHOWN_MAX, FaultsReport, make_report, render
from ops.faults.states import STATES
from tests.support.fault_histories import true_history

MET = {state.name: 1 for state in STATES}


def report_of(history: FaultHistory, violations=(), states=MET, **fields) -> FaultsReport:
    return make_report(history, violations, states, seed=5, seconds=12.0, short=False, **fields)


def fault(number: int, kind: str, target: str, question_s: float | None, document_s: float | None = 1.0) -> InjectedFault:
    return InjectedFault(number=number, begin=1.0, end=2.0, kind=kind, target=target, question_s=question_s, document_s=document_s)


def test_a_faultless_run_passes():
    report = report_of(true_history(1))
    assert report.passed
    assert render(report).endswith("every promise held, every state was met")
    assert "seed 5" in render(report)


def test_recovery_is_told_by_kind_of_fault():
    history = FaultHistory()
    for each in (fault(0, "kill", "chat", 2.0), fault(1, "kill", "chat", 4.0, 6.0), fault(2, "pause", "redis", None)):
        history.add(each)
    for target in ("api", "kafka"):
        history.add(fault(3, "kill", target, 9.0))
    report = report_of(history)
    assert [(each.fault, each.number, each.question_s, each.worst_s, each.late) for each in report.recoveries] == [
        ("kill chat", 2, 3.0, 6.0, 0),
        ("pause redis", 1, None, 1.0, 1),
        ("two faults at once", 1, 9.0, 9.0, 0),
    ]
    assert report.groups == 4
    assert "1 not within the bound" in render(report)


def test_a_violation_shows_its_history_and_fails_the_run():
    records = tuple(true_history(1))[:100]
    report = report_of(true_history(1), [Violation("one_end", f"reply-{n}", "two ends", records) for n in range(SHOWN_MAX + 3)])
    text = render(report)
    assert not report.passed
    assert report.broken() == {"one_end": SHOWN_MAX + 3}
    assert "VIOLATION one_end: reply-0: two ends" in text
    assert f"... {100 - LINES_MAX} more" in text
    assert "... and 3 more of one_end" in text
    assert text.endswith("FAILED: 8 violations (one_end 8)")
    assert msgspec.json.decode(msgspec.json.encode(report))["violations"][0]["promise"] == "one_end"


def test_a_state_that_was_never_met_fails_the_run():
    report = report_of(true_history(1), states=MET | {"a lease was lost": 0})
    assert report.unreached == ("a lease was lost",)
    assert not report.passed
    assert "a lease was lost   NEVER" in render(report)


def test_a_run_that_ended_early_fails():
    report = report_of(true_history(1), interrupted="the history reached 512 MiB")
    assert not report.passed
    assert "ended early: the history reached 512 MiB" in render(report)
