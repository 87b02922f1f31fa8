"""What a process reports of the configuration that it runs."""

from datetime import timedelta
from typing import Any, cast

from domain.configs.guard_metrics import GuardMetrics
from domain.configs.reports import ConfigReporter
from domain.configs.stages import ProcessName
from schemas.configs import RATE_LIMIT_RULES
from tests.support.configured_process import ConfiguredProcess
from tests.support.scheduled_house import BEGIN, HandClock


def test_a_report_says_since_when_each_revision_is_in_force() -> None:
    """Of settings and of the rate rules alike; another key's change, or a value that cannot be used, does not move it."""
    process, clock = ConfiguredProcess(), HandClock()
    process.live.follow(RATE_LIMIT_RULES, 0, lambda config: int(config.value))
    reporter = ConfigReporter(process.live, cast("Any", None), ProcessName("1", "api"), GuardMetrics(()), clock)
    assert reporter.report().since == {}
    process.read("model.temperature", 1.5, 1)
    clock.forward(60)
    process.read(RATE_LIMIT_RULES, 7, 1)
    process.read("model.temperature", 99, 2)
    clock.forward(60)
    process.read(RATE_LIMIT_RULES, "seven", 2)
    report = reporter.report()
    assert report.revisions == {"model.temperature": 1, RATE_LIMIT_RULES: 1}
    assert report.since == {"model.temperature": BEGIN, RATE_LIMIT_RULES: BEGIN + timedelta(seconds=60)}
    assert report.problems.keys() == {"model.temperature", RATE_LIMIT_RULES}
