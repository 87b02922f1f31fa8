"""The records of a history gathered by what they are about: each reply, each document, each read of a document."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from ops.faults.history import (
    ClientOperation,
    FaultHistory,
    HistoryRecord,
    InjectedFault,
    ProviderCall,
    Sighting,
    StreamFrame,
    TopicRecord,
)
from ops.faults.texts import tokens_in

TERMINAL = frozenset({"completed", "failed", "cancelled"})
OWN_WORDS = frozenset({"accepted", "queued"})  # of the API: they have no place of their own on the log
SPEAKER = "/claw/generate"  # the source of answers: others add a summary to their messages
SUBMISSIONS = frozenset({"submit", "replace", "inbox"})
WRITES = SUBMISSIONS | {"delete"}
ASKS = frozenset({"ask", "regenerate"})

DocumentKey = tuple[str, str]  # knowledge base, document


@dataclass(slots=True)
class ReplyEvidence:
    """Everything about one reply. ``answered`` is its part of the topic, in order; ``readers`` its frames by reader."""

    id: str
    operations: list[ClientOperation] = field(default_factory=list)
    readers: dict[str, list[StreamFrame]] = field(default_factory=lambda: defaultdict(list))
    asked: list[TopicRecord] = field(default_factory=list)
    grounded: list[TopicRecord] = field(default_factory=list)
    answered: list[TopicRecord] = field(default_factory=list)
    stored: list[TopicRecord] = field(default_factory=list)
    charged: list[TopicRecord] = field(default_factory=list)
    dead: list[TopicRecord] = field(default_factory=list)
    calls: list[ProviderCall] = field(default_factory=list)

    @property
    def asks(self) -> list[ClientOperation]:
        """The requests that were told this reply's id, or had its key."""
        return [each for each in self.operations if each.kind in ASKS]

    @property
    def accepted(self) -> list[ClientOperation]:
        """The requests that asked for it and were accepted."""
        return [each for each in self.asks if each.outcome == "ok"]

    @property
    def begin(self) -> float:
        """When the first request that asked for it was sent."""
        return min((each.begin for each in self.asks), default=0.0)

    @property
    def ends(self) -> list[TopicRecord]:
        """Every terminal event on the topic."""
        return [each for each in self.answered if each.type.removeprefix("reply.") in TERMINAL]

    @property
    def valid_ends(self) -> list[TopicRecord]:
        """Those that no event of a higher attempt voided before: what a worker that was stopped says of a lower one is void for all."""
        newest, valid = -1, []
        for record in self.answered:
            attempt = record.data.get("attempt", 0)
            newest = max(newest, attempt)
            if attempt == newest and record.type.removeprefix("reply.") in TERMINAL:
                valid.append(record)
        return valid

    @property
    def end(self) -> TopicRecord | None:
        """The end as readers fold it: the first valid one."""
        return next(iter(self.valid_ends), None)

    @property
    def end_frames(self) -> list[StreamFrame]:
        """The terminal frames that readers saw."""
        return [frame for frames in self.readers.values() for frame in frames if frame.name in TERMINAL]

    @property
    def records(self) -> list[HistoryRecord]:
        """All of it but the single deltas of readers."""
        frames = [frame for frames in self.readers.values() for frame in frames if frame.name != "delta"]
        return [
            *self.operations,
            *frames,
            *self.asked,
            *self.grounded,
            *self.answered,
            *self.stored,
            *self.charged,
            *self.dead,
            *self.calls,
        ]


@dataclass(slots=True)
class DocumentEvidence:
    """Everything about one document. ``writes`` are in the order in which they began; ``submitted`` in that of the log. ``tokens``: of
    every version that is on the log.
    """

    key: DocumentKey
    writes: list[ClientOperation] = field(default_factory=list)
    reads: list[ClientOperation] = field(default_factory=list)
    submitted: list[TopicRecord] = field(default_factory=list)
    progressed: list[TopicRecord] = field(default_factory=list)
    tokens: dict[int, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people."""
        return "/".join(self.key)

    def versions_of(self, token: str) -> list[int]:
        """The versions whose text has the token: one, unless its submission is on the log twice."""
        return [version for version, each in self.tokens.items() if each == token]

    @property
    def deletions(self) -> list[TopicRecord]:
        """The deletions on the log."""
        return [each for each in self.submitted if each.type == "document.withdrawn"]


class DocumentRead(NamedTuple):
    """What somebody was shown of a document, in a response asked for at ``begin`` and received at ``end``."""

    begin: float
    end: float
    key: DocumentKey
    sighting: Sighting
    tenant: str
    records: tuple[HistoryRecord, ...]


class LogicalWrite(NamedTuple):
    """One write of a client, over all its repeats: it happened once, at some time from ``begin`` to ``end``, if its outcome is ok."""

    begin: float
    end: float
    outcome: str
    operations: tuple[ClientOperation, ...]

    @property
    def last(self) -> ClientOperation:
        """The repeat that was accepted, else the last one."""
        return next((each for each in self.operations if each.outcome == "ok"), self.operations[-1])


class RunEvidence:
    """A history and its indexes; each is made when it is first asked for."""

    def __init__(self, history: FaultHistory) -> None:
        self.history = history

    def topic(self, *names: str) -> list[TopicRecord]:
        """The records of topics, by their names without ``claw.`` and the version, in the order of their partitions and offsets."""
        return [record for name in names for record in self._topics.get(name, ())]

    @cached_property
    def _topics(self) -> dict[str, list[TopicRecord]]:
        topics: dict[str, list[TopicRecord]] = defaultdict(list)
        for record in sorted(self.history.topics, key=lambda each: (each.topic, each.partition, each.offset)):
            topics[record.topic.removeprefix("claw.").rpartition(".")[0]].append(record)
        return topics

    @cached_property
    def replies(self) -> dict[str, ReplyEvidence]:
        """Every reply that a client was told of or that is on a topic."""
        replies: dict[str, ReplyEvidence] = {}

        def of(reply: Any) -> ReplyEvidence:
            return replies.setdefault(str(reply), ReplyEvidence(str(reply)))

        for operation in self._operations_of_replies():
            of(operation.reply).operations.append(operation)
        for frame in self.history.frames:
            of(frame.reply).readers[frame.reader].append(frame)
        for record in self.topic("chats.asked"):
            of(record.data["reply_id"]).asked.append(record)
        for record in self.topic("chats.grounded"):
            of(record.data["question"]["reply_id"]).grounded.append(record)
        for record in self.topic("chats.answered"):
            of((record.value or {})["subject"]).answered.append(record)
        for record in self._results("messages.changed", source=SPEAKER, role="assistant"):
            of(record.data["id"]).stored.append(record)
        for record in self._results("usage.recorded", purpose="answer"):
            of(record.data["reply_id"]).charged.append(record)
        for record in self._dead_questions():
            of((record.data.get("question") or record.data)["reply_id"]).dead.append(record)
        self._add_calls(replies)
        return replies

    def _results(self, topic: str, source: str = "", **wanted: str) -> list[TopicRecord]:
        """The events of a topic by ``source`` whose data has these fields; one that is left out of an event is its default, so wanted."""
        return [
            each
            for each in self.topic(topic)
            if each.data
            and source in ("", (each.value or {}).get("source"))
            and all(each.data.get(name, value) == value for name, value in wanted.items())
        ]

    def _dead_questions(self) -> list[TopicRecord]:
        return [each for each in self.topic("dead-letters") if each.type in ("chat.asked", "chat.grounded")]

    def _operations_of_replies(self) -> Iterator[ClientOperation]:
        """Operations with their reply; one that lost its response is told by the key that it shares with one that was answered."""
        by_key = {(each.tenant, each.key): each.reply for each in self.history.operations if each.kind in ASKS and each.key and each.reply}
        for operation in self.history.operations:
            if operation.kind not in (*ASKS, "resume", "reply", "cancel"):
                continue
            if operation.reply and operation.code != "conversation_busy":
                yield operation
            elif (reply := by_key.get((operation.tenant, operation.key))) is not None:
                yield _with_reply(operation, reply)

    def _add_calls(self, replies: dict[str, ReplyEvidence]) -> None:
        """Calls name a question: they belong to its reply, when it has only one."""
        by_trace: dict[str, set[str]] = defaultdict(set)
        for reply in replies.values():
            for ask in reply.accepted:
                by_trace[ask.token].add(reply.id)
        for call in self.history.calls:
            if len(found := by_trace.get(call.trace, set())) == 1:
                replies[next(iter(found))].calls.append(call)

    @cached_property
    def documents(self) -> dict[DocumentKey, DocumentEvidence]:
        """Every document that was written or read."""
        documents: dict[DocumentKey, DocumentEvidence] = {}

        def of(knowledge_base: str, document: str) -> DocumentEvidence:
            key = (knowledge_base, document)
            return documents.setdefault(key, DocumentEvidence(key))

        for operation in sorted(self.history.operations, key=lambda each: each.begin):
            if operation.document and operation.kind in WRITES:
                of(operation.knowledge_base, operation.document).writes.append(operation)
            elif operation.document and operation.kind in ("document", "chunks", "search"):
                of(operation.knowledge_base, operation.document).reads.append(operation)
        for record in self.topic("documents.submitted"):
            if record.data:
                document = of(record.data["knowledge_base_id"], record.data["document_id"])
                document.submitted.append(record)
                if record.type == "document.submitted":
                    document.tokens[record.offset] = next(iter(tokens_in(str(record.data.get("text", "")))), "")
        for record in self.topic("documents.progressed"):
            if record.data:
                of(record.data["knowledge_base_id"], record.data["document_id"]).progressed.append(record)
        return documents

    def logical_writes(self, document: DocumentEvidence) -> list[LogicalWrite]:
        """The writes of a document, in the order in which they began."""
        groups: dict[object, list[ClientOperation]] = defaultdict(list)
        for operation in document.writes:
            groups[operation.key or id(operation)].append(operation)
        writes = []
        for group in groups.values():
            accepted = [each.end for each in group if each.outcome == "ok"]
            unknown = any(each.outcome == "unknown" for each in group)
            outcome = "ok" if accepted else "unknown" if unknown else "failed"
            writes.append(LogicalWrite(group[0].begin, min(accepted, default=group[-1].end), outcome, tuple(group)))
        return sorted(writes, key=lambda each: each.begin)

    @cached_property
    def reads(self) -> dict[DocumentKey, list[DocumentRead]]:
        """What readers were shown, of every document: by searches, lists of chunks, and completed answers; by their begin."""
        reads: dict[DocumentKey, list[DocumentRead]] = defaultdict(list)
        for read in [*self._reads_of_operations(), *self._reads_of_answers()]:
            reads[read.key].append(read)
        for each in reads.values():
            each.sort(key=lambda read: read.begin)
        return reads

    def _reads_of_operations(self) -> Iterator[DocumentRead]:
        for operation in self.history.operations:
            if operation.kind in ("search", "chunks") and operation.outcome == "ok":
                for sighting in operation.seen:
                    key = (sighting.knowledge_base or operation.knowledge_base, sighting.document)
                    yield DocumentRead(operation.begin, operation.end, key, sighting, operation.tenant, (operation,))

    def _reads_of_answers(self) -> Iterator[DocumentRead]:
        for reply in self.replies.values():
            for frame in reply.end_frames:
                if not reply.asks or frame.name != "completed":
                    continue
                ask = reply.asks[0]
                tokens = tokens_in(str(frame.data.get("text", "")))
                for citation in frame.data.get("citations", ()):
                    quote = tokens_in(str(citation.get("quote", ""))) or tokens
                    sighting = Sighting(
                        document=citation["document_id"],
                        version=citation["version"],
                        token=quote[0] if quote else "",
                        knowledge_base=citation["knowledge_base_id"],
                    )
                    key = (sighting.knowledge_base, sighting.document)
                    yield DocumentRead(reply.begin, frame.at, key, sighting, ask.tenant, (ask, frame))

    def faults_of(self, kinds: Iterable[str], targets: Iterable[str]) -> list[InjectedFault]:
        """The faults of some kinds against some parts."""
        kinds, targets = set(kinds), set(targets)
        return [fault for fault in self.history.faults if fault.kind in kinds and fault.target in targets]


def _with_reply(operation: ClientOperation, reply: str) -> ClientOperation:
    return msgspec.structs.replace(operation, reply=reply)


def texts_by_attempt(answered: Sequence[TopicRecord]) -> dict[int, dict[int, TopicRecord]]:
    """The text events of a reply: attempt, then sequence number; the first of each."""
    attempts: dict[int, dict[int, TopicRecord]] = defaultdict(dict)
    for record in answered:
        if record.type == "reply.extended":
            attempts[record.data["attempt"]].setdefault(record.data["seq"], record)
    return attempts
