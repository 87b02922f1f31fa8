"""Which index the settings ask for."""

from adapters.index.port import VectorIndex
from schemas.settings import Settings


def create_vector_index(settings: Settings, *, model: str, dimensions: int) -> VectorIndex:
    """The engine in this process or the server, not yet open. ``model`` and ``dimensions`` are the embedder's."""
    if settings.index.url:
        from adapters.index.server import ServerIndex  # noqa: PLC0415 - a second of import that only a server needs

        return ServerIndex(settings.index, model=model, dimensions=dimensions, prefix=settings.kafka.topic_prefix)
    from adapters.index.embedded import EmbeddedIndex  # noqa: PLC0415 - 40 MB of engine that a server's client does not need

    return EmbeddedIndex(settings.node.home / "index", model=model, dimensions=dimensions)
