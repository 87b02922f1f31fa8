"""The settings of a process with live configuration over them: sections as live values, in force as soon as the topic says so.

Three layers: a variable that is set in the environment rules, then the topic, then the default.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import structlog

from domain.config_keys import ConfigKey
from domain.configs.cipher import ConfigCipher
from domain.configs.configs import Configs
from schemas.configs import Config
from schemas.errors import Refused
from schemas.settings import Settings
from schemas.settings.section import Section
from streams.live import Live

S = TypeVar("S", bound=Section)

log = structlog.get_logger(__name__)


class LiveSettings:
    """Follows ``configs`` once it is started; ``given`` are the settings of environment and defaults.

    A value that this process cannot use (written by a newer release, encrypted with another secret) leaves the one before in force;
    ``problems`` says so by key. ``revisions`` are those in force.
    """

    def __init__(self, given: Settings, configs: Configs, keys: Sequence[ConfigKey], cipher: ConfigCipher) -> None:
        self.given, self.configs, self.cipher = given, configs, cipher
        self.whole = Live(given)
        self.keys = {key.name: key for key in keys}
        self.pinned = tuple(key.name for key in keys if key.variable in given.explicit)
        self.revisions: dict[str, int] = {}
        self.problems: dict[str, str] = {}
        self._has_started = False
        self._values: dict[str, Any] = {}
        self._sections: dict[type[Section], Live[Section]] = {}
        self._observers: list[Callable[[], None]] = []
        configs.watch("", self._update)

    async def start(self) -> None:
        """Read the topic, for some seconds at most. Values that need a restart are from now on those that it had."""
        await self.configs.start()
        self._has_started = True

    async def stop(self) -> None:
        """Stop following; the values stay."""
        await self.configs.stop()

    @property
    def settings(self) -> Settings:
        """All settings as they are in force now."""
        return self.whole.value

    def of(self, section: type[S]) -> Live[S]:
        """The section as a live value, the same for everyone who asks."""
        if section not in self._sections:
            self._sections[section] = Live(self.settings.of(section))
        return cast("Live[S]", self._sections[section])

    def observe(self, observer: Callable[[], None]) -> None:
        """Call ``observer`` whenever ``revisions`` or ``problems`` have changed; it must not raise."""
        self._observers.append(observer)

    def _update(self, name: str, config: Config | None) -> None:
        key = self.keys.get(name)
        if key is None or name in self.pinned or (key.effect == "restart" and self._has_started):
            return
        revision = config.revision if config else 0
        try:
            value = self.parse(key, config)
        except (ValueError, Refused) as error:  # msgspec.ValidationError is a ValueError
            self.problems[name] = str(error)
            log.warning("config_value_unusable", key=name, revision=revision, error=str(error))
        else:
            self.problems.pop(name, None)
            self.revisions[name] = revision
            self._apply(key, value)
        for observer in self._observers:
            observer()

    def parse(self, key: ConfigKey, config: Config | None) -> Any:
        """The value of a record; without one that of ``given``. Raises ValueError, Refused("config_unreadable")."""
        if config is None or config.value is None:
            return key.value_in(self.given)
        return self.cipher.decrypt(key.name, config.value) if key.is_sensitive else key.parse(config.value)

    def _apply(self, key: ConfigKey, value: Any) -> None:
        self.whole.replace(key.put_in(self.settings, value))
        if (live := self._sections.get(key.section)) is not None:
            live.replace(self.settings.of(key.section))
        if self._has_started:
            log.info("config_in_force", key=key.name, revision=self.revisions[key.name])
