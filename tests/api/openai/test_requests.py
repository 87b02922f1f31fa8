"""What a completion request asks for."""

import uuid
from typing import Any

import msgspec
import pytest

from adapters.embedders.local import LOCAL_MODELS
from adapters.embedders.providers import PRESETS as EMBEDDING
from adapters.models.grounding.local import LocalModel
from adapters.models.providers.presets import PRESETS as ANSWERING
from api.openai import errors, models, requests
from schemas import model_names
from schemas.bodies.openai import ChatCompletionCreate
from schemas.chats import Sampling, Turn
from schemas.errors import Refused
from schemas.settings import ModelSettings, RetrievalSettings, Settings

KB, OTHER = "3f0c9a52-6f4e-4c11-9d2a-0b7d6c1e8a01", "b7d1e604-2a39-4b58-8c77-5e9f4d3a2c02"
ASK = {"role": "user", "content": "Days?"}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "lamp", "parameters": {"type": "object", "properties": {}}}}
SETTINGS = Settings()


def read(**body: Any) -> Any:
    data = msgspec.convert({"model": "claw", "messages": [ASK]} | body, ChatCompletionCreate)
    return requests.parse_question(data, SETTINGS)


def refused(**body: Any) -> Refused:
    with pytest.raises(Refused) as refusal:
        read(**body)
    return refusal.value


def test_instructions_history_and_question():
    asked = read(
        messages=[
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": [{"type": "text", "text": "Leave"}, {"type": "text", "text": "?"}], "name": "ada"},
            {"role": "assistant", "content": "25 days [1].", "refusal": None, "annotations": [], "tool_calls": None},
            {"role": "assistant", "content": None},
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": "For everybody?"},
        ]
    )
    assert (asked.content, asked.system_prompt, asked.door) == ("For everybody?", "Be short.\n\nBe kind.", "openai")
    assert asked.history == (Turn("user", "Leave?"), Turn("assistant", "25 days [1]."))


@pytest.mark.parametrize(
    ("body", "mode", "field"),
    [
        ({}, None, "model"),
        ({"model": "claw-assistant"}, "assistant", "model"),
        ({"metadata": {"mode": "assistant"}}, "assistant", "metadata.mode"),
        ({"model": "claw-assistant", "metadata": {"mode": "grounded"}}, "grounded", "metadata.mode"),
        ({"messages": [{"role": "system", "content": "mode: assistant, model: claw-assistant"}, ASK]}, None, "model"),
    ],
)
def test_the_model_or_the_metadata_chooses_the_mode(body: dict[str, Any], mode: str | None, field: str):
    asked = read(**body)
    assert (asked.mode, asked.mode_field) == (mode, field)


def test_an_unknown_mode_is_named():
    (error,) = refused(metadata={"mode": "free"}).errors
    assert (error.field, error.limit) == ("metadata.mode", "grounded or assistant")


def test_the_assistant_is_listed_where_a_language_model_answers():
    assert "claw-assistant" not in models.names(SETTINGS)
    assert models.names(Settings(model=ModelSettings(provider="openai", name="m")))[:3] == ("claw", "claw-assistant", "m")


@pytest.mark.parametrize(
    ("body", "sampling"),
    [
        ({}, Sampling()),
        ({"max_tokens": 5, "temperature": 0, "stop": "END"}, Sampling(max_tokens=5, temperature=0.0, stop=("END",))),
        ({"max_tokens": 5, "max_completion_tokens": 6, "stop": ["a", "b"]}, Sampling(max_tokens=6, stop=("a", "b"))),
        ({"stop": ["", "b"], "reasoning_effort": ""}, Sampling(stop=("b",))),
        ({"stop": ""}, Sampling()),
    ],
)
def test_sampling(body: dict[str, Any], sampling: Sampling):
    assert read(**body).sampling == sampling


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (f"{KB},{OTHER}", (KB, OTHER)),
        (f" {KB.upper()} , ", (KB,)),
        (f'["{KB}", "{OTHER}", "{KB}"]', (KB, OTHER)),
        ([KB, OTHER], (KB, OTHER)),
        ("[]", ()),
        ("", ()),
    ],
)
def test_knowledge_bases(given: str | list[str], chosen: tuple[str, ...]):
    assert read(metadata={"knowledge_base_ids": given, "else": "x"}).knowledge_base_ids == chosen


def test_without_a_choice_all_are_meant():
    assert read().knowledge_base_ids is None
    assert read(metadata={"else": "x"}).knowledge_base_ids is None


@pytest.mark.parametrize(
    "given", ["nonsense", 5, {"a": 1}, [1], '["', "{}", "[1]", "[" * 3_000, ",".join(str(uuid.UUID(int=number)) for number in range(65))]
)
def test_what_is_no_choice_of_knowledge_bases(given: Any):
    error = refused(metadata={"knowledge_base_ids": given})
    assert (error.code, error.errors[0].field) == ("validation_failed", "metadata.knowledge_base_ids")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"n": 2}, "n"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}, "tools": [TOOL]}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"function_call": {"name": "f"}, "functions": [TOOL["function"]]}, "function_call"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "messages[0].content[0]"),
    ],
)
def test_what_is_not_offered_is_refused_by_name(body: dict[str, Any], field: str):
    error = refused(**body)
    assert (error.code, error.errors[0].field) == ("unsupported_parameter", field)
    told = errors.body(error.problem()).error
    assert (told.param, told.type, told.code) == (field, "invalid_request_error", "unsupported_parameter")
    assert field in told.message


def test_what_asks_for_nothing_passes():
    nothing = {
        "n": 1,
        "tools": [],
        "tool_choice": "none",
        "function_call": "auto",
        "response_format": {"type": "text"},
        "logprobs": False,
        "logit_bias": {},
    }
    ignored = {"user": "u", "seed": 7, "store": True, "top_p": 0.5, "service_tier": "auto", "verbosity": "low"}
    assert read(**nothing, **ignored) == read()


@pytest.mark.parametrize("choice", [None, "none", "auto", {"type": "auto"}, {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}])
def test_tools_that_need_not_be_called_are_ignored(choice: Any):
    """As if the client had none."""
    assert read(tools=[TOOL], tool_choice=choice, parallel_tool_calls=True) == read()
    assert read(functions=[TOOL["function"]], function_call="auto" if choice else None) == read()


def test_a_chat_that_began_with_another_model_goes_on():
    """Clients change models in the middle: earlier pictures, what was thought, and parts of the Responses API come along."""
    asked = read(
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:"}}]},
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "hm", "text": "hm"}, {"type": "output_text", "text": "A dam."}],
            },
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "Days"}, {"type": "text", "text": None}, {"type": "text", "text": "?"}],
            },
            {"role": "system", "content": "Be short."},
        ]
    )
    assert asked.history == (Turn("user", "What is it?"), Turn("assistant", "A dam."))
    assert (asked.content, asked.system_prompt) == ("Days?", "Be short.")


def test_what_a_tool_said_is_passed_over_and_the_rest_is_history():
    call = {"id": "c", "type": "function", "function": {"name": "lamp", "arguments": "{}"}}
    asked = read(
        messages=[
            {"role": "user", "content": "Is it on?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "on"},
            {"role": "tool", "tool_call_id": "d", "content": [{"type": "image_url", "image_url": {}}]},
            {"role": "assistant", "content": None, "function_call": call["function"]},
            {"role": "function", "name": "lamp", "content": None},
            {"role": "assistant", "content": "It is on [1].", "tool_calls": [], "reasoning_content": "hm"},
            ASK,
        ]
    )
    assert asked.history == (Turn("user", "Is it on?"), Turn("assistant", "It is on [1]."))
    assert asked.content == "Days?"


@pytest.mark.parametrize(
    "extra",
    [
        {"chat_template_kwargs": {"add_generation_prompt": True}},
        {"reasoning_effort": "auto", "thinking": {"type": "auto", "budget_tokens": 9}, "think": "default"},
        {"top_k": 40, "min_p": 0.0, "repetition_penalty": 1.05},
        {"thinking": None, "do_sample": True, "request_id": "abc", "meta": {"user_info": "x"}},
        {"chat_id": "x", "session_id": "y", "id": "z"},
        {"stream_options": None, "options": {"num_ctx": 4096}, "keep_alive": -1},
        {"metadata": {"user": {"id": 1}, "tags": ["a"]}},
    ],
)
def test_fields_of_other_servers_are_passed_over(extra: dict[str, Any]):
    assert read(**extra) == read()


@pytest.mark.parametrize(
    ("extra", "thinking", "effort", "shown"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 512}}, "on", "", True),
        ({"thinking": {"type": "disabled"}}, "off", "", False),
        ({"thinking": True}, "on", "", True),
        ({"enable_thinking": True, "reasoning_effort": "high"}, "on", "high", True),
        ({"enable_thinking": False, "reasoning_effort": "high"}, "off", "", False),
        ({"chat_template_kwargs": {"enable_thinking": True}}, "on", "", True),
        ({"chat_template_kwargs": {"thinking": False}}, "off", "", False),
        ({"think": True}, "on", "", True),
        ({"think": "low"}, "on", "low", True),
        ({"think": "none"}, "off", "", False),
        ({"reasoning_effort": "none"}, "off", "", False),
        ({"reasoning_effort": "minimal"}, "on", "minimal", False),
        ({"reasoning_effort": "low", "include_reasoning": True}, "on", "low", True),
        ({"thinking": {"type": "enabled"}, "include_reasoning": False}, "on", "", False),
        ({"include_reasoning": True}, "auto", "", True),
    ],
)
def test_thinking_is_asked_for_in_the_words_of_several_servers(extra: dict[str, Any], thinking: str, effort: str, shown: bool):
    """And is shown where those servers would."""
    asked = read(**extra)
    assert (asked.sampling.thinking, asked.sampling.reasoning_effort, asked.with_thinking) == (thinking, effort, shown)


def test_thinking_is_never_shown_where_the_settings_say_so():
    data = msgspec.convert({"model": "claw", "messages": [ASK], "think": True}, ChatCompletionCreate)
    settings = Settings(model=ModelSettings(show_thinking="never"))
    assert not requests.parse_question(data, settings).with_thinking


def test_a_switch_that_is_none_is_named():
    with pytest.raises(Refused) as refused:
        read(chat_template_kwargs={"enable_thinking": "yes"})
    assert refused.value.errors[0].field == "chat_template_kwargs.enable_thinking"


def test_what_was_passed_over_is_named():
    body = {"model": "claw", "messages": [ASK], "temprature": 1, "tools": [TOOL], "functions": [], "user": "u", "top_k": 4}
    assert requests.find_ignored(msgspec.json.encode(body)) == ("temprature", "tools", "top_k")
    assert requests.find_ignored(msgspec.json.encode({"a\r\nset-cookie: x": 1, "": 1, "x" * 65: 1, "功能": 1})) == ()
    assert len(requests.find_ignored(msgspec.json.encode({f"x{n}": n for n in range(50)}))) == requests.NAMES_MAX


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([ASK, {"role": "assistant", "content": "x"}], "messages[1]"),
        ([ASK, {"role": "assistant", "tool_calls": [{}]}, {"role": "tool", "content": "x"}], "messages[2]"),
        ([{"role": "system", "content": "x"}], "messages[0]"),
        ([ASK, {"role": "assistant", "content": "25"}, {"role": "system", "content": "x"}], "messages[1]"),
        ([{"role": "system", "content": "x" * 8_001}, ASK], "messages"),
    ],
)
def test_messages_that_are_no_question(messages: list[dict[str, Any]], field: str):
    error = refused(messages=messages)
    assert (error.code, error.errors[0].field) == ("validation_failed", field)


def test_models_by_name():
    assert refused(model="gpt-4o").code == "model_not_found"
    named = Settings(
        model=ModelSettings(provider="openai", name="qwen-max"), retrieval=RetrievalSettings(embedding="zhipu", embedding_dimensions=512)
    )
    data = msgspec.convert({"model": "qwen-max", "messages": [ASK]}, ChatCompletionCreate)
    assert requests.parse_question(data, named).content == "Days?"
    assert (model_names.embedding(named), model_names.dimensions(named)) == ("embedding-3", 512)


def test_names_are_those_of_the_adapters():
    """The API imports no model, so their names stand twice."""
    assert {"local": LocalModel.name} | {name: preset.model for name, preset in ANSWERING.items()} == model_names.ANSWERING
    known = {name: (preset.model, preset.dimensions) for name, preset in EMBEDDING.items()}
    local = {name: (model.name, model.dimensions) for name, model in LOCAL_MODELS.items()}
    assert local | known == model_names.EMBEDDING
