"""Each server is told in its own words, and no model is told what it does not know."""

import pytest

from adapters.models.providers.families import FAMILIES, UNKNOWN, family_of
from adapters.models.providers.presets import PRESETS
from adapters.models.providers.reasoning import control_of, server_of, thinking_fields
from schemas.settings import ModelSettings
from schemas.thinking import is_thinking_shown


def told(provider: str, model: str, mode: str, effort: str = "", base_url: str = "") -> tuple[dict[str, object], bool | None]:
    """The members of the request, and whether the model may think."""
    family, base_url = family_of(model), base_url or PRESETS[provider].base_url
    control, server = control_of(provider, base_url, family), server_of(provider, base_url)
    fields = thinking_fields(family, control, mode, effort, budget=2_000, preset=server)  # type: ignore[arg-type]
    members = fields.members()
    if fields.thinking is not None:
        members["thinking"] = fields.thinking.type
    return members, fields.thinks


TEMPLATE_OFF = {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}
TEMPLATE_ON = {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}


@pytest.mark.parametrize(
    ("provider", "model", "mode", "effort", "members", "thinks"),
    [
        ("zhipu", "glm-4.7", "auto", "", {}, True),
        ("zhipu", "glm-4.7", "off", "", {"thinking": "disabled"}, False),
        ("zhipu", "GLM-4.5-Air", "on", "", {"thinking": "enabled"}, True),
        ("zhipu", "glm-4.6", "on", "high", {"thinking": "enabled"}, True),
        ("zhipu", "glm-5.3", "off", "", {"reasoning_effort": "low"}, True),
        ("zhipu", "glm-5.3", "on", "medium", {"reasoning_effort": "high"}, True),
        ("zhipu", "glm-5.3", "auto", "", {}, True),
        ("zhipu", "glm-5.2", "auto", "low", {"thinking": "enabled", "reasoning_effort": "high"}, True),
        ("zhipu", "glm-4-flash", "on", "high", {}, False),
        ("zhipu", "glm-6-next", "off", "", {"thinking": "disabled"}, False),
        ("zhipu", "glm-6-next", "auto", "", {}, None),
        ("deepseek", "deepseek-flash", "off", "", {"thinking": "disabled"}, False),
        ("deepseek", "deepseek-v4-pro", "on", "xhigh", {"thinking": "enabled", "reasoning_effort": "max"}, True),
        ("deepseek", "deepseek-chat", "on", "", {}, False),
        ("dashscope", "qwen-plus", "auto", "", {}, False),
        ("dashscope", "qwen-plus", "on", "", {"enable_thinking": True, "thinking_budget": 2_000}, True),
        ("dashscope", "qwen3-32b", "off", "", {"enable_thinking": False}, False),
        ("dashscope", "qwq-plus", "off", "", {}, True),
        ("ollama", "qwen3:8b", "off", "", {"reasoning_effort": "none"}, False),
        ("ollama", "qwen3:8b", "on", "max", {"reasoning_effort": "high"}, True),
        ("ollama", "qwen3:8b", "auto", "", {}, True),
        ("ollama", "gpt-oss:20b", "off", "", {"reasoning_effort": "low"}, True),
        ("ollama", "llama3.2", "off", "", {}, False),
        ("ollama", "somebody/own-model", "off", "", {"reasoning_effort": "none"}, False),
        ("vllm", "Qwen/Qwen3-8B", "off", "", TEMPLATE_OFF, False),
        ("vllm", "zai-org/GLM-4.7", "on", "", TEMPLATE_ON, True),
        ("vllm", "deepseek-ai/DeepSeek-V3.1", "on", "", TEMPLATE_ON, True),
        ("vllm", "Qwen/Qwen3-4B-Instruct-2507", "on", "", {}, False),
        ("vllm", "Qwen/Qwen3-4B-Thinking-2507", "off", "", {}, True),
        ("vllm", "openai/gpt-oss-20b", "on", "minimal", {**TEMPLATE_ON, "reasoning_effort": "low"}, True),
        ("openai", "gpt-4o-mini", "off", "high", {}, False),
        ("openai", "gpt-5-mini", "off", "", {"reasoning_effort": "minimal"}, True),
        ("openai", "gpt-5.2", "off", "", {"reasoning_effort": "none"}, False),
        ("openai", "gpt-5.2", "on", "max", {"reasoning_effort": "xhigh"}, True),
        ("openai", "o3", "off", "", {"reasoning_effort": "low"}, True),
        ("openai", "own-name", "off", "high", {}, None),
        ("openai", "own-name", "auto", "", {}, None),
    ],
)
def test_what_is_sent(provider: str, model: str, mode: str, effort: str, members: dict[str, object], thinks: bool | None) -> None:
    if provider == "vllm" and "DeepSeek" not in model:
        assert told(provider, model, mode, effort, "http://127.0.0.1:8001/v1") == (members, thinks)
    else:
        assert told(provider, model, mode, effort) == (members, thinks)


@pytest.mark.parametrize(
    ("base_url", "model", "members"),
    [
        ("https://open.bigmodel.cn/api/paas/v4", "glm-4.7", {"thinking": "disabled"}),
        ("https://open.bigmodel.cn/api/coding/paas/v4", "glm-4.5-air", {"thinking": "disabled"}),
        ("https://api.z.ai/api/paas/v4", "glm-5.3", {"reasoning_effort": "low"}),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen3-32b", {"enable_thinking": False}),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "qwen3-32b", {"enable_thinking": False}),
        ("http://10.0.0.7:8000/v1", "Qwen/Qwen3-8B", TEMPLATE_OFF),
        ("http://10.0.0.7:8000/v1", "own-name", {}),
        ("http://127.0.0.1:11434/v1", "qwen3:8b", {"reasoning_effort": "none"}),
        ("http://127.0.0.1:11434/v1", "glm-4.7-flash", {"reasoning_effort": "none"}),
    ],
)
def test_a_server_is_known_by_its_address(base_url: str, model: str, members: dict[str, object]) -> None:
    """Under the provider ``openai``, which stands for any compatible server."""
    assert told("openai", model, "off", base_url=base_url)[0] == members


def test_the_presets_models_are_known() -> None:
    for name, preset in PRESETS.items():
        if preset.model:
            assert family_of(preset.model) is not UNKNOWN, name
    assert set(PRESETS) | {"local"} == set(ModelSettings.__annotations__["provider"].__args__[0].__args__)


def test_no_family_stands_behind_one_that_takes_its_models() -> None:
    for family in FAMILIES:
        for name in family.names:
            assert family_of(f"org/{name}{family.contains and '-' + family.contains}".upper()) is family, name


@pytest.mark.parametrize(
    ("setting", "asked", "shown"),
    [("never", True, False), ("asked", None, False), ("asked", True, True), ("always", None, True), ("always", False, False)],
)
def test_who_sees_it(setting: str, asked: bool | None, shown: bool) -> None:
    assert is_thinking_shown(setting, asked) == shown  # type: ignore[arg-type]
