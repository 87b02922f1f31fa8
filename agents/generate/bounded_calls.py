"""A model whose calls for one reply are counted and bounded, over all attempts."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from adapters.models.port import AnswerModel, AnswerPart, AnswerRequest
from domain.chats.answer_calls import AnswerCalls


class CountedModel:
    """Implements AnswerModel for one answer of ``model``."""

    def __init__(self, model: AnswerModel, calls: AnswerCalls, tenant: str, reply_id: str) -> None:
        self.name, self.names = model.name, model.names
        self._model, self._calls, self._tenant, self._reply_id = model, calls, tenant, reply_id

    async def start(self) -> None:
        """The model is its owner's to start."""

    async def stop(self) -> None:
        """The model is its owner's to stop."""

    async def answer(self, request: AnswerRequest) -> AsyncGenerator[AnswerPart, None]:
        """See AnswerModel; Refused("answer_attempts_exhausted") instead of one call too many."""
        await self._calls.check(self._tenant, self._reply_id)
        begun = False
        async with aclosing(self._model.answer(request)) as parts:
            async for part in parts:
                if not begun:
                    begun = True
                    await self._calls.count(self._tenant, self._reply_id)
                yield part
