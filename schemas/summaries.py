"""Summaries and titles of conversations: the event that requests them."""

from msgspec import Struct

from schemas.events import Event


class Digest(Struct, frozen=True, kw_only=True):
    """The answer ``message_id`` is the end of the branch to summarise; the event has no text, the summariser reads it from the records."""

    conversation_id: str
    message_id: str
    user_id: str
    summary: bool = False
    title: bool = False


class DigestAsked(Event, tag="claw.digest.asked.v1", frozen=True, kw_only=True):
    """Subject and key: conversation id."""

    data: Digest
