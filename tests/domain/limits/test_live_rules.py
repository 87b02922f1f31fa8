"""The rules in force follow the configuration; without one, or with one that cannot be used, the limits stay as they are."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from domain.configs.configs import Configs
from domain.limits.live_rules import live_rules
from domain.limits.rules import default_rules
from schemas.configs import RATE_LIMIT_RULES, Config, ConfigChanged
from schemas.limits import Rule
from schemas.settings import KafkaSettings, LimitSettings
from streams.live import Live

NOON = datetime(2026, 1, 1, tzinfo=UTC)
RULE = Rule(name="lists", rate=3, burst=3, scope="user")


def record_of(value: Any, revision: int) -> bytes:
    data = Config(key=RATE_LIMIT_RULES, value=value, revision=revision, changed_at=NOON, changed_by="ada", reason="")
    event = ConfigChanged(id="e", source="/claw/test", subject=data.key, time=NOON, tenant="t", traceparent="", data=data)
    return msgspec.json.encode(event)


@pytest.mark.parametrize("wrong", [{"rules": [{"name": "x"}]}, {"rules": 7}, [], "no rules"])
def test_rules_follow_the_configuration(wrong: Any) -> None:
    """Other rules come and go; a value that is no list of rules changes nothing."""
    configs, settings = Configs(KafkaSettings()), LimitSettings()
    rules = live_rules(configs, Live(settings))
    assert rules.value == default_rules(settings)
    for number, value in enumerate(({"rules": [msgspec.to_builtins(RULE)]}, wrong), 1):
        configs.fold(number, RATE_LIMIT_RULES.encode(), record_of(value, number))
        assert rules.value == (RULE,)
    configs.fold(3, RATE_LIMIT_RULES.encode(), record_of(None, 3))
    assert rules.value == default_rules(settings)


def test_limits_that_are_switched_off_have_no_rules() -> None:
    """Whatever the configuration has."""
    configs = Configs(KafkaSettings())
    rules = live_rules(configs, Live(LimitSettings(enabled=False)))
    configs.fold(1, RATE_LIMIT_RULES.encode(), record_of({"rules": [msgspec.to_builtins(RULE)]}, 1))
    assert rules.value == ()
