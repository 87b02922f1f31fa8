"""Choice of the reranker by the settings."""

from urllib.parse import urlsplit

from adapters.rerankers.formats import FORMATS, RerankProvider
from adapters.rerankers.port import Reranker
from schemas.errors import ConfigurationError
from schemas.settings import RetrievalSettings

URL = "CLAW_RETRIEVAL_RERANK_URL"


def create_reranker(settings: RetrievalSettings) -> Reranker | None:
    """Not yet open; None when none is configured. Raises ConfigurationError for one that cannot be used as configured."""
    provider = find_provider(settings)
    if provider is None:
        return None
    url = settings.rerank_url or FORMATS[provider].base_url
    if not url:
        raise ConfigurationError(f"{URL}: {provider} is a server of your own; set its base URL, such as http://127.0.0.1:8080")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(f"{URL}: {url!r} is no address; set a base URL such as http://127.0.0.1:8080/v1")
    from adapters.rerankers.http import HttpReranker  # noqa: PLC0415 - the default needs no HTTP client

    return HttpReranker(settings, FORMATS[provider], url)


def find_provider(settings: RetrievalSettings) -> RerankProvider | None:
    """The format of the reranking API; None without reranking."""
    if settings.rerank_provider:
        return settings.rerank_provider
    return "jina" if settings.rerank_url else None
