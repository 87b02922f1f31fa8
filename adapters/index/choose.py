"""Which index the settings ask for."""

import asyncio
import shutil

from adapters.index.port import INDEX_NAME, SecondVector, VectorIndex
from schemas.settings import Settings


def create_vector_index(
    settings: Settings, *, model: str, dimensions: int, name: str = "", second: SecondVector | None = None
) -> VectorIndex:
    """The engine in this process or the server, not yet open, by its name or that of ``model``, whose vectors have ``dimensions``."""
    if settings.index.url:
        from adapters.index.server import ServerIndex  # noqa: PLC0415 - a second of import that only a server needs

        prefix = settings.kafka.topic_prefix
        return ServerIndex(settings.index, model=model, dimensions=dimensions, prefix=prefix, name=name, second=second)
    from adapters.index.embedded import EmbeddedIndex  # noqa: PLC0415 - 40 MB of engine that a server's client does not need

    return EmbeddedIndex(settings.node.home / "index", model=model, dimensions=dimensions, name=name, second=second)


async def remove_empty_index(settings: Settings, name: str) -> None:
    """Remove the folder of an index that is closed and has no points. A server's collection stays: another process may be filling it."""
    if not settings.index.url:
        await asyncio.to_thread(shutil.rmtree, settings.node.home / "index" / name, ignore_errors=True)


async def list_indexes(settings: Settings) -> list[str]:
    """The names of all indexes that there are, of this release and of earlier ones. Raises Unavailable("index_unavailable")."""
    if settings.index.url:
        from adapters.index.server import list_names  # noqa: PLC0415

        return await list_names(settings.index, settings.kafka.topic_prefix)
    root = settings.node.home / "index"
    found = sorted(root.iterdir()) if root.is_dir() else []
    return [folder.name for folder in found if INDEX_NAME.fullmatch(folder.name) and (folder / "shard").is_dir()]
