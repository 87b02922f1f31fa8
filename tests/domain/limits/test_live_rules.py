"""The rules in force follow the configuration; without one, or with one that cannot be used, the limits stay as they are."""

from typing import Any

import msgspec
import pytest

from domain.limits.live_rules import live_rules
from domain.limits.rules import default_rules
from schemas.configs import RATE_LIMIT_RULES
from schemas.limits import Rule
from schemas.settings import LimitSettings, Settings
from tests.support.configured_process import ConfiguredProcess

RULE = Rule(name="lists", rate=3, burst=3, scope="user")
RULES = {"rules": [msgspec.to_builtins(RULE)]}


@pytest.mark.parametrize("wrong", [{"rules": [{"name": "x"}]}, {"rules": 7}, [], "no rules"])
def test_rules_follow_the_configuration(wrong: Any) -> None:
    """Other rules come and go; a value that is no list of rules changes nothing, and is reported."""
    process = ConfiguredProcess()
    rules = live_rules(process.live)
    assert (rules.value, process.live.revisions) == (default_rules(LimitSettings()), {RATE_LIMIT_RULES: 0})
    process.read(RATE_LIMIT_RULES, RULES, 1)
    assert (rules.value, process.live.revisions, process.live.problems) == ((RULE,), {RATE_LIMIT_RULES: 1}, {})
    process.read(RATE_LIMIT_RULES, wrong, 2)
    assert (rules.value, process.live.revisions, [*process.live.problems]) == ((RULE,), {RATE_LIMIT_RULES: 1}, [RATE_LIMIT_RULES])
    process.read(RATE_LIMIT_RULES, None, 3)
    assert (rules.value, process.live.revisions, process.live.problems) == (default_rules(LimitSettings()), {RATE_LIMIT_RULES: 3}, {})


def test_limits_that_are_switched_off_have_no_rules() -> None:
    """Whatever the configuration has; the process reports why."""
    process = ConfiguredProcess(Settings(limits=LimitSettings(enabled=False)))
    rules = live_rules(process.live)
    process.read(RATE_LIMIT_RULES, RULES, 1)
    assert (rules.value, process.live.pinned, process.live.revisions) == ((), (RATE_LIMIT_RULES,), {})
    assert "CLAW_LIMIT_ENABLED" in process.live.problems[RATE_LIMIT_RULES]
