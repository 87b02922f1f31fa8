"""Questions of visitors of a page that embeds a widget."""

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from schemas.bodies.conversations import KNOWLEDGE_BASES_MAX
from schemas.bodies.pages import RequestBody

TURNS_MAX, TURN_CHARS_MAX = 20, 8_000


class WidgetTurn(RequestBody, frozen=True, kw_only=True):
    """A question or an answer of before. The page keeps them: nothing here is stored but for the day an answer can be read again."""

    role: Literal["user", "assistant"]
    content: Annotated[str, Meta(max_length=TURN_CHARS_MAX)]


class WidgetQuestion(RequestBody, frozen=True, kw_only=True):
    """The limit of a question in force is ``CLAW_WIDGET_QUESTION_CHARS_MAX``; of the history as much is used as fits a question's."""

    question: Annotated[str, Meta(min_length=1, max_length=8_000, examples=["How many days of leave are there?"])]
    knowledge_base_ids: Annotated[
        tuple[UUID, ...], Meta(max_length=KNOWLEDGE_BASES_MAX, description="Some of the key's; empty means all of them.")
    ] = ()
    history: Annotated[tuple[WidgetTurn, ...], Meta(max_length=TURNS_MAX, description="The newest turns before it, the oldest first.")] = ()


class WidgetCancelAccepted(Struct, frozen=True, kw_only=True):
    """The answer will end as cancelled, unless it ends by itself first."""

    reply_id: str
