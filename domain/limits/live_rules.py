"""The rate rules that are in force: those of the settings, until the configuration has others."""

import msgspec

from domain.limits.rules import default_rules
from schemas.configs import RATE_LIMIT_RULES, Config
from schemas.limits import Rule
from schemas.settings import LimitSettings
from streams.live import Live
from streams.tables.live import follow
from streams.tables.topic_map import TopicMap


class RuleSet(msgspec.Struct, frozen=True):
    """The value of the configuration key of the rules."""

    rules: tuple[Rule, ...]


def live_rules(configs: TopicMap[Config], limits: Live[LimitSettings]) -> Live[tuple[Rule, ...]]:
    """The rules, within a second of a change of the configuration; none when limits are switched off. Call it before ``configs`` starts."""
    if not limits.value.enabled:
        return Live(default_rules(limits.value))

    def parse(config: Config) -> RuleSet | None:
        return None if config.value is None else msgspec.convert(config.value, RuleSet)

    chosen: Live[RuleSet | None] = follow(configs, RATE_LIMIT_RULES, None, parse)

    def rules() -> tuple[Rule, ...]:
        return default_rules(limits.value) if chosen.value is None else chosen.value.rules

    in_force = Live(rules())
    for source in (chosen, limits):
        source.subscribe(lambda _: in_force.replace(rules()))
    return in_force
