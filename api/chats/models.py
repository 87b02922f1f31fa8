"""The answering models that a conversation or a question may name."""

from litestar import Router, get

from api.http.gate import CHAT
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import invalid_field
from schemas.bodies.models import ModelChoice, ModelChoices
from schemas.model_names import model_chain
from schemas.settings import Settings

FIELD = "model"


@get("/models", opt=CHAT, responses=PROBLEMS, summary="List the models that may be chosen")
async def list_(request: ApiRequest) -> ModelChoices:
    """In the order in which they are asked: the others stand in for the one that is chosen. The first is the default."""
    chain = model_chain(request.core.live.settings)
    return ModelChoices(items=tuple(ModelChoice(name=name, provider=provider, default=n == 0) for n, (name, provider) in enumerate(chain)))


def choose_model(settings: Settings, name: str) -> str:
    """The name, which may be empty. Refused("validation_failed") when there is no such model."""
    names = [each for each, _ in model_chain(settings)]
    if name and name not in names:
        raise invalid_field(FIELD, "is not a model that may be chosen here", ", ".join(names))
    return name


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[list_], tags=["chat"])
