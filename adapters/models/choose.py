"""Choice of the answering models by the settings, in their order."""

from msgspec.structs import replace

from adapters.concurrency import ConcurrencyLimit, ConcurrencyLimits
from adapters.embedders.choose import PROVIDERS, create_embedder
from adapters.embedders.port import Embedder
from adapters.models.candidates import list_candidates
from adapters.models.failover import Failover
from adapters.models.grounding.local import LocalModel
from adapters.models.port import AnswerModel
from adapters.models.providers.openai import OpenAIModel
from adapters.models.providers.presets import PRESETS
from adapters.models.providers.writer import ModelWriter
from schemas.settings import ModelSettings, Settings


def create_answer_model(settings: Settings, limits: ConcurrencyLimits | None = None) -> AnswerModel:
    """The models of the settings as one, not opened yet; raises ConfigurationError when one cannot be used as configured.

    ``limits`` of the process, with its Redis; without, this process has its own share of the permits.
    """
    limits = limits or ConcurrencyLimits(settings)
    models = [_create_model(settings, one, variables, limits) for one, variables in list_candidates(settings)]
    return models[0] if len(models) == 1 else Failover(models, total_s=settings.model.total_timeout_s)


def create_writer(settings: Settings, limits: ConcurrencyLimits | None = None) -> ModelWriter | None:
    """The writer of condensed questions, summaries and titles: the first language model, not opened yet; None where rules are used."""
    limits = limits or ConcurrencyLimits(settings)
    for model, variables in list_candidates(settings):
        if model.provider != "local":
            return ModelWriter(model, limit=_concurrency_limit(model, limits), variables=variables)
    return None


def _create_model(settings: Settings, model: ModelSettings, variables: str, limits: ConcurrencyLimits) -> AnswerModel:
    if model.provider == "local":
        return LocalModel(_create_sentence_embedder(settings))
    return OpenAIModel(model, tokens_max=settings.prompt_tokens_max, limit=_concurrency_limit(model, limits), variables=variables)


def _create_sentence_embedder(settings: Settings) -> Embedder:
    """A local embedding, whatever provider the documents' is: a sentence is embedded for every answer."""
    retrieval = settings.retrieval
    return create_embedder(replace(retrieval, embedding="local") if retrieval.embedding in PROVIDERS else retrieval)


def _concurrency_limit(model: ModelSettings, limits: ConcurrencyLimits) -> ConcurrencyLimit:
    preset = PRESETS[model.provider]
    return limits.for_model(model.base_url or preset.base_url, model.name or preset.model, model.permits)
