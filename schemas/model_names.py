"""The names of an installation's models, by which clients choose one.

The names of the presets stand here once more, because the API imports no model; a test compares both lists.
"""

from schemas.settings import ModelSettings, Settings
from schemas.settings.models import FallbackModelSettings

ALIAS = "claw"  # the configured answering model
ASSISTANT_ALIAS = "claw-assistant"  # the same, in assistant mode
EMBEDDING_ALIAS = "claw-embedding"
ANSWERING = {
    "local": "local",
    "openai": "gpt-4o-mini",
    "zhipu": "glm-4.7-flash",
    "deepseek": "deepseek-flash",
    "dashscope": "qwen-plus",
    "ollama": "qwen3",
    "vllm": "",  # it serves one model, under the operator's name
}
LOCAL_EMBEDDING = {"local": ("use-multilingual-v3-256.1", 256), "wordllama": ("wordllama-l2-256.1", 256)}
EMBEDDING = LOCAL_EMBEDDING | {"openai": ("text-embedding-3-small", 1536), "zhipu": ("embedding-3", 1024)}


def answering(settings: Settings) -> str:
    """The name of the answering model."""
    return settings.model.name or ANSWERING[settings.model.provider]


def model_chain(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Name and provider of each answering model that may be chosen, in the order in which they are called; of two with one name the first
    alone.
    """
    fallbacks = (each for each in (settings.model_second, settings.model_third) if each.provider)
    chain: dict[str, str] = {}
    for each in (settings.model, *fallbacks):
        chain.setdefault(name_of(each), each.provider)
    return tuple(chain.items())


def name_of(model: ModelSettings | FallbackModelSettings) -> str:
    """The name of a configured model, as answers have it."""
    return model.name if model.name and model.provider != "local" else ANSWERING[model.provider]


def provider_of(settings: Settings, chosen: str) -> str:
    """The provider of the chosen model; of the first one, where none of that name is configured."""
    chain = dict(model_chain(settings))
    return chain.get(chosen, settings.model.provider)


def embedding(settings: Settings) -> str:
    """The name of the embedding model."""
    retrieval = settings.retrieval
    preset, _ = EMBEDDING[retrieval.embedding]
    return preset if retrieval.embedding in LOCAL_EMBEDDING else retrieval.embedding_name or preset


def dimensions(settings: Settings) -> int:
    """The number of dimensions of the embedding model's vectors."""
    retrieval = settings.retrieval
    _, preset = EMBEDDING[retrieval.embedding]
    return preset if retrieval.embedding in LOCAL_EMBEDDING else retrieval.embedding_dimensions or preset
