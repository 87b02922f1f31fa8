"""Choice of the answering models by the settings, in their order."""

from collections.abc import Iterator

from msgspec.structs import replace

from adapters.concurrency import ConcurrencyLimit, ConcurrencyLimits
from adapters.embedders.choose import PROVIDERS, create_embedder
from adapters.embedders.port import Embedder
from adapters.models.failover import Failover
from adapters.models.grounding.local import LocalModel
from adapters.models.port import AnswerModel
from adapters.models.providers import retries
from adapters.models.providers.openai import OpenAIModel
from adapters.models.providers.presets import PRESETS
from adapters.models.providers.writer import ModelWriter
from schemas.settings import ModelSettings, Settings
from schemas.settings.models import FallbackModelSettings


def create_answer_model(settings: Settings, limits: ConcurrencyLimits | None = None) -> AnswerModel:
    """The models of the settings as one, not opened yet; raises ConfigurationError when one cannot be used as configured.

    ``limits`` of the process, with its Redis; without, this process has its own share of the permits.
    """
    limits = limits or ConcurrencyLimits(settings)
    candidates = list(_candidates(settings))
    models = [_create_model(settings, one, variables, limits, last=one is candidates[-1][0]) for one, variables in candidates]
    return models[0] if len(models) == 1 else Failover(models, total_s=settings.model.total_timeout_s)


def create_writer(settings: Settings, limits: ConcurrencyLimits | None = None) -> ModelWriter | None:
    """The writer of condensed questions, summaries and titles: the first language model, not opened yet; None where rules are used."""
    limits = limits or ConcurrencyLimits(settings)
    for model, variables in _candidates(settings):
        if model.provider != "local":
            return ModelWriter(model, limit=_concurrency_limit(model, limits), variables=variables)
    return None


def _candidates(settings: Settings) -> Iterator[tuple[ModelSettings, str]]:
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


def _create_model(settings: Settings, model: ModelSettings, variables: str, limits: ConcurrencyLimits, *, last: bool) -> AnswerModel:
    if model.provider == "local":
        return LocalModel(_create_sentence_embedder(settings))
    patience = retries.LAST_MODEL if last else retries.EARLIER_MODEL
    return OpenAIModel(
        model, tokens_max=settings.prompt_tokens_max, limit=_concurrency_limit(model, limits), patience=patience, variables=variables
    )


def _create_sentence_embedder(settings: Settings) -> Embedder:
    """A local embedding, whatever provider the documents' is: a sentence is embedded for every answer."""
    retrieval = settings.retrieval
    return create_embedder(replace(retrieval, embedding="local") if retrieval.embedding in PROVIDERS else retrieval)


def _concurrency_limit(model: ModelSettings, limits: ConcurrencyLimits) -> ConcurrencyLimit:
    preset = PRESETS[model.provider]
    return limits.for_model(model.base_url or preset.base_url, model.name or preset.model, model.permits)
