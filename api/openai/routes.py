"""The routes below ``/v1``."""

from litestar import Router

from api.http.gate import CHAT
from api.openai import completions, embeddings, models


def router() -> Router:
    """``/v1``: for people and for keys with the scope ``chat``."""
    handlers = [completions.create, embeddings.create, models.list_, models.one]
    return Router("/v1", route_handlers=handlers, opt=CHAT, tags=["openai"])
