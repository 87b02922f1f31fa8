"""The history of a run: plain records of what clients did and were told, of the faults, and of everything that was left at the end.

Times are seconds since the epoch, of one clock. A history is a JSONL file, one record a line; the checker needs nothing else.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
from msgspec import Struct

BYTES_MAX = 256 * 1_048_576  # of the file; a ten-minute run writes about a fifth

OperationKind = Literal[
    "ask",  # a question, streamed
    "regenerate",
    "resume",  # the stream of a reply, from its beginning or after an event
    "cancel",
    "reply",  # GET of a reply
    "submit",
    "replace",
    "delete",
    "inbox",  # a record on the inbox topic: a document, or without a token a deletion
    "document",  # GET of a document
    "chunks",  # every chunk of a document
    "search",
    "trespass",  # a GET of something that belongs to another tenant
]
OperationOutcome = Literal["ok", "failed", "unknown"]
"""``failed``: it had and will have no effect. ``unknown``: a lost response, or a 5xx, which may still have been accepted."""


class Sighting(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of a document that a reader was shown: its version, and the token in its text ("" for none)."""

    document: str
    version: int = -1
    token: str = ""
    ordinal: int = -1
    knowledge_base: str = ""


class ClientOperation(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="operation", tag_field="record"):
    """One request of a client, and its answer. Empty fields do not apply.

    ``key``: the idempotency key. ``token``: of a submission the mark in the document's text; of a question its name in the provider's
    calls. ``reader``: whose stream it opens, ``after`` the event that it resumes from. ``probe``: the number of the fault it follows.
    """

    begin: float
    end: float
    client: str
    tenant: str
    kind: OperationKind
    outcome: OperationOutcome
    status: int = 0
    code: str = ""
    key: str = ""
    knowledge_base: str = ""
    document: str = ""
    version: int = -1
    token: str = ""
    conversation: str = ""
    message: str = ""
    reply: str = ""
    reader: str = ""
    after: str = ""
    state: str = ""
    text: str = ""
    seen: tuple[Sighting, ...] = ()
    probe: int = -1


class StreamFrame(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="frame", tag_field="record"):
    """One event of a reply's stream as a reader received it. A reader that resumes after its last event stays the same reader."""

    at: float
    reader: str
    reply: str
    id: str
    name: str
    data: dict[str, Any] = {}


class InjectedFault(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="fault", tag_field="record"):
    """A fault, from ``begin`` until it was healed at ``end``. ``number`` is that of the plan: those of a pair share it.

    ``down_until``: when the part answered again; of a part that was killed, its successor. ``question_s`` and ``document_s``: from
    ``end`` until the next question was answered and the next document was searchable; None when that took longer than the bound.
    """

    number: int
    begin: float
    end: float
    kind: str
    target: str = ""
    down_until: float = 0.0
    question_s: float | None = None
    document_s: float | None = None


class ReadinessSample(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="readiness", tag_field="record"):
    """``/readyz`` at one moment: its status (0: no answer) and the parts that it calls down."""

    at: float
    end: float
    status: int
    down: tuple[str, ...] = ()


class ProviderCall(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="call", tag_field="record"):
    """One call of the model provider, as the provider saw it. ``fault``: what it did instead of answering. ``left``: the caller hung up."""

    at: float
    end: float
    number: int
    trace: str
    fault: str = ""
    left: bool = False


class TopicRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="topic", tag_field="record"):
    """One record on a topic at the end, read committed. ``digest``: see ``content_digest``.

    ``value``: the event; of bulky topics without what is bulky in it, of a dead letter the original.
    """

    topic: str
    partition: int
    offset: int
    at: float
    key: str = ""
    value: dict[str, Any] | None = None
    digest: str = ""
    headers: dict[str, str] = {}

    @property
    def data(self) -> dict[str, Any]:
        """The data of the event; empty for a record without one."""
        return (self.value or {}).get("data") or {}

    @property
    def type(self) -> str:
        """The type of the event without the product's name and the version: ``reply.completed``."""
        return str((self.value or {}).get("type", "")).removeprefix("claw.").rpartition(".")[0]


class FinalReading(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="reading", tag_field="record"):
    """A figure read at the end: how often a worker logged ``subject``, or two sides of a comparison that must be equal."""

    at: float
    name: str
    subject: str = ""
    value: Any = None
    expected: Any = None


MEASURED = frozenset({"timings_ms", "retrieve_ms", "condense_ms", "created_at", "asked_at", "asked", "grounded"})
"""What of an event's data a repeat may say otherwise: times that were measured or read from the clock, and the log offset of its cause,
which lies at two when it was repeated itself.
"""


def content_digest(data: Any) -> str:
    """The SHA-256 of an event's data without what a repeat may say otherwise, in hex."""
    return hashlib.sha256(msgspec.json.encode(_without_measured(data), order="sorted")).hexdigest()


def _without_measured(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_measured(each) for name, each in value.items() if name not in MEASURED}
    return [_without_measured(each) for each in value] if isinstance(value, list) else value


HistoryRecord = ClientOperation | StreamFrame | InjectedFault | ReadinessSample | ProviderCall | TopicRecord | FinalReading


def begin_of(record: HistoryRecord) -> float:
    """When a record's event happened, or began."""
    return record.begin if isinstance(record, ClientOperation | InjectedFault) else record.at


@dataclass(slots=True)
class FaultHistory:
    """The records of a run by kind, each in the order in which they were written."""

    operations: list[ClientOperation] = field(default_factory=list)
    frames: list[StreamFrame] = field(default_factory=list)
    faults: list[InjectedFault] = field(default_factory=list)
    readiness: list[ReadinessSample] = field(default_factory=list)
    calls: list[ProviderCall] = field(default_factory=list)
    topics: list[TopicRecord] = field(default_factory=list)
    readings: list[FinalReading] = field(default_factory=list)

    @classmethod
    def of(cls, records: Iterable[HistoryRecord]) -> "FaultHistory":
        """Sort records by their kind."""
        history = cls()
        for record in records:
            history.add(record)
        return history

    def add(self, record: HistoryRecord) -> None:
        """Append a record."""
        kinds: dict[type[Struct], list[Any]] = {
            ClientOperation: self.operations,
            StreamFrame: self.frames,
            InjectedFault: self.faults,
            ReadinessSample: self.readiness,
            ProviderCall: self.calls,
            TopicRecord: self.topics,
            FinalReading: self.readings,
        }
        kinds[type(record)].append(record)

    def __iter__(self) -> Iterator[HistoryRecord]:
        """Every record, kind by kind."""
        for kind in (self.operations, self.frames, self.faults, self.readiness, self.calls, self.topics, self.readings):
            yield from kind


class HistoryFullError(Exception):
    """The file has reached its bound: the run ends early, and says so."""


class HistoryRecorder:
    """Writes records to a file as they happen, and keeps them. Raises HistoryFullError at ``bytes_max``."""

    def __init__(self, file: IO[bytes], *, bytes_max: int = BYTES_MAX, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._left = bytes_max
        self._clock = clock
        self._epoch_s = time.time() - clock()
        self.history = FaultHistory()

    def now(self) -> float:
        """Seconds since the epoch; never goes back."""
        return self._epoch_s + self._clock()

    def add(self, record: HistoryRecord) -> None:
        """Write and keep a record."""
        line = msgspec.json.encode(record) + b"\n"
        self._left -= len(line)
        if self._left < 0:
            raise HistoryFullError
        self._file.write(line)
        self.history.add(record)


def read_history(path: Path) -> FaultHistory:
    """The history in a file. Raises msgspec.DecodeError for a line that is none."""
    decode = msgspec.json.Decoder(HistoryRecord).decode
    with path.open("rb") as lines:
        return FaultHistory.of(decode(line) for line in lines if line.strip())
