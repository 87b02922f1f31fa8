"""A question with its passages as a request to a model: mode and sampling of the question, within the bounds of the settings."""

from collections.abc import Sequence

from msgspec.structs import replace

from adapters.models.port import AnswerRequest
from schemas.chats import Grounding, Passage, Question
from schemas.settings import ModelSettings

TEMPERATURE_MAX = 2.0
STOPS_MAX = 4  # as OpenAI's
STOP_CHARS_MAX = 256  # of one; what is held back while a text is cut is shorter than that


def build_answer_request(question: Question, passages: Sequence[Passage], settings: ModelSettings) -> AnswerRequest:
    """Pure: the same question, passages and settings always make the same request, and so the same prompt."""
    asked = question.sampling
    temperature = settings.temperature if asked.temperature is None else asked.temperature
    return AnswerRequest(
        question=question.content,
        passages=tuple(passages),
        history=question.history,
        summary=question.summary,
        tone=question.tone,
        system_prompt=question.system_prompt,
        max_tokens=min(asked.max_tokens, settings.max_tokens) if asked.max_tokens > 0 else settings.max_tokens,
        temperature=min(max(temperature, 0.0), TEMPERATURE_MAX),
        stop=tuple(stop[:STOP_CHARS_MAX] for stop in asked.stop[:STOPS_MAX] if stop),
        thinking=asked.thinking,
        reasoning_effort=asked.reasoning_effort,
        mode=question.mode,
        model=question.model,
    )


def build_grounded_request(grounding: Grounding, passages: Sequence[Passage], settings: ModelSettings) -> AnswerRequest:
    """The same with what retrieval found out about the question; ``passages`` are those of ``grounding`` that may be used."""
    request = build_answer_request(grounding.question, passages, settings)
    return replace(
        request,
        courtesy=grounding.courtesy,
        answerable=grounding.answerable,
        by_meaning=grounding.by_meaning,
        meant=grounding.meant,
    )
