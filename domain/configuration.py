"""Live configuration of a process: the keys of every area over the settings of its environment."""

from adapters.redis.client import RedisClient
from domain.areas import CONFIG_KEYS
from domain.configs.cipher import ConfigCipher
from domain.configs.configs import Configs
from domain.configs.live_settings import LiveSettings
from domain.configs.log_level import follow_log_level
from domain.configs.reports import ConfigReporter, ProcessReports
from schemas.settings import NodeSettings, Settings
from streams.clock import Clock


def follow_settings(settings: Settings, *, logs: bool = True) -> LiveSettings:
    """Not started; with ``logs`` the log level of the process follows too. Raises ConfigurationError for a secret that cannot be used."""
    live = LiveSettings(settings, Configs(settings.kafka), CONFIG_KEYS, ConfigCipher.of(settings))
    if logs:
        follow_log_level(live.of(NodeSettings))
    return live


def report_configs(live: LiveSettings, redis: RedisClient, *, component: str, process_id: str, clock: Clock) -> ConfigReporter:
    """Reports what this process runs; not started."""
    reports = ProcessReports(redis, live.given.redis.key_prefix)
    return ConfigReporter(live, reports, component=component, process_id=process_id, started_at=clock.now())
