"""The live settings of a process that is told the records of the topic by hand."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from domain.areas import CONFIG_KEYS
from domain.configs.cipher import ConfigCipher
from domain.configs.configs import Configs
from domain.configs.live_settings import LiveSettings
from schemas.configs import Config, ConfigChanged, Stage
from schemas.settings import KafkaSettings, ModelSettings, Settings
from schemas.settings.section import Secret

NOW = datetime(2026, 11, 30, tzinfo=UTC)
SECRET = Secret("s" * 32)


def written(key: str, value: Any, revision: int, stage: Stage | None = None) -> bytes:
    config = Config(key=key, value=value, revision=revision, changed_at=NOW, changed_by="ada", stage=stage)
    event = ConfigChanged(id="1", source="/claw", subject=key, time=NOW, tenant="-", traceparent="", data=config)
    return msgspec.json.encode(event)


class ConfiguredProcess:
    """Live settings that are told the records of the topic by hand."""

    def __init__(self, settings: Settings = Settings(), secret: Secret = SECRET) -> None:  # noqa: B008 - a frozen struct
        self.configs, self.offset = Configs(KafkaSettings()), 0
        self.live = LiveSettings(settings, self.configs, CONFIG_KEYS, ConfigCipher(secret))
        self.model = self.live.of(ModelSettings)

    def read(self, key: str, value: Any, revision: int, stage: Stage | None = None) -> None:
        self.offset += 1
        self.configs.fold(self.offset, key.encode(), written(key, value, revision, stage))
