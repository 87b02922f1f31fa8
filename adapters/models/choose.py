"""Which answering models the settings ask for, in which order."""

from collections.abc import Iterator

from msgspec.structs import replace

from adapters.concurrency import Gate, Gates
from adapters.models import retries
from adapters.models.failover import Failover
from adapters.models.fingerprint import prompt_hash_of
from adapters.models.local import LocalModel
from adapters.models.openai import OpenAIModel
from adapters.models.port import AnswerModel, AnswerRequest
from adapters.models.presets import PRESETS
from adapters.models.writer import ModelWriter
from schemas.settings import Model, Settings
from schemas.settings.fallback_models import FallbackModel


def answer_model(settings: Settings, gates: Gates | None = None) -> AnswerModel:
    """The models of the settings as one, not opened yet; raises ConfigurationError when one cannot be used as configured.

    ``gates`` of the process, with its Redis; without, this process has its own share of the permits.
    """
    gates = gates or Gates(settings)
    candidates = list(_candidates(settings))
    models = [_model(settings, one, variables, gates, last=one is candidates[-1][0]) for one, variables in candidates]
    return models[0] if len(models) == 1 else Failover(models, total_s=settings.model.total_timeout_s)


def writer(settings: Settings, gates: Gates | None = None) -> ModelWriter | None:
    """Who writes condensed questions, summaries and titles: the first language model, not opened yet; None where rules have to do."""
    gates = gates or Gates(settings)
    for model, variables in _candidates(settings):
        if model.provider != "local":
            return ModelWriter(model, gate=_gate(model, gates), variables=variables)
    return None


def prompt_hash(request: AnswerRequest, settings: Settings) -> str:
    """``Finish.prompt_hash`` of this request in an installation with these settings."""
    return prompt_hash_of(request, tokens_max=settings.prompt_tokens_max)


def _candidates(settings: Settings) -> Iterator[tuple[Model, str]]:
    """Each model with the prefix of its variables. What they do not have of their own is the first one's."""
    yield settings.model, Model.prefix
    for fallback in (settings.model_second, settings.model_third):
        if fallback.provider:
            yield _completed(settings.model, fallback), fallback.prefix


def _completed(first: Model, fallback: FallbackModel) -> Model:
    assert fallback.provider
    return replace(
        first,
        provider=fallback.provider,
        base_url=fallback.base_url,
        api_key=fallback.api_key,
        name=fallback.name,
        permits=fallback.permits,
        price_prompt=fallback.price_prompt,
        price_completion=fallback.price_completion,
    )


def _model(settings: Settings, model: Model, variables: str, gates: Gates, *, last: bool) -> AnswerModel:
    if model.provider == "local":
        return LocalModel()
    patience = retries.LAST if last else retries.NOT_LAST
    return OpenAIModel(model, tokens_max=settings.prompt_tokens_max, gate=_gate(model, gates), patience=patience, variables=variables)


def _gate(model: Model, gates: Gates) -> Gate:
    preset = PRESETS[model.provider]
    return gates.of(model.base_url or preset.base_url, model.name or preset.model, model.permits)
