"""What is written about a conversation beside its answers: a summary of its older turns, a title."""

from msgspec import Struct

from schemas.events import Event


class Digest(Struct, frozen=True, kw_only=True):
    """The answer ``message_id`` is the end of the branch that is to be summarised; no text travels, it is read where it is kept."""

    conversation_id: str
    message_id: str
    user_id: str
    summary: bool = False
    title: bool = False


class DigestAsked(Event, tag="claw.digest.asked.v1", frozen=True, kw_only=True):
    """Subject and key: conversation id."""

    data: Digest
