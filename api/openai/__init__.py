"""The OpenAI-compatible routes: what the official clients send, answered in the words they expect.

A completion is a question without a conversation (``api/chats/standalone.py``). Reading a request (``reading.py``) and telling an answer
(``telling.py``) are pure; docs/openai.md says what is honoured, what has no effect, and what is refused.
"""

from litestar import Router

from api.http.gate import CHAT
from api.openai import completions, embeddings, models


def router() -> Router:
    """``/v1``: for people and for keys with the scope ``chat``."""
    handlers = [completions.create, embeddings.create, models.list_, models.one]
    return Router("/v1", route_handlers=handlers, opt=CHAT, tags=["openai"])
