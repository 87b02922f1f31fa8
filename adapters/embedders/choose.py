"""Choice of the embedder, by the settings or by a collection of an index."""

import re

from msgspec.structs import replace

from adapters.concurrency import ConcurrencyLimits, Priority
from adapters.embedders.absent import ABSENT, AbsentEmbedder
from adapters.embedders.local import LOCAL_MODELS, LocalEmbedder
from adapters.embedders.port import Embedder
from adapters.index.port import index_name
from schemas.errors import ConfigurationError
from schemas.settings import RetrievalSettings, Settings

PROVIDERS = ("openai", "zhipu")

_DIMENSIONS = re.compile(r"-([0-9]{1,4})(?:\.[0-9]{1,4})?$")  # at the end of a model's name


def create_embedder(
    settings: RetrievalSettings, limits: ConcurrencyLimits | None = None, priority: Priority = Priority.DOCUMENTS
) -> Embedder:
    """Not yet open. Raises ConfigurationError for a provider without a key (an own ``base_url`` may need none).

    A provider's calls pass one of the process's ``limits`` at this ``priority``; without limits there is this process's share alone.
    """
    if settings.embedding == ABSENT:
        return AbsentEmbedder(settings.embedding_dimensions)
    if settings.embedding in LOCAL_MODELS:
        return LocalEmbedder(settings, settings.embedding)
    if not settings.embedding_api_key and not settings.embedding_base_url:
        raise ConfigurationError(f"CLAW_RETRIEVAL_EMBEDDING_API_KEY is needed for CLAW_RETRIEVAL_EMBEDDING={settings.embedding}")
    from adapters.embedders.providers import OpenAIEmbedder, ZhipuEmbedder  # noqa: PLC0415 - the default needs no HTTP client

    limits = limits or ConcurrencyLimits(Settings(retrieval=settings))
    return ZhipuEmbedder(settings, limits, priority) if settings.embedding == "zhipu" else OpenAIEmbedder(settings, limits, priority)


def create_embedder_by_name(
    settings: RetrievalSettings, name: str, limits: ConcurrencyLimits | None = None, priority: Priority = Priority.DOCUMENTS
) -> Embedder:
    """The embedder of a collection: local ones are always available, a provider when the settings name it.

    The key, address and model of the settings belong to one provider: with a local CLAW_RETRIEVAL_EMBEDDING, to the one that is requested.
    Raises ConfigurationError for anything else.
    """
    if name in ("", settings.embedding):
        return create_embedder(settings, limits, priority)
    if name in LOCAL_MODELS or name == ABSENT:
        return create_embedder(replace(settings, embedding=name, embedding_dimensions=0))
    if name not in PROVIDERS or settings.embedding not in LOCAL_MODELS:
        offered = ", ".join(dict.fromkeys((settings.embedding, *LOCAL_MODELS)))
        raise ConfigurationError(
            f"an index asks for the embedding {name!r}: CLAW_RETRIEVAL_EMBEDDING={settings.embedding} offers only {offered}"
        )
    return create_embedder(replace(settings, embedding=name), limits, priority)


def embedding_of_index(settings: RetrievalSettings, index: str) -> tuple[str, int]:
    """The embedding that fits an index by its name, as far as these settings offer it, and the dimensions of its vectors.

    Without one it is "none": such an index is searched by words alone. Raises ConfigurationError when not even the dimensions are known.
    """
    for name in dict.fromkeys((settings.embedding, *LOCAL_MODELS, *PROVIDERS)):
        try:
            embedder = create_embedder_by_name(settings, name)
        except ConfigurationError:
            continue
        if _model_part(index_name(embedder.name)) == _model_part(index):
            return name, embedder.dimensions
    dimensions = _DIMENSIONS.search(index)
    if dimensions is None:
        raise ConfigurationError(f"the index {index} is of an embedding that is not known here: move it away and rebuild")
    return ABSENT, int(dimensions[1])


def _model_part(index: str) -> str:
    return index.partition("-")[2]
