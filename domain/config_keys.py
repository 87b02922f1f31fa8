"""Keys of live configuration: the settings that can be changed while everything runs, and the rules that hold across them.

A key is a setting: type, bounds, default and meaning are those of its field in ``schemas/settings``, and its name is that of the variable,
so ``CLAW_MODEL_TEMPERATURE`` is the key ``model.temperature``. An area lists its keys in ``configs`` of its ``Area``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal, get_type_hints

import msgspec

from schemas.settings import Settings
from schemas.settings.section import Secret, Section
from schemas.settings.variables import Variable, variables

TEXT_CHARS_MAX = 4_096  # of a value that is text

Effect = Literal["live", "restart"]


@dataclass(frozen=True, kw_only=True)
class ConfigKey:
    """One key. ``live`` values are in force within a second, ``restart`` ones in processes that start after the change. Everybody may read
    the value of a key that is public. ``by_tenant``: whoever reads the value knows for which tenant (``Live.of_tenant``), so that a change
    can be staged for some.
    """

    section: type[Section]
    field: str
    effect: Effect = "live"
    is_public: bool = False
    by_tenant: bool = False

    @cached_property
    def name(self) -> str:
        """Such as ``model.temperature``."""
        return f"{self.section.prefix.removeprefix('CLAW_').strip('_').lower() or 'node'}.{self.field}"

    @cached_property
    def setting(self) -> Variable:
        """The setting, described for people."""
        return _describe(self.section)[self.field]

    @property
    def variable(self) -> str:
        """The variable in the environment."""
        return self.setting.name

    @property
    def is_sensitive(self) -> bool:
        """Whether the value is secret: encrypted on the log, and shown to nobody."""
        return self.setting.secret

    @cached_property
    def type(self) -> Any:
        """The type of the value, with its bounds."""
        return _types(self.section)[self.field]

    def parse(self, value: Any) -> Any:
        """The value as its setting has it. Raises msgspec.ValidationError with the limit; the text of a secret is not in the message."""
        if self.is_sensitive:
            return Secret(_checked_text(msgspec.convert(value, str)))
        parsed = msgspec.convert(value, self.type)
        return _checked_text(parsed) if isinstance(parsed, str) else parsed

    def value_in(self, settings: Settings) -> Any:
        """The value that these settings have."""
        return getattr(settings.of(self.section), self.field)

    def put_in(self, settings: Settings, value: Any) -> Settings:
        """The settings with another, parsed value."""
        return settings.with_section(msgspec.structs.replace(settings.of(self.section), **{self.field: value}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRule:
    """What must hold across ``keys``; ``find_problem`` returns "" or what is wrong with these settings and which values are accepted."""

    keys: tuple[str, ...]
    find_problem: Callable[[Settings], str]


def config_keys(
    section: type[Section], *fields: str, effect: Effect = "live", public: bool = False, by_tenant: bool = False
) -> tuple[ConfigKey, ...]:
    """The keys of these fields of a section, or of all."""
    names = fields or section.__struct_fields__
    return tuple(ConfigKey(section=section, field=name, effect=effect, is_public=public, by_tenant=by_tenant) for name in names)


def at_most(lower: ConfigKey, upper: ConfigKey, *, unlimited: Any = None) -> ConfigRule:
    """A rule: the value of ``lower`` is at most that of ``upper``. A value equal to ``unlimited`` sets no limit."""

    def find_problem(settings: Settings) -> str:
        low, high = lower.value_in(settings), upper.value_in(settings)
        if unlimited in (low, high) and unlimited is not None:
            return ""
        return "" if low <= high else f"{lower.name} ({low}) must be at most {upper.name} ({high})"

    return ConfigRule(keys=(lower.name, upper.name), find_problem=find_problem)


@cache
def _describe(section: type[Section]) -> dict[str, Variable]:
    return {each.field: each for each in variables(section)}


@cache
def _types(section: type[Section]) -> dict[str, Any]:
    return get_type_hints(section, include_extras=True)


def _checked_text(text: str) -> str:
    if len(text) > TEXT_CHARS_MAX:
        raise msgspec.ValidationError(f"Expected `str` of at most {TEXT_CHARS_MAX} characters")
    if not text.isprintable():
        raise msgspec.ValidationError("Expected `str` without control characters")
    return text
