"""Choice of the embedder, by the settings or by a collection of an index."""

from msgspec.structs import replace

from adapters.concurrency import ConcurrencyLimits, Priority
from adapters.embedders.local import LocalEmbedder
from adapters.embedders.port import Embedder
from schemas.errors import ConfigurationError
from schemas.settings import RetrievalSettings, Settings

PROVIDERS = ("openai", "zhipu")


def create_embedder(
    settings: RetrievalSettings, limits: ConcurrencyLimits | None = None, priority: Priority = Priority.DOCUMENTS
) -> Embedder:
    """Not yet open. Raises ConfigurationError for a provider without a key (an own ``base_url`` may need none).

    A provider's calls pass one of the process's ``limits`` at this ``priority``; without limits there is this process's share alone.
    """
    if settings.embedding == "local":
        return LocalEmbedder()
    if not settings.embedding_api_key and not settings.embedding_base_url:
        raise ConfigurationError(f"CLAW_RETRIEVAL_EMBEDDING_API_KEY is needed for CLAW_RETRIEVAL_EMBEDDING={settings.embedding}")
    from adapters.embedders.providers import OpenAIEmbedder, ZhipuEmbedder  # noqa: PLC0415 - the default needs no HTTP client

    limits = limits or ConcurrencyLimits(Settings(retrieval=settings))
    return ZhipuEmbedder(settings, limits, priority) if settings.embedding == "zhipu" else OpenAIEmbedder(settings, limits, priority)


def create_embedder_by_name(settings: RetrievalSettings, name: str, limits: ConcurrencyLimits | None = None) -> Embedder:
    """The embedder of a collection: ``local`` is always available, a provider when the settings name it.

    The key, address and model of the settings belong to one provider: with CLAW_RETRIEVAL_EMBEDDING=local, to the one that is requested.
    Raises ConfigurationError for anything else.
    """
    if name in ("", settings.embedding):
        return create_embedder(settings, limits)
    if name == "local":
        return LocalEmbedder()
    if name not in PROVIDERS or settings.embedding != "local":
        raise ConfigurationError(
            f"an index asks for the embedding {name!r}: CLAW_RETRIEVAL_EMBEDDING={settings.embedding} offers only that one and local"
        )
    return create_embedder(replace(settings, embedding=name), limits)
