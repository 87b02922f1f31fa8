"""Holds a history against every promise. Pure: nothing is read but the history."""

from ops.faults.evidence import RunEvidence
from ops.faults.history import FaultHistory
from ops.faults.promises import documents, replies, running
from ops.faults.promises.promise import Violation

PROMISES = (*replies.PROMISES, *documents.PROMISES, *running.PROMISES)


def check_history(history: FaultHistory) -> list[Violation]:
    """Every place where a promise is broken, in the order of the promises."""
    evidence = RunEvidence(history)
    return [violation for promise in PROMISES for violation in promise.violations(evidence)]
