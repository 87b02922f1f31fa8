"""Token arrays: text again by the operator's vocabulary, else a refusal that says what to switch off."""

import base64
from pathlib import Path

import pytest

from api.openai.token_arrays import decode_tokens, load_vocabulary
from schemas.errors import ConfigurationError, Refused

TOKENS = [b"Annual", b" leave", "年".encode(), "假".encode()[:2], "假".encode()[2:]]


@pytest.fixture
def vocabulary(tmp_path: Path) -> str:
    """In the form of tiktoken's files."""
    path = tmp_path / "cl100k_base.tiktoken"
    path.write_bytes(b"".join(base64.b64encode(token) + f" {number}\n".encode() for number, token in enumerate(TOKENS)))
    return str(path)


def test_tokens_become_text(vocabulary: str):
    assert decode_tokens("input", (0, 1), vocabulary) == "Annual leave"
    assert decode_tokens("input", (2, 3, 4, 100_257), vocabulary) == "年假"
    assert decode_tokens("input", (2, 3), vocabulary) == "年\ufffd"  # cut inside a character


def test_without_a_vocabulary_the_clients_switch_is_named():
    with pytest.raises(Refused) as refused:
        decode_tokens("input[0]", (1,), "")
    assert refused.value.problem().status == 400
    (error,) = refused.value.errors
    assert error.field == "input[0]"
    assert "check_embedding_ctx_length=False" in error.detail


@pytest.mark.parametrize(
    ("tokens", "said"), [((), "is empty"), ((99,), "99"), ((0,) * 8_193, "8193 tokens"), ((0,) * 1_334, "8004 characters")]
)
def test_what_is_no_text_is_refused(vocabulary: str, tokens: tuple[int, ...], said: str):
    with pytest.raises(Refused) as refused:
        decode_tokens("input[3]", tokens, vocabulary)
    (error,) = refused.value.errors
    assert (error.field, said in error.detail) == ("input[3]", True)


@pytest.mark.parametrize("content", [b"not base64! 1", b"YQ==", b"YQ== one", b"YQ== 1 2"])
def test_a_file_that_is_no_vocabulary_ends_the_start(tmp_path: Path, content: bytes):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="CLAW_RETRIEVAL_EMBEDDING_TOKENS_FILE"):
        load_vocabulary(str(path))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_vocabulary(str(tmp_path / "missing"))
