"""``GET /v1/models``: the models that requests may name."""

from litestar import get
from litestar.params import FromPath

from api.http.request import ApiRequest
from api.openai.errors import ERRORS
from schemas import model_names
from schemas.bodies.openai import ModelCard, ModelList
from schemas.errors import FieldError, Refused
from schemas.settings import Settings

CREATED = 1_767_225_600  # of every model, because clients expect a time: the start of 2026


@get("/models", responses=ERRORS, summary="List models", operation_id="Models")
async def list_(request: ApiRequest) -> ModelList:
    """The answering model under its own name and as ``claw``, with a language model also as ``claw-assistant``, which may answer without
    documents; the embedding model under its own name and as ``claw-embedding``.
    """
    return ModelList(data=tuple(ModelCard(id=name, created=CREATED) for name in _names(request)))


@get("/models/{model:path}", responses=ERRORS, summary="Get a model", operation_id="Model")
async def one(request: ApiRequest, model: FromPath[str]) -> ModelCard:
    """By name, which may contain slashes."""
    name = model.removeprefix("/")
    if name not in (offered := _names(request)):
        raise Refused("model_not_found", errors=(FieldError("model", "is not offered here", ", ".join(offered)),))
    return ModelCard(id=name, created=CREATED)


def _names(request: ApiRequest) -> tuple[str, ...]:
    """Without the assistant for a key that is bound to documents."""
    hidden = model_names.ASSISTANT_ALIAS if request.user.mode == "grounded" else ""
    return tuple(name for name in names(request.core.live.settings) if name != hidden)


def names(settings: Settings) -> tuple[str, ...]:
    """The names of the models, each once."""
    assistant = () if settings.model.provider == "local" else (model_names.ASSISTANT_ALIAS,)
    own = model_names.answering(settings), model_names.EMBEDDING_ALIAS, model_names.embedding(settings)
    return tuple(dict.fromkeys((model_names.ALIAS, *assistant, *own)))
