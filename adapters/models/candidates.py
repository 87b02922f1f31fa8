"""The answering models of the settings, in their order, and whether each can be used as configured."""

from collections.abc import Iterator

from msgspec.structs import replace

from adapters.models.providers.presets import PRESETS
from schemas.model_names import name_of
from schemas.settings import ModelSettings, Settings
from schemas.settings.models import FallbackModelSettings


def list_candidates(settings: Settings) -> Iterator[tuple[ModelSettings, str]]:
    """Each model with the prefix of its variables. Settings that a fallback does not have are those of the first."""
    yield settings.model, ModelSettings.prefix
    for fallback in (settings.model_second, settings.model_third):
        if fallback.provider:
            yield _fallback_settings(settings.model, fallback), fallback.prefix


def _fallback_settings(first: ModelSettings, fallback: FallbackModelSettings) -> ModelSettings:
    assert fallback.provider
    return replace(
        first,
        provider=fallback.provider,
        base_url=fallback.base_url,
        api_key=fallback.api_key,
        name=fallback.name,
        permits=fallback.permits,
        thinking=fallback.thinking,
        reasoning_effort=fallback.reasoning_effort,
        thinking_opened=fallback.thinking_opened,
        price_prompt=fallback.price_prompt,
        price_completion=fallback.price_completion,
        price_cached_prompt=fallback.price_cached_prompt,
    )


def find_candidate(settings: Settings, name: str) -> ModelSettings:
    """The settings of the model of this name, else of the first."""
    return next((model for model, _ in list_candidates(settings) if name_of(model) == name), settings.model)


def find_problem(model: ModelSettings, variables: str) -> str:
    """Why the model cannot be called as configured, naming the variable; "" when it can."""
    if model.provider == "local":
        return ""
    preset = PRESETS[model.provider]
    base_url = model.base_url or preset.base_url
    if not base_url.startswith(("http://", "https://")):
        return f"{variables}BASE_URL: expected an http:// or https:// URL, got {base_url!r}"
    if not model.api_key and not model.base_url and preset.needs_key:
        return f"{variables}API_KEY: provider {model.provider!r} needs a key"
    if not (model.name or preset.model):
        return f"{variables}NAME: provider {model.provider!r} needs the name of the model that it serves"
    return ""
