"""Failover: several models in order; the next one is called when the one before it did not begin to answer."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing

import structlog
from msgspec.structs import replace

from adapters.models import metrics
from adapters.models.port import AnswerModel, AnswerPart, AnswerRequest, EmptyAnswer
from schemas.errors import Refused, Unavailable

LEFT_S_MIN = 1.0  # less does not suffice for a first word

log = structlog.get_logger(__name__)


class Failover:
    """An AnswerModel of at least one. Its name is that of the first; a finish names the one that answered.

    All of them together have ``total_s`` for an answer; none is called with less than LEFT_S_MIN left.
    """

    def __init__(self, models: Sequence[AnswerModel], *, total_s: float) -> None:
        self._models, self._total_s = tuple(models), total_s
        self.name = self._models[0].name
        self._opened = AsyncExitStack()

    async def open(self) -> None:
        for model in self._models:
            await model.open()
            self._opened.push_async_callback(model.close)

    async def close(self) -> None:
        await self._opened.aclose()

    async def answer(self, request: AnswerRequest) -> AsyncGenerator[AnswerPart, None]:
        """See AnswerModel; when none answered, the most telling error is raised: that of a model which ended without an answer (a
        retry would spend its tokens again); else a transient one, with the time to retry, before a permanent one.
        """
        errors: list[Refused | Unavailable] = []
        now = asyncio.get_running_loop().time
        ends = now() + (self._total_s if request.within_s is None else request.within_s)
        for model in self._models:
            answered, left_s = False, ends - now()
            if errors and left_s < LEFT_S_MIN:
                break
            try:
                async with aclosing(model.answer(replace(request, within_s=left_s))) as stream:
                    async for item in stream:
                        answered = True
                        yield item
            except (Refused, Unavailable) as error:
                if answered or error.code == "answer_interrupted":
                    raise
                errors.append(error)
                if model is not self._models[-1]:
                    metrics.FAILOVERS.labels(model.name).inc()
                    log.warning("model_failed_over", model=model.name, code=error.code, detail=error.detail)
            else:
                return
        if empty := next((error for error in errors if isinstance(error, EmptyAnswer)), None):
            raise empty
        passing = [error for error in errors if isinstance(error, Unavailable)]
        raise min(passing, key=lambda error: error.retry_after_s) if passing else errors[0]
