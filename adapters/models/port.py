"""The interface of answering models."""

from collections.abc import AsyncGenerator
from typing import Protocol

from msgspec import Struct

from adapters.models.prices import Prices
from schemas.chats import Courtesy, Passage, Turn, Usage
from schemas.errors import Refused
from schemas.records import AnswerMode, ConversationType
from schemas.thinking import ReasoningEffort, Thinking


class AnswerRequest(Struct, frozen=True, kw_only=True):
    """All that one answer is made from. ``passages`` in the order of their markers; none means that nothing was found."""

    question: str
    passages: tuple[Passage, ...] = ()
    history: tuple[Turn, ...] = ()
    summary: str = ""  # of the conversation before the history
    system_prompt: str = ""  # of the caller; the product's rules are added by the adapter
    tone: ConversationType = "chat"
    max_tokens: int = 1024
    temperature: float = 0.2
    stop: tuple[str, ...] = ()  # the answer ends before the first of these
    thinking: Thinking = "auto"
    reasoning_effort: ReasoningEffort = ""
    model: str = ""  # the one that is asked first; "", or one that there is not: the first of the settings
    others_left: bool = False  # another model is asked when this one does not begin to answer
    within_s: float | None = None  # what is left of the time the whole answer may take; None: all of it
    mode: AnswerMode = "grounded"
    courtesy: Courtesy | None = None  # the question is a greeting or the like, and is answered as such
    answerable: bool = True  # by its words alone, which decide where no language model does
    by_meaning: bool = False  # the passages share no words with the question, or are in another language
    meant: tuple[int, ...] = ()  # the markers of passages that are so, where words do not answer


class Speaker(Struct, frozen=True, kw_only=True):
    """The model that gives an answer. ``prompt_hash``: see ``adapters.models.fingerprint``; "" where no language model is used."""

    model: str
    provider: str
    prompt_hash: str = ""
    prices: Prices = Prices()


NO_SPEAKER = Speaker(model="", provider="")


class Piece(Struct, frozen=True):
    """More of the answer; never empty. Citation markers are still raw: see ``adapters.models.grounding.citations``.

    ``speaker`` is the finish's: an answer that never gets there has one, too.
    """

    text: str
    speaker: Speaker = NO_SPEAKER


class ThoughtPiece(Struct, frozen=True):
    """More of what the model thinks; never empty, and no part of the answer."""

    text: str
    speaker: Speaker = NO_SPEAKER


class Spent(Struct, frozen=True, kw_only=True):
    """What a call cost that gave no answer, when it is asked again or another model is: before the parts of the answer."""

    usage: Usage
    speaker: Speaker


class Finish(Struct, frozen=True, kw_only=True):
    """The end of the answer, exactly once and last. ``reason``: ``stop``, ``length`` or ``content_filter``, else the provider's own."""

    reason: str = "stop"
    usage: Usage = Usage()
    speaker: Speaker = NO_SPEAKER

    @property
    def model(self) -> str:
        """The model that answered, as its provider knows it."""
        return self.speaker.model

    @property
    def provider(self) -> str:
        """``local``, ``openai`` or ``zhipu``."""
        return self.speaker.provider

    @property
    def prompt_hash(self) -> str:
        """SHA-256 of the messages as they were sent."""
        return self.speaker.prompt_hash


AnswerPart = Piece | ThoughtPiece | Spent | Finish


class EmptyAnswer(Refused):
    """The model ended without any text of an answer: it may have produced thinking only.

    ``usage`` is what ``speaker`` spent on it. The same call would end in the same way, so it is not repeated; another model may answer.
    """

    def __init__(self, detail: str, *, usage: Usage, speaker: Speaker) -> None:
        super().__init__("model_answer_empty", detail)
        self.usage, self.speaker = usage, speaker


class Completion(Struct, frozen=True, kw_only=True):
    """A short text a model wrote for the product itself: a condensed question, a summary, a title. Empty when the model only thought."""

    text: str
    usage: Usage = Usage()
    model: str = ""
    provider: str = ""
    cost_micros: int = 0


class Writer(Protocol):
    """Writes short texts beside answers; None where no language model is configured (``local``): callers then have rules of their own.

    ``write`` raises Unavailable("model_unavailable") or Refused, as an AnswerModel does, within ``timeout_s``, waiting for a place
    included; Refused("model_answer_empty") for a while after the model wrote nothing: it would cost as much again.
    """

    @property
    def name(self) -> str: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def write(self, instructions: str, text: str, *, max_tokens: int, timeout_s: float) -> Completion: ...


class AnswerModel(Protocol):
    """Turns a request into pieces and one finish.

    ``answer`` raises Unavailable when there was no piece yet and the same call may succeed later (the adapter already retried what is
    worth retrying), Refused when the provider will not take it as it is or not now (``providers.provider_errors`` has the codes of
    both), EmptyAnswer when the answer ended without a piece, and Refused("answer_interrupted") when it broke off after the first piece:
    that is never retried. Unavailable after a piece: what was given was thinking, and the answer has to be generated anew. Closing the
    generator early (use ``contextlib.aclosing``) or cancelling its task closes the call to the provider at once. What a model thinks
    before it answers is no piece of the answer. ``names``: of the models that it asks, in their order; ``name`` is the first.
    """

    @property
    def name(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def answer(self, request: AnswerRequest) -> AsyncGenerator[AnswerPart, None]: ...


def first_asked(model: AnswerModel, chosen: str) -> str:
    """The name of the model that is asked first: the chosen one, if there is one of that name."""
    return chosen if chosen in model.names else model.name
