"""The rate rules that are in force: those of the settings, until the configuration has others."""

import msgspec

from domain.configs.live_settings import LiveSettings
from domain.limits.rules import default_rules
from schemas.configs import RATE_LIMIT_RULES, Config
from schemas.limits import Rule
from schemas.settings import LimitSettings
from streams.live import Live


class RuleSet(msgspec.Struct, frozen=True):
    """The value of the configuration key of the rules."""

    rules: tuple[Rule, ...]


def live_rules(live: LiveSettings) -> Live[tuple[Rule, ...]]:
    """The rules, within a second of a change of the configuration, of which this process reports the revision; none when limits are
    switched off. Call it before ``live`` starts.
    """
    limits = live.of(LimitSettings)
    if not limits.value.enabled:
        live.pin(RATE_LIMIT_RULES, "CLAW_LIMIT_ENABLED switches rate limits off in its environment")
        return Live(default_rules(limits.value))

    def parse(config: Config) -> RuleSet | None:
        return None if config.value is None else msgspec.convert(config.value, RuleSet)

    chosen: Live[RuleSet | None] = live.follow(RATE_LIMIT_RULES, None, parse)

    def rules() -> tuple[Rule, ...]:
        return default_rules(limits.value) if chosen.value is None else chosen.value.rules

    in_force = Live(rules())
    for source in (chosen, limits):
        source.subscribe(lambda _: in_force.replace(rules()))
    return in_force
