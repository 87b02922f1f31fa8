"""Settings choose who answers and who writes."""

import pytest

from adapters.models.choose import create_answer_model, create_writer
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
    ],
)
def test_settings_that_cannot_work_are_named(settings: ModelSettings, variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        create_answer_model(Settings(model=settings))
