"""Which embedder the settings ask for."""

from adapters.embedders.local import LocalEmbedder
from adapters.embedders.port import Embedder
from schemas.errors import ConfigurationError
from schemas.settings import Retrieval


def embedder_of(settings: Retrieval) -> Embedder:
    """Not yet open. Raises ConfigurationError for a provider without a key (a ``base_url`` of one's own may need none)."""
    if settings.embedding == "local":
        return LocalEmbedder()
    if not settings.embedding_api_key and not settings.embedding_base_url:
        raise ConfigurationError(f"CLAW_RETRIEVAL_EMBEDDING_API_KEY is needed for CLAW_RETRIEVAL_EMBEDDING={settings.embedding}")
    from adapters.embedders.providers import OpenAIEmbedder, ZhipuEmbedder  # noqa: PLC0415 - the default needs no HTTP client

    return ZhipuEmbedder(settings) if settings.embedding == "zhipu" else OpenAIEmbedder(settings)
