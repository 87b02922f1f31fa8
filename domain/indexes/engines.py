"""The indexes of this process, one per embedding: that of the settings is always open, another one from its first use on.

An index of an earlier release or of other settings is an engine, too, by its own name: until its collections are rebuilt, readers search
it, and new versions are written to it.
"""

import asyncio
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from adapters.concurrency import ConcurrencyLimits
from adapters.embedders.choose import embedding_of_index
from adapters.embedders.local import LOCAL_MODELS
from adapters.embedders.query import QueryEncoder
from adapters.index.port import INDEX_NAME, VectorIndex, index_name
from domain.retrieval.search import Engine
from schemas.errors import ConfigurationError
from schemas.settings import RetrievalSettings

log = structlog.get_logger(__name__)

MakeIndex = Callable[[QueryEncoder, str], VectorIndex]


class Engines:
    """``make`` makes the index of a name for an encoder, not yet open; ``limits`` bound the calls to an embedding provider."""

    def __init__(self, settings: RetrievalSettings, make: MakeIndex, limits: ConcurrencyLimits | None = None) -> None:
        self._settings, self._make, self._limits = settings, make, limits
        self._engines: dict[str, Engine] = {}  # by every name that was asked for
        self._by_index: dict[str, Engine] = {}
        self._opening = asyncio.Lock()

    async def start(self) -> None:
        """Open the index of the settings; raises what opening it raises."""
        await self.get("")

    async def stop(self) -> None:
        """Close all of them."""
        self._engines.clear()
        while self._by_index:
            _, engine = self._by_index.popitem()
            await engine.index.stop()
            await engine.encoder.stop()

    async def get(self, name: str) -> Engine:
        """The engine of a ``Shelf.engine``; raises Unavailable, and ConfigurationError for one that the settings do not offer."""
        name = name or self._settings.embedding
        found = self._engines.get(name)
        if found is not None:
            return found
        async with self._opening:
            if name not in self._engines:
                where = self.index_of(name)  # two names may lead to one index, which is opened once
                if where not in self._by_index:
                    self._by_index[where] = await self._open(name, where)
                self._engines[name] = self._by_index[where]
            return self._engines[name]

    def index_of(self, name: str) -> str:
        """The name of the index of a ``Shelf.engine``; raises ConfigurationError."""
        return name if INDEX_NAME.fullmatch(name) else index_name(self._encoder(name).embedding_name)

    async def close(self, index: str) -> None:
        """Close the index of this name, which nothing uses any more."""
        async with self._opening:
            engine = self._by_index.pop(index, None)
            self._engines = {name: each for name, each in self._engines.items() if each is not engine}
        if engine is not None:
            await engine.index.stop()
            await engine.encoder.stop()

    async def _open(self, name: str, where: str) -> Engine:
        encoder = self._encoder(name)
        index = self._make(encoder, where)
        await index.start()
        try:
            await encoder.start()
        except BaseException:
            await index.stop()
            raise
        log.info("engine_opened", embedding=name, model=encoder.embedding_name)
        return Engine(index, encoder)

    def _encoder(self, name: str) -> QueryEncoder:
        """Not yet open."""
        settings = self._settings
        if INDEX_NAME.fullmatch(name):
            embedding, dimensions = embedding_of_index(settings, name)
            return QueryEncoder(replace(settings, embedding=embedding, embedding_dimensions=dimensions, encoder=""), self._limits)
        if name in ("", settings.embedding):
            return QueryEncoder(settings, self._limits)
        if name not in LOCAL_MODELS:
            raise ConfigurationError(f"CLAW_RETRIEVAL_EMBEDDING is {settings.embedding}: an index of {name} cannot be searched")
        return QueryEncoder(replace(settings, embedding=name, embedding_name="", encoder=""), self._limits)
