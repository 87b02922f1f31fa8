"""The hash of the prompt that an answer was made from."""

import hashlib
from collections.abc import Sequence

import msgspec

from adapters.models import prompts
from adapters.models.port import AnswerRequest

_encoder = msgspec.json.Encoder(order="sorted")


def hash_messages(sent: Sequence[prompts.ProviderChatMessage]) -> str:
    """SHA-256, in hex, of the messages as canonical JSON: sorted keys, no white space, UTF-8."""
    return hashlib.sha256(_encoder.encode(sent)).hexdigest()


def hash_prompt(request: AnswerRequest, *, tokens_max: int) -> str:
    """The hash of the messages to a language model for this request; ``Settings.prompt_tokens_max`` is the budget of an installation."""
    return hash_messages(prompts.build_messages(request, tokens_max=tokens_max))
