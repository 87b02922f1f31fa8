"""Live configuration of a process: the keys of every area over the settings of its environment."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from adapters.redis.client import RedisClient
from domain.areas import CONFIG_KEYS
from domain.configs.cipher import ConfigCipher
from domain.configs.configs import Configs
from domain.configs.guard_metrics import GuardMetrics
from domain.configs.live_settings import LiveSettings
from domain.configs.log_level import follow_log_level
from domain.configs.reports import ConfigReporter, ProcessReports
from domain.configs.stages import ProcessName
from schemas.settings import NodeSettings, Settings
from streams.clock import Clock


def follow_settings(settings: Settings, *, logs: bool = True) -> LiveSettings:
    """Not started; with ``logs`` the log level of the process follows too. Raises ConfigurationError for a secret that cannot be used."""
    live = LiveSettings(settings, Configs(settings.kafka), CONFIG_KEYS, ConfigCipher.of(settings))
    if logs:
        follow_log_level(live.of(NodeSettings))
    return live


def report_configs(
    live: LiveSettings, redis: RedisClient, process: ProcessName, clock: Clock, registries: Sequence[CollectorRegistry]
) -> ConfigReporter:
    """Reports what this process runs, and what a guard watches in its metrics; not started. Stages know the process from now on."""
    live.identify(process)
    return ConfigReporter(live, ProcessReports(redis, live.given.redis.key_prefix), process, GuardMetrics(registries), clock)
