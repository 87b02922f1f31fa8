"""Which answering model the settings ask for."""

from adapters.models.local import LocalModel
from adapters.models.openai import OpenAIModel
from adapters.models.port import AnswerModel, Writer
from schemas.settings import Settings

HISTORY_TOKENS_MAX = 5_600  # for rules, history and question, besides the passages


def answer_model(settings: Settings) -> AnswerModel:
    """The model of ``settings.model``, not opened yet; raises ConfigurationError when it cannot be used as configured."""
    if settings.model.provider == "local":
        return LocalModel()
    return OpenAIModel(settings.model, tokens_max=settings.retrieval.context_tokens + HISTORY_TOKENS_MAX)


def writer(settings: Settings) -> Writer | None:
    """Who writes condensed questions, summaries and titles, not opened yet; None where rules have to do."""
    del settings
    return None
