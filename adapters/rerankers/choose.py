"""Choice of the reranker by the settings."""

from adapters.rerankers.port import Reranker
from schemas.settings import RetrievalSettings


def create_reranker(settings: RetrievalSettings) -> Reranker | None:
    """Not yet open; None when none is configured."""
    if not settings.rerank_url:
        return None
    from adapters.rerankers.http import HttpReranker  # noqa: PLC0415 - the default needs no HTTP client

    return HttpReranker(settings)
