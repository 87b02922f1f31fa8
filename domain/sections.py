"""The settings that areas declare, apart from ``domain.areas`` because every command reads settings before it imports anything heavy."""

from collections.abc import Mapping

from domain.accounts.settings import OidcSettings
from domain.configs.settings import ConfigSettings
from domain.erasures.settings import ErasureSettings
from domain.jobs.settings import JobSettings
from domain.notices.settings import MailSettings, WebhookSettings
from domain.schedules.settings import ScheduleSettings
from domain.statistics.settings import StatisticsSettings
from domain.tasks.settings import TaskSettings
from domain.widgets.settings import WidgetSettings
from schemas.settings import Settings
from schemas.settings.section import Section

SECTIONS: tuple[type[Section], ...] = (
    ConfigSettings,
    WebhookSettings,
    MailSettings,
    OidcSettings,
    TaskSettings,
    StatisticsSettings,
    ScheduleSettings,
    JobSettings,
    ErasureSettings,
    WidgetSettings,
)  # an area's section stands in its own ``settings.py`` and imports nothing but schemas


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings of a process with those of every area. Raises ConfigurationError."""
    return Settings.from_env(environ, SECTIONS)
