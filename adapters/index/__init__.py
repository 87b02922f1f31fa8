"""The vector index: one port, the engine in this process or a Qdrant server behind it."""

from adapters.index.port import Hit, Point, Query, VectorIndex
from schemas.settings import Settings

__all__ = ["Hit", "Point", "Query", "VectorIndex", "build_index"]


def build_index(settings: Settings, *, model: str, dimensions: int) -> VectorIndex:
    """The index that the settings ask for, not yet open. ``model`` and ``dimensions`` are the embedder's."""
    if settings.index.url:
        from adapters.index.server import ServerIndex  # noqa: PLC0415 - a second of import that only a server needs

        return ServerIndex(settings.index, model=model, dimensions=dimensions, prefix=settings.kafka.topic_prefix)
    from adapters.index.embedded import EmbeddedIndex  # noqa: PLC0415 - 40 MB of engine that a server's client does not need

    return EmbeddedIndex(settings.node.home / "index", model=model, dimensions=dimensions)
