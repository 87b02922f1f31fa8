"""Failover: several models in order, a chosen one before the others; the next is called when the one before did not begin to answer."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing

import structlog
from msgspec.structs import replace

from adapters.models import metrics
from adapters.models.port import AnswerModel, AnswerPart, AnswerRequest, EmptyAnswer, Finish, Piece, Spent
from adapters.models.providers.provider_errors import is_final
from schemas.errors import Refused, Unavailable

LEFT_S_MIN = 1.0  # less does not suffice for a first word

log = structlog.get_logger(__name__)


class Failover:
    """An AnswerModel of at least one. Its name is that of the first; a finish names the one that answered.

    All of them together have ``total_s`` for an answer; none is called with less than LEFT_S_MIN left.
    """

    def __init__(self, models: Sequence[AnswerModel], *, total_s: float) -> None:
        self._models, self._total_s = tuple(models), total_s
        self.names = tuple(dict.fromkeys(model.name for model in self._models))
        self.name = self.names[0]
        self._opened = AsyncExitStack()

    async def start(self) -> None:
        for model in self._models:
            await model.start()
            self._opened.push_async_callback(model.stop)

    async def stop(self) -> None:
        await self._opened.aclose()

    async def answer(self, request: AnswerRequest) -> AsyncGenerator[AnswerPart, None]:
        """See AnswerModel; when none answered, the most telling error is raised: that of a model which ended without an answer (a
        retry would spend its tokens again); else a transient one, with the time to retry, before a permanent one. A question that a
        provider's content filter refuses is taken to no other.
        """
        errors: list[Refused | Unavailable] = []
        now = asyncio.get_running_loop().time
        ends = now() + (self._total_s if request.within_s is None else request.within_s)
        models = self._order(request.model)
        for model in models:
            answered, left_s = False, ends - now()
            if errors and left_s < LEFT_S_MIN:
                break
            try:
                asked = replace(request, within_s=left_s, others_left=model is not models[-1])
                async with aclosing(_after(errors, model.answer(asked))) as stream:
                    async for item in stream:
                        answered = answered or isinstance(item, Piece | Finish)
                        yield item
            except (Refused, Unavailable) as error:
                if answered or error.code == "answer_interrupted":
                    raise
                errors.append(error)
                if is_final(error):
                    break
                if asked.others_left:
                    _report(model, error)
            else:
                return
        worst = _most_telling(errors)
        for spent in _spent([error for error in errors if error is not worst]):
            yield spent
        raise worst

    def _order(self, chosen: str) -> tuple[AnswerModel, ...]:
        """The chosen model, if there is one of that name, and the others in their order."""
        first = next((model for model in self._models if model.name == chosen), self._models[0])
        return first, *(model for model in self._models if model is not first)


def _report(model: AnswerModel, error: Refused | Unavailable) -> None:
    metrics.FAILOVERS.labels(model.name).inc()
    log.warning("model_failed_over", model=model.name, code=error.code, detail=error.detail)


async def _after(errors: Sequence[Refused | Unavailable], parts: AsyncGenerator[AnswerPart, None]) -> AsyncGenerator[AnswerPart, None]:
    """``parts``, and before their answer what the models before have spent on none."""
    answered = False
    async with aclosing(parts):
        async for item in parts:
            if not answered and isinstance(item, Piece | Finish):
                answered = True
                for spent in _spent(errors):
                    yield spent
            yield item


def _spent(errors: Sequence[Refused | Unavailable]) -> Iterator[Spent]:
    """What was spent on answers that were empty."""
    return (Spent(usage=error.usage, speaker=error.speaker) for error in errors if isinstance(error, EmptyAnswer))


def _most_telling(errors: Sequence[Refused | Unavailable]) -> Refused | Unavailable:
    """See ``Failover.answer``."""
    lasting = next((error for error in errors if is_final(error)), None) or next((e for e in errors if isinstance(e, EmptyAnswer)), None)
    if lasting is not None:
        return lasting
    passing = [error for error in errors if isinstance(error, Unavailable)]
    return min(passing, key=lambda error: error.retry_after_s) if passing else errors[0]
