"""The indexes of this process, one per embedding: that of the settings is always open, another one from its first use on."""

import asyncio
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from adapters.concurrency import ConcurrencyLimits
from adapters.embedders.query import QueryEncoder
from adapters.index.port import VectorIndex
from domain.retrieval.search import Engine
from schemas.errors import ConfigurationError, Refused
from schemas.settings import RetrievalSettings

LOCAL = "local"  # available with any settings

log = structlog.get_logger(__name__)

MakeIndex = Callable[[QueryEncoder], VectorIndex]


class Engines:
    """``make`` makes the index for an encoder, not yet open; ``limits`` bound the calls to an embedding provider."""

    def __init__(self, settings: RetrievalSettings, make: MakeIndex, limits: ConcurrencyLimits | None = None) -> None:
        self._settings, self._make, self._limits = settings, make, limits
        self._engines: dict[str, Engine] = {}
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Open the index of the settings; raises what opening it raises."""
        await self.get("")

    async def close(self) -> None:
        """Close all of them."""
        while self._engines:
            _, engine = self._engines.popitem()
            await engine.index.close()
            await engine.encoder.close()

    async def get(self, embedding: str) -> Engine:
        """The engine of a ``Shelf.embedding``; raises ConfigurationError for one that is neither the settings' nor local, Unavailable."""
        name = embedding or self._settings.embedding
        if name not in (LOCAL, self._settings.embedding):
            raise ConfigurationError(f"CLAW_RETRIEVAL_EMBEDDING is {self._settings.embedding}: an index of {name} cannot be searched")
        found = self._engines.get(name)
        if found is not None:
            return found
        async with self._opening:
            if name not in self._engines:
                self._engines[name] = await self._open(name)
            return self._engines[name]

    async def index_of(self, model: str) -> VectorIndex:
        """The index that holds vectors of this model; raises Refused("event_failed") when no engine makes such."""
        for engine in self._engines.values():
            if engine.encoder.embedding_name == model:
                return engine.index
        local = await self.get(LOCAL)
        if local.encoder.embedding_name == model:
            return local.index
        own = (await self.get("")).encoder.embedding_name
        raise Refused("event_failed", f"these vectors are of {model}, the index holds {own}: submit the document again")

    async def _open(self, name: str) -> Engine:
        own = name == self._settings.embedding
        encoder = QueryEncoder(self._settings if own else replace(self._settings, embedding="local", embedding_name=""), self._limits)
        index = self._make(encoder)
        await index.open()
        try:
            await encoder.open()
        except BaseException:
            await index.close()
            raise
        log.info("engine_opened", embedding=name, model=encoder.embedding_name)
        return Engine(index, encoder)
