"""Keys of configuration: a key is a setting, with its type, its bounds and its meaning; rules hold across keys."""

import msgspec
import pytest

from domain.areas import CONFIG_KEYS, CONFIG_RULES
from domain.config_keys import at_most, config_keys
from schemas.settings import ModelSettings, QuotaSettings, RetrievalSettings, Settings
from schemas.settings.section import Secret

(TEMPERATURE,) = config_keys(ModelSettings, "temperature")
(API_KEY,) = config_keys(ModelSettings, "api_key")
(NAME,) = config_keys(ModelSettings, "name")


def test_a_key_is_its_setting() -> None:
    assert (TEMPERATURE.name, TEMPERATURE.variable) == ("model.temperature", "CLAW_MODEL_TEMPERATURE")
    assert (TEMPERATURE.setting.limits, TEMPERATURE.setting.default, TEMPERATURE.is_sensitive) == ("≥ 0, ≤ 2", "0.2", False)
    assert API_KEY.is_sensitive
    changed = TEMPERATURE.put_in(Settings(), TEMPERATURE.parse(1))
    assert (TEMPERATURE.value_in(Settings()), TEMPERATURE.value_in(changed)) == (0.2, 1.0)


@pytest.mark.parametrize(("key", "value"), [(TEMPERATURE, 2.1), (TEMPERATURE, "1"), (NAME, "a\nb"), (NAME, "x" * 4_097), (API_KEY, 5)])
def test_values_outside_the_bounds_of_the_setting_are_refused(key, value) -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected"):
        key.parse(value)


def test_a_secret_is_parsed_into_what_no_log_shows() -> None:
    assert API_KEY.parse("sk-canary") == Secret("sk-canary")
    with pytest.raises(msgspec.ValidationError) as raised:
        API_KEY.parse("sk-canary\n")
    assert "canary" not in str(raised.value)


def test_a_rule_compares_two_keys_unless_one_sets_no_limit() -> None:
    day, month = config_keys(QuotaSettings, "free_tokens_per_day", "free_tokens_per_month")
    rule = at_most(day, month, unlimited=0)
    for low, high, right in ((5, 4, False), (5, 5, True), (5, 0, True), (0, 4, True)):
        quotas = QuotaSettings(free_tokens_per_day=low, free_tokens_per_month=high)
        assert (rule.find_problem(Settings(quotas=quotas)) == "") is right
    passages, candidates = config_keys(RetrievalSettings, "passages", "candidates")
    problem = at_most(passages, candidates).find_problem(Settings(retrieval=RetrievalSettings(passages=9, candidates=8)))
    assert problem == "retrieval.passages (9) must be at most retrieval.candidates (8)"


def test_the_catalogue_names_each_key_once_and_its_defaults_keep_the_rules() -> None:
    names = [key.name for key in CONFIG_KEYS]
    assert len(names) == len(set(names))
    assert {"node.log_level", "auth.registration", "model.api_key", "retrieval.passages", "quota.free_tokens_per_day"} <= set(names)
    assert [rule.find_problem(Settings()) for rule in CONFIG_RULES] == [""] * len(CONFIG_RULES)
    assert {name for rule in CONFIG_RULES for name in rule.keys} <= set(names)
    assert not [key.name for key in CONFIG_KEYS if key.is_public and key.is_sensitive]
