"""Dead letters, for admins of their tenant."""

from datetime import datetime
from typing import Literal

from msgspec import Struct


class DeadLetterContent(Struct, frozen=True, kw_only=True):
    """The original record: ``text`` when the value is UTF-8, else ``base64``; ``null``: it had no value. At most 64 KiB are shown."""

    null: bool = False
    text: str = ""
    base64: str = ""
    truncated: bool = False
    headers: dict[str, str]


class DeadLetterView(Struct, frozen=True, kw_only=True):
    """A record that could not be processed, its place and the error. ``redriven_at`` is null until it was redriven."""

    id: str
    topic: str
    partition: int
    offset: int
    key: str
    agent: str
    code: str
    detail: str
    attempts: int
    bytes: int
    at: datetime
    redriven_at: datetime | None = None
    content: DeadLetterContent | None = None


class RedriveView(Struct, frozen=True, kw_only=True):
    """The outcome of a redrive; ``detail`` says why it was not sent, ``partition`` and ``offset`` are its new place."""

    id: str
    outcome: Literal["redriven", "superseded", "already_redriven"]
    detail: str = ""
    partition: int | None = None
    offset: int | None = None
