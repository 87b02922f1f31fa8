"""A question with its passages as a request to a model: what the asker wants of it, within what the operator allows."""

from collections.abc import Sequence

from adapters.models.port import AnswerRequest
from schemas.chats import Passage, Question
from schemas.settings import Model


def request_of(question: Question, passages: Sequence[Passage], settings: Model) -> AnswerRequest:
    """Pure: the same question, passages and settings always make the same request, and so the same prompt."""
    return AnswerRequest(
        question=question.content,
        passages=tuple(passages),
        history=question.history,
        system_prompt=question.system_prompt,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
    )
