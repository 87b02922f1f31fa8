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
    """The answering model under its own name and as ``claw``, the embedding model under its own name and as ``claw-embedding``."""
    return ModelList(data=tuple(ModelCard(id=name, created=CREATED) for name in names(request.core.settings)))


@get("/models/{model:path}", responses=ERRORS, summary="Get a model", operation_id="Model")
async def one(request: ApiRequest, model: FromPath[str]) -> ModelCard:
    """By name, which may contain slashes."""
    name = model.removeprefix("/")
    if name not in names(request.core.settings):
        raise Refused("model_not_found", errors=(FieldError("model", "is not offered here", ", ".join(names(request.core.settings))),))
    return ModelCard(id=name, created=CREATED)


def names(settings: Settings) -> tuple[str, ...]:
    """The names of the models, each once."""
    found = (model_names.ALIAS, model_names.answering(settings), model_names.EMBEDDING_ALIAS, model_names.embedding(settings))
    return tuple(dict.fromkeys(found))
