"""A wish for more or less thinking, as the fields that the server and the model at hand take.

Pure. A wish that a model cannot fulfil is fulfilled as far as it goes: one that always thinks is told to think little, one that never does
is told nothing, because servers refuse fields that a model does not know.
"""

from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from adapters.models.providers.families import Family
from adapters.models.providers.presets import PRESETS, Control, Preset
from schemas.thinking import ReasoningEffort, Thinking

_SCALE: tuple[ReasoningEffort, ...] = ("minimal", "low", "medium", "high", "xhigh", "max")


class ThinkingType(Struct, frozen=True):
    type: Literal["enabled", "disabled"]


class ThinkingFields(Struct, frozen=True, kw_only=True):
    """The fields of a request. ``thinks``: whether the model may think then; None when that is not known."""

    thinks: bool | None = None
    thinking: ThinkingType | None = None
    enable_thinking: bool | None = None
    thinking_budget: int | None = None
    chat_template_kwargs: dict[str, bool] | None = None
    reasoning_effort: str | None = None

    def members(self) -> dict[str, Any]:
        """Those that are sent."""
        return {name: value for name in self.__struct_fields__ if name != "thinks" and (value := getattr(self, name)) is not None}


def server_of(provider: str, base_url: str) -> Preset:
    """The kind of server at an address: that of the provider whose name or port is in it, else the configured one."""
    address = urlsplit(base_url)
    host, port = address.hostname or "", address.port
    known = (preset for preset in PRESETS.values() if host.endswith(preset.hosts) or (preset.port and port == preset.port))
    return next(known, PRESETS[provider])


def control_of(provider: str, base_url: str, family: Family) -> Control:
    """The field by which the server is told. An unknown one that serves open weights is taken for one that passes arguments to the chat
    template.
    """
    server = server_of(provider, base_url)
    generic = provider == "openai" and server is PRESETS["openai"] and not (urlsplit(base_url).hostname or "").endswith(server.hosts)
    if generic and not family.fixed_sampling and family.thinks != "unknown":
        return "template"
    return server.control


def thinking_fields(
    family: Family, control: Control, mode: Thinking, effort: ReasoningEffort, *, budget: int, preset: Preset
) -> ThinkingFields:
    """``budget``: tokens for thinking, where a server takes such a number."""
    if family.thinks == "no":
        return ThinkingFields(thinks=False)
    if mode == "auto" and effort:
        mode = "on"
    off = mode == "off" and family.thinks != "always"
    thinks = None if family.thinks == "unknown" and mode == "auto" else not off and (mode == "on" or family.thinks in {"default", "always"})
    if off and family.without not in ("", "none"):  # the least effort is not none
        thinks = True
    level = _nearest(effort, family.efforts) if not off else ""
    if mode == "off" and family.thinks == "always":
        level = _nearest("minimal", family.efforts)
    if control == "effort":
        told_effort = _effort(family, preset, level, off=off)
        thinks = None if family.thinks == "unknown" and told_effort is None else thinks
        return ThinkingFields(thinks=thinks, reasoning_effort=told_effort)
    told = mode == "on" or off
    if control == "enable_thinking":
        return ThinkingFields(
            thinks=thinks,
            enable_thinking=not off if told and family.thinks != "always" else None,
            thinking_budget=budget if thinks and budget and told else None,
        )
    if control == "template":
        kwargs = {"enable_thinking": not off, "thinking": not off} if told else None
        return ThinkingFields(thinks=thinks, chat_template_kwargs=kwargs, reasoning_effort=level or None)
    kind = ThinkingType("disabled" if off else "enabled") if told and family.thinks != "always" else None
    return ThinkingFields(thinks=thinks, thinking=kind, reasoning_effort=level or None)


def _effort(family: Family, preset: Preset, level: str, *, off: bool) -> str | None:
    """Where effort is the only control: the word for none, or the level; nothing for a model that may not know the field."""
    if off:
        return family.without or (None if preset.needs_key else "none")
    return level or None


def _nearest(asked: str, levels: tuple[ReasoningEffort, ...]) -> str:
    """The least level that is not below the one asked for, else the highest; "" when nothing was asked or there are none."""
    if not asked or not levels:
        return ""
    rank = _SCALE.index(asked)
    return next((level for level in levels if _SCALE.index(level) >= rank), levels[-1])
