"""Models that follow live configuration: when their settings change another one is built, and answers in progress keep theirs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from contextlib import aclosing, asynccontextmanager
from typing import Generic, Protocol, TypeVar

import msgspec
import structlog

from adapters.models import metrics
from adapters.models.port import AnswerModel, AnswerPart, AnswerRequest, Completion, Writer
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from streams.lifecycle import Lifecycle
from streams.live import Live

log = structlog.get_logger(__name__)


class NamedPart(Lifecycle, Protocol):
    """What is replaced: it has the name of its model."""

    @property
    def name(self) -> str: ...


P = TypeVar("P", bound=NamedPart)


class LivePart(Generic[P]):
    """A part that ``create`` builds from the settings, and builds again when they change. One that cannot be built, or started, leaves the
    one before in use. A part that was replaced stops when its last user has left.
    """

    def __init__(self, settings: Live[Settings], create: Callable[[Settings], P]) -> None:
        self._settings, self._create = settings, create
        self._part, self._built_from = create(settings.value), _identity(settings.value)
        self._uses: dict[int, int] = {}  # of parts, by identity
        self._changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def name(self) -> str:
        """Of the part that is in use now."""
        return self._part.name

    async def start(self) -> None:
        """Start the part, and follow the settings."""
        await self._part.start()
        self._unsubscribe = self._settings.subscribe(lambda _: self._changed.set())
        self._changed.set()  # the settings may have changed since the part was built
        self._following = asyncio.create_task(self._follow(), name="follow-model-settings")

    async def stop(self) -> None:
        """Stop the part that is in use; those that were replaced stop with their last user."""
        if self._following is not None and self._unsubscribe is not None:
            self._unsubscribe()
            self._following.cancel()
            await asyncio.wait((self._following,))
            self._following = None
        await self._part.stop()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[P]:
        """The part, for as long as the block lasts."""
        part = self._part
        self._uses[id(part)] = self._uses.get(id(part), 0) + 1
        try:
            yield part
        finally:
            self._uses[id(part)] -= 1
            if not self._uses[id(part)]:
                del self._uses[id(part)]
                if part is not self._part:
                    await part.stop()

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            settings = self._settings.value
            if _identity(settings) != self._built_from:
                self._built_from = _identity(settings)
                await self._replace(settings)

    async def _replace(self, settings: Settings) -> None:
        try:
            part = self._create(settings)
            await part.start()
        except (ConfigurationError, OSError) as error:
            log.warning("model_not_replaced", model=self._part.name, error=str(error))
            return
        before, self._part = self._part, part
        metrics.BREAKER_OPEN.clear()  # a new model has its breakers closed, and nobody closes those of the one before
        log.info("model_replaced", model=part.name, before=before.name)
        if id(before) not in self._uses:
            await before.stop()


class LiveModel(LivePart[AnswerModel]):
    """An AnswerModel."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the models that are in use now."""
        return self._part.names

    async def answer(self, request: AnswerRequest) -> AsyncGenerator[AnswerPart, None]:
        """See AnswerModel."""
        async with self.use() as model, aclosing(model.answer(request)) as parts:
            async for part in parts:
                yield part


class LiveWriter(LivePart[Writer]):
    """A Writer."""

    async def write(self, instructions: str, text: str, *, max_tokens: int, timeout_s: float) -> Completion:
        """See Writer."""
        async with self.use() as writer:
            return await writer.write(instructions, text, max_tokens=max_tokens, timeout_s=timeout_s)


def _identity(settings: Settings) -> Hashable:
    """What a model is built from: temperature and length of an answer come with each question."""
    first = msgspec.structs.replace(settings.model, temperature=0.0, max_tokens=1)
    return first, settings.model_second, settings.model_third, settings.prompt_tokens_max
