"""The settings of a process with live configuration over them: sections as live values, in force as soon as the topic says so.

Three layers: a variable that is set in the environment rules, then the topic, then the default. A staged change of the topic is in force
in the processes, or for the tenants, that its stage names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import structlog

from domain.config_keys import ConfigKey
from domain.configs.cipher import ConfigCipher
from domain.configs.configs import Configs
from domain.configs.stages import ProcessName, is_staged_in
from schemas.configs import Config, Stage
from schemas.errors import Refused
from schemas.settings import Settings
from schemas.settings.section import Section
from streams.live import Live
from streams.tables.live import follow

S = TypeVar("S", bound=Section)
T = TypeVar("T")

log = structlog.get_logger(__name__)


class LiveSettings:
    """Follows ``configs`` once it is started; ``given`` are the settings of environment and defaults.

    A value that this process cannot use (written by a newer release, encrypted with another secret) leaves the one before in force;
    ``problems`` says so by key. ``revisions`` are those in force, also of the keys that ``follow`` was asked for. ``stages`` are those of
    the topic by key, ``staged`` the keys whose staged value is in force here, be it for some tenants.
    """

    def __init__(self, given: Settings, configs: Configs, keys: Sequence[ConfigKey], cipher: ConfigCipher) -> None:
        self.given, self.configs, self.cipher = given, configs, cipher
        self.whole = Live(given)
        self.keys = {key.name: key for key in keys}
        self.pinned = tuple(key.name for key in keys if key.variable in given.explicit)
        self.revisions: dict[str, int] = {}
        self.problems: dict[str, str] = {}
        self.stages: dict[str, Stage] = {}
        self.staged: set[str] = set()
        self._process: ProcessName | None = None
        self._tenant_values: dict[str, tuple[tuple[str, ...], Any]] = {}  # by key: the tenants of its stage, and their value
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
            live = self._sections[section] = Live(self.settings.of(section))
            live.replace(live.value, {tenant: each.of(section) for tenant, each in self._by_tenant(self.settings).items()})
        return cast("Live[S]", self._sections[section])

    def identify(self, process: ProcessName) -> None:
        """Which process this is: stages by worker and share depend on it. Without a name none of them is in force here."""
        self._process = process
        for config in self.configs.values():
            if config.stage is not None:
                self._update(config.key, config)

    def follow(self, name: str, default: T, parse: Callable[[Config], T]) -> Live[T]:
        """The value of a key that is no setting, such as the rate rules; its revision and its problem are reported like those of settings.
        ``streams.tables.live.follow`` documents the arguments. Call it before the start.
        """
        self.revisions[name] = 0

        def note(config: Config | None, problem: str) -> None:
            if problem:
                self.problems[name] = problem
            else:
                self.problems.pop(name, None)
                self.revisions[name] = config.revision if config else 0
            self._notify()

        return follow(self.configs, name, default, parse, note)

    def pin(self, name: str, problem: str) -> None:
        """The environment of this process keeps it from following such a key; ``problem`` says how."""
        self.pinned = (*self.pinned, name)
        self.problems[name] = problem

    def observe(self, observer: Callable[[], None]) -> None:
        """Call ``observer`` whenever ``revisions`` or ``problems`` have changed; it must not raise."""
        self._observers.append(observer)

    def _update(self, name: str, config: Config | None) -> None:
        key = self.keys.get(name)
        if key is None or name in self.pinned or (key.effect == "restart" and self._has_started):
            return
        revision, stage = config.revision if config else 0, config.stage if config else None
        try:
            value = self.parse(key, config)
            staged = None if stage is None else self.parse_staged(key, stage)
        except (ValueError, Refused) as error:  # msgspec.ValidationError is a ValueError
            self.problems[name] = str(error)
            log.warning("config_value_unusable", key=name, revision=revision, error=str(error))
        else:
            self.problems.pop(name, None)
            self.revisions[name] = revision
            self._stage(key, stage, staged)
            self._apply(key, staged if name in self.staged and name not in self._tenant_values else value)
        self._notify()

    def _notify(self) -> None:
        for observer in self._observers:
            observer()

    def parse(self, key: ConfigKey, config: Config | None) -> Any:
        """The value of a record; without one that of ``given``. Raises ValueError, Refused("config_unreadable")."""
        return self._parse(key, None if config is None else config.value)

    def parse_staged(self, key: ConfigKey, stage: Stage) -> Any:
        """The value of a stage, likewise."""
        return self._parse(key, stage.value)

    def _parse(self, key: ConfigKey, value: Any) -> Any:
        if value is None:
            return key.value_in(self.given)
        return self.cipher.decrypt(key.name, value) if key.is_sensitive else key.parse(value)

    def _stage(self, key: ConfigKey, stage: Stage | None, value: Any) -> None:
        """Take note of what is staged, and whether it is in force in this process, or for tenants."""
        self.stages.pop(key.name, None)
        self.staged.discard(key.name)
        self._tenant_values.pop(key.name, None)
        if stage is None:
            return
        self.stages[key.name] = stage
        if stage.tenants:
            self._tenant_values[key.name] = (stage.tenants, value)
        if stage.tenants or (self._process is not None and is_staged_in(stage, self._process)):
            self.staged.add(key.name)

    def _apply(self, key: ConfigKey, value: Any) -> None:
        by_tenant = self._by_tenant(settings := key.put_in(self.settings, value))
        self.whole.replace(settings, by_tenant)
        if (live := self._sections.get(key.section)) is not None:
            section = key.section
            live.replace(settings.of(section), {tenant: each.of(section) for tenant, each in by_tenant.items()})
        if self._has_started:
            log.info("config_in_force", key=key.name, revision=self.revisions[key.name], staged=key.name in self.staged)

    def _by_tenant(self, settings: Settings) -> Mapping[str, Settings]:
        """The settings of the tenants for which something is staged."""
        found: dict[str, Settings] = {}
        for name, (tenants, value) in self._tenant_values.items():
            for tenant in tenants:
                found[tenant] = self.keys[name].put_in(found.get(tenant, settings), value)
        return found
