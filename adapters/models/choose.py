"""Which answering model the settings ask for."""

from adapters.models.local import LocalModel
from adapters.models.openai import OpenAIModel
from adapters.models.port import AnswerModel, Writer
from schemas.settings import Settings


def answer_model(settings: Settings) -> AnswerModel:
    """The model of ``settings.model``, not opened yet; raises ConfigurationError when it cannot be used as configured."""
    if settings.model.provider == "local":
        return LocalModel()
    return OpenAIModel(settings.model, tokens_max=settings.prompt_tokens_max)


def writer(settings: Settings) -> Writer | None:
    """Who writes condensed questions, summaries and titles, not opened yet; None where rules have to do."""
    del settings
    return None
