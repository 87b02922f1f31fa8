"""Settings choose who answers and who writes."""

import pytest

from adapters.models.choose import create_answer_model, create_writer
from adapters.models.providers.openai import OpenAIModel
from schemas.errors import ConfigurationError
from schemas.settings import ModelSettings, Settings
from schemas.settings.models import SecondModelSettings
from schemas.settings.section import Secret


def test_who_writes() -> None:
    """The first language model; rules where there is none."""
    assert create_writer(Settings()) is None
    second = SecondModelSettings(provider="zhipu", api_key=Secret("k"))
    made = create_writer(Settings(model_second=second))
    assert made is not None
    assert (made.name, made.provider) == ("glm-4.7-flash", "zhipu")


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        (ModelSettings(provider="openai"), "CLAW_MODEL_API_KEY"),
        (ModelSettings(provider="openai", base_url="localhost:8001"), "CLAW_MODEL_BASE_URL"),
        (ModelSettings(provider="vllm"), "CLAW_MODEL_BASE_URL"),
        (ModelSettings(provider="vllm", base_url="http://127.0.0.1:8001/v1"), "CLAW_MODEL_NAME"),
        (ModelSettings(provider="deepseek"), "CLAW_MODEL_API_KEY"),
    ],
)
def test_settings_that_cannot_work_are_named(settings: ModelSettings, variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        create_answer_model(Settings(model=settings))


@pytest.mark.parametrize(
    ("settings", "name", "price"),
    [
        (ModelSettings(provider="ollama"), "qwen3", 0.0),
        (ModelSettings(provider="vllm", base_url="http://127.0.0.1:8001/v1", name="Qwen/Qwen3-8B"), "Qwen/Qwen3-8B", 0.0),
        (ModelSettings(provider="deepseek", api_key=Secret("k"), price_currency="CNY"), "deepseek-flash", 2.0),
        (ModelSettings(provider="deepseek", api_key=Secret("k")), "deepseek-flash", 0.0),
        (ModelSettings(provider="zhipu", api_key=Secret("k"), name="glm-5.3"), "glm-5.3", 1.4),
        (ModelSettings(provider="zhipu", api_key=Secret("k"), name="glm-5.3", price_prompt=9.0), "glm-5.3", 9.0),
        (ModelSettings(provider="zhipu", api_key=Secret("k"), name="glm-5.2-air"), "glm-5.2-air", 0.0),
        (ModelSettings(provider="openai", api_key=Secret("k"), name="gpt-4o-mini-2024-07-18"), "gpt-4o-mini-2024-07-18", 0.15),
        (ModelSettings(provider="dashscope", api_key=Secret("k")), "qwen-plus", 0.0),
    ],
)
def test_servers_with_presets(settings: ModelSettings, name: str, price: float) -> None:
    """A server of one's own needs no key; list prices are used in their own currency only."""
    model = create_answer_model(Settings(model=settings))
    assert isinstance(model, OpenAIModel)
    assert (model.name, model._endpoint.speaker("").prices.prompt) == (name, price)
