"""What the models of an installation are called to whoever chooses one by name: the OpenAI-compatible routes.

The names of the presets stand here once more, because the API imports no model; a test holds both lists together.
"""

from schemas.settings import Settings

ALIAS = "claw"  # the answering model, whichever it is
EMBEDDING_ALIAS = "claw-embedding"
ANSWERING = {"local": "local", "openai": "gpt-4o-mini", "zhipu": "glm-4-flash"}
EMBEDDING = {"local": ("wordllama-l2-256.1", 256), "openai": ("text-embedding-3-small", 1536), "zhipu": ("embedding-3", 1024)}


def answering(settings: Settings) -> str:
    """The model that answers."""
    return settings.model.name or ANSWERING[settings.model.provider]


def embedding(settings: Settings) -> str:
    """The model that embeds."""
    retrieval = settings.retrieval
    preset, _ = EMBEDDING[retrieval.embedding]
    return preset if retrieval.embedding == "local" else retrieval.embedding_name or preset


def dimensions(settings: Settings) -> int:
    """Of its vectors."""
    retrieval = settings.retrieval
    _, preset = EMBEDDING[retrieval.embedding]
    return preset if retrieval.embedding == "local" else retrieval.embedding_dimensions or preset
