"""The rate rules that are in force: those of the settings, until the configuration has others."""

import msgspec

from domain.limits.rules import default_rules
from schemas.configs import RATE_LIMIT_RULES, Config
from schemas.limits import Rule
from schemas.settings import LimitSettings
from streams.tables.live import Live, follow
from streams.tables.topic_map import TopicMap


class RuleSet(msgspec.Struct, frozen=True):
    """The value of the configuration key of the rules."""

    rules: tuple[Rule, ...]


def live_rules(configs: TopicMap[Config], limits: LimitSettings) -> Live[tuple[Rule, ...]]:
    """The rules, within a second of a change of the configuration; none when limits are switched off. Call it before ``configs`` starts."""
    defaults = default_rules(limits)
    if not limits.enabled:
        return Live(defaults)

    def parse(config: Config) -> tuple[Rule, ...]:
        return defaults if config.value is None else msgspec.convert(config.value, RuleSet).rules

    return follow(configs, RATE_LIMIT_RULES, defaults, parse)
