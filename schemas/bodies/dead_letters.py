"""Dead letters, for admins of their tenant."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.bodies.pages import RequestBody


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


class DeadLetterGroupView(Struct, frozen=True, kw_only=True):
    """Dead letters of one cause: ``redriven`` of the ``letters`` were sent again. ``detail`` is the newest one's, ``examples`` are ids."""

    code: str
    topic: str
    agent: str
    letters: int
    redriven: int
    first_at: datetime
    last_at: datetime
    detail: str
    examples: tuple[str, ...]


class DeadLetterGroupsView(Struct, frozen=True, kw_only=True):
    """The largest group first. Not ``complete``: there are more dead letters than the newest that were counted."""

    letters: int
    complete: bool
    groups: tuple[DeadLetterGroupView, ...]


class BulkRedriveRequest(RequestBody, frozen=True, kw_only=True):
    """Which dead letters to redrive: those that match every field that is given. ``dry_run``: only count, by the outcome that each would
    have.
    """

    code: Annotated[str, Meta(max_length=100)] | None = None
    topic: Annotated[str, Meta(max_length=249)] | None = None
    agent: Annotated[str, Meta(max_length=100)] | None = None
    dry_run: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 100


class BulkRedriveView(Struct, frozen=True, kw_only=True):
    """``matched`` letters, and how many had which outcome: ``redriven``, ``superseded``, ``already_redriven``, ``gone`` (retention has
    removed it), ``refused`` (of a topic that does not exist here). ``remaining``: not reached because of ``limit``; repeat the request.
    Not ``complete``: only the newest 2,000 letters were looked at.
    """

    matched: int
    outcomes: dict[str, int]
    remaining: int
    complete: bool
    dry_run: bool
