"""``GET /v1/models``: the names that requests may use."""

from litestar import get
from litestar.params import FromPath

from api.http.request import ApiRequest
from api.openai.errors import ERRORS
from schemas import model_names
from schemas.bodies.openai import ModelCard, ModelList
from schemas.errors import FieldError, Refused
from schemas.settings import Settings

CREATED = 1_767_225_600  # of every model, because clients want a time: the start of 2026


@get("/models", responses=ERRORS, summary="The models there are", operation_id="Models")
async def list_(request: ApiRequest) -> ModelList:
    """The answering model under its own name and as ``claw``, the embedding model likewise as ``claw-embedding``."""
    return ModelList(data=tuple(ModelCard(id=name, created=CREATED) for name in names(request.core.settings)))


@get("/models/{model:path}", responses=ERRORS, summary="A model", operation_id="Model")
async def one(request: ApiRequest, model: FromPath[str]) -> ModelCard:
    """By name, which may hold slashes."""
    name = model.removeprefix("/")
    if name not in names(request.core.settings):
        raise Refused("model_not_found", errors=(FieldError("model", "is not offered here", ", ".join(names(request.core.settings))),))
    return ModelCard(id=name, created=CREATED)


def names(settings: Settings) -> tuple[str, ...]:
    """Each once."""
    found = (model_names.ALIAS, model_names.answering(settings), model_names.EMBEDDING_ALIAS, model_names.embedding(settings))
    return tuple(dict.fromkeys(found))
