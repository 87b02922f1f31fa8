"""What a question becomes on its way to a model: sampling within bounds, the hash of the prompt, the price of the answer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.models import request
from adapters.models.fingerprint import hash_prompt
from adapters.models.request import build_answer_request, build_grounded_request
from schemas.chats import Grounding, Question, Sampling
from schemas.settings import ModelSettings, RetrievalSettings, Settings
from tests.support.model_samples import PASSAGES

SETTINGS = ModelSettings(max_tokens=100, temperature=0.4)


def question(sampling: Sampling, **more: Any) -> Question:
    values: dict[str, Any] = {
        "conversation_id": "c",
        "message_id": "m",
        "reply_id": "r",
        "user_id": "u",
        "content": "在哪里？",
        "knowledge_base_ids": (),
        "reply_partition": 0,
        "asked_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Question(**values, sampling=sampling, **more)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), (100, 0.4, ())),
        (Sampling(max_tokens=7, temperature=0.0, stop=("a", "")), (7, 0.0, ("a",))),
        (Sampling(max_tokens=9_999, temperature=3.0, stop=("x" * 999, *"bcdef")), (100, 2.0, ("x" * request.STOP_CHARS_MAX, *"bcd"))),
        (Sampling(max_tokens=-1, temperature=-1.0), (100, 0.0, ())),
    ],
)
def test_sampling_is_the_askers_within_the_operators(sampling: Sampling, expected: tuple[int, float, tuple[str, ...]]) -> None:
    request = build_answer_request(question(sampling), PASSAGES, SETTINGS)
    assert (request.max_tokens, request.temperature, request.stop) == expected
    assert request.passages == PASSAGES


def test_what_retrieval_found_out_goes_with_the_question() -> None:
    asked = question(Sampling(), mode="assistant")
    grounding = Grounding(question=asked, query="", keywords=(), passages=PASSAGES, courtesy="thanks", answerable=False)
    request = build_grounded_request(grounding, PASSAGES[:1], SETTINGS)
    assert (request.mode, request.courtesy, request.answerable, request.passages) == ("assistant", "thanks", False, PASSAGES[:1])
    plain = build_grounded_request(Grounding(question=question(Sampling()), query="", keywords=(), passages=()), (), SETTINGS)
    assert (plain.mode, plain.courtesy, plain.answerable) == ("grounded", None, True)


def test_the_hash_of_a_request_depends_on_the_budget() -> None:
    request = build_answer_request(question(Sampling()), PASSAGES, SETTINGS)
    wide, narrow = Settings(), Settings(retrieval=RetrievalSettings(context_tokens=100))
    assert hash_prompt(request, tokens_max=wide.prompt_tokens_max) != hash_prompt(request, tokens_max=200)
    assert narrow.prompt_tokens_max == 5_700
    assert len(hash_prompt(request, tokens_max=narrow.prompt_tokens_max)) == 64
