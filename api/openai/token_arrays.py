"""Inputs that a client has already cut into tokens of cl100k_base, as LangChain does by default: back into text, given the vocabulary.

The vocabulary is the file ``cl100k_base.tiktoken`` of tiktoken: a token in base64 and its number per line. It is the operator's to fetch.
"""

import base64
import binascii
from functools import lru_cache
from pathlib import Path

from api.http.responses import invalid_field
from schemas.bodies.openai import EMBEDDING_CHARS_MAX, EMBEDDING_TOKENS_MAX
from schemas.errors import ConfigurationError, FieldError, Refused

SETTING = "CLAW_RETRIEVAL_EMBEDDING_TOKENS_FILE"
FILE_BYTES_MAX = 16_777_216  # cl100k_base has 1.7 MB
SPECIAL = frozenset({100_257, 100_258, 100_259, 100_260, 100_276})  # end of text and the like: no text

Vocabulary = dict[int, bytes]


@lru_cache(maxsize=4)
def load_vocabulary(path: str) -> Vocabulary:
    """Tokens by number, some 10 MB of memory; raises ConfigurationError. Read once per process."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"{SETTING}: {path} cannot be read ({error.strerror})") from error
    if len(data) > FILE_BYTES_MAX:
        raise ConfigurationError(f"{SETTING}: {path} has more than {FILE_BYTES_MAX:,} bytes; cl100k_base.tiktoken has 1.7 million")
    try:
        pairs = (line.split() for line in data.splitlines() if line)
        return {int(number): base64.b64decode(token, validate=True) for token, number in pairs}
    except (ValueError, binascii.Error) as error:
        raise ConfigurationError(f"{SETTING}: {path} is no vocabulary of tiktoken: a token in base64 and its number per line") from error


def decode_tokens(field: str, tokens: tuple[int, ...], vocabulary_path: str) -> str:
    """The text of ``tokens``. Raises Refused: "unsupported_parameter" without a vocabulary, "validation_failed" for what is no text."""
    if not vocabulary_path:
        why = (
            "holds token arrays, which this server cannot read; send text. Clients that send tokens have a switch: LangChain's "
            f"OpenAIEmbeddings(check_embedding_ctx_length=False). An operator can have them decoded with {SETTING}"
        )
        raise Refused("unsupported_parameter", errors=(FieldError(field, why),))
    if not tokens:
        raise invalid_field(field, "is empty", "one token")
    if len(tokens) > EMBEDDING_TOKENS_MAX:
        raise invalid_field(field, f"has {len(tokens)} tokens", f"{EMBEDDING_TOKENS_MAX} tokens")
    vocabulary = load_vocabulary(vocabulary_path)
    unknown = next((token for token in tokens if token not in vocabulary and token not in SPECIAL), None)
    if unknown is not None:
        raise invalid_field(field, f"holds {unknown}, which is no token of cl100k_base", "tokens of cl100k_base, or a text")
    text = b"".join(vocabulary.get(token, b"") for token in tokens).decode(errors="replace")  # a cut may lie inside a character
    if not 1 <= len(text) <= EMBEDDING_CHARS_MAX:
        raise invalid_field(field, f"has {len(text)} characters", f"1 to {EMBEDDING_CHARS_MAX} characters")
    return text
