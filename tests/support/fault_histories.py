"""A small pure model of the product that keeps every promise: it makes true histories, of whatever length, from a source of chance."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from ops.faults.history import (
    ClientOperation,
    FaultHistory,
    FinalReading,
    HistoryRecord,
    InjectedFault,
    ProviderCall,
    ReadinessSample,
    Sighting,
    StreamFrame,
    TopicRecord,
    content_digest,
)
from ops.faults.texts import document_name, document_text, question_text, tenant_words, version_token

DOCUMENTS, CONVERSATIONS, PARAGRAPHS = 3, 3, 2
TENANTS = tenant_words(2)


@dataclass
class ModelDocument:
    tenant: str
    number: int
    serial: int = 0
    latest: int = -1  # version on the log
    visible: int = -1
    deleted: int = -1
    pending: list[int] = field(default_factory=list)
    tokens: dict[int, str] = field(default_factory=dict)
    past: list[ClientOperation] = field(default_factory=list)
    free_at: float = 0.0

    @property
    def name(self) -> str:
        return document_name(self.number)

    @property
    def base(self) -> str:
        return f"kb-{self.tenant}"

    @property
    def key(self) -> str:
        return f"t-{self.tenant}/{self.base}/{self.name}"


class Model:
    """Steps of a faultless product. ``now`` only grows; what an operation does, it does between its begin and its end."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.now = 1_000.0
        self.records: list[HistoryRecord] = []
        self.ends: dict[tuple[str, int], int] = defaultdict(int)
        self.ids = 0
        self.documents = [ModelDocument(tenant, number) for tenant in TENANTS for number in range(DOCUMENTS)]
        self.free: dict[str, float] = defaultdict(float)
        self.ended: dict[str, tuple[str, float]] = {}
        self.faults = 0
        self.charges = 0

    def run(self, steps: int) -> FaultHistory:
        """That many steps, of every kind at least one when there are enough, then the end."""
        kinds = [self.submit, self.submit, self.index, self.index, self.delete, self.search, self.chunks, self.read, self.ask, self.ask]
        kinds += [self.repeat, self.fault, self.trespass, self.inbox]
        for document in self.documents:
            self.submit(document)
        for step in range(steps):
            kind = kinds[step % len(kinds)] if step < len(kinds) else self.chance.choice(kinds)
            kind()
        self.finish()
        return FaultHistory.of(self.records)

    def id(self, name: str) -> str:
        self.ids += 1
        return f"{name}-{self.ids}"

    def tick(self, most: float = 1.0) -> float:
        self.now += 0.01 + self.chance.random() * most
        return self.now

    def span(self, free_at: float = 0.0) -> tuple[float, float, float]:
        """Begin, effect and end of an operation; it overlaps with those beside it."""
        effect = self.tick()
        if effect <= free_at:
            self.now = effect = free_at + 0.02
        begin = max(free_at + 0.001, effect - self.chance.random() * 2)
        return min(begin, effect - 0.001), effect, effect + 0.001 + self.chance.random() * 2

    def publish(
        self,
        topic: str,
        type_: str,
        key: str,
        data: dict[str, Any],
        *,
        ident: str = "",
        tenant: str = "",
        partition: int = 0,
        source: str = "/claw/generate",
    ) -> TopicRecord:
        name = f"claw.{topic}.v1"
        offset = self.ends[name, partition]
        self.ends[name, partition] += self.chance.choice((1, 1, 2))
        value = {
            "id": ident or self.id("event"),
            "type": f"claw.{type_}.v1",
            "subject": key,
            "source": source,
            "tenant": tenant,
            "data": data,
        }
        record = TopicRecord(topic=name, partition=partition, offset=offset, at=self.now, key=key, value=value, digest=content_digest(data))
        self.records.append(record)
        return record

    # documents

    def submit(self, document: ModelDocument | None = None) -> None:
        document = document or self.chance.choice(self.documents)
        document.serial += 1
        token = version_token(document.tenant, document.number, document.serial)
        key, ident = self.id("key"), self.id("submission")
        lost = self.chance.random() < 0.3  # the response of a first try
        for last in (False, True) if lost else (True,):
            begin, effect, end = self.span(document.free_at)
            on_log = last or self.chance.random() < 0.5
            version = self.write(document, token, ident) if on_log else -1
            operation = ClientOperation(
                begin=begin,
                end=end,
                client="writer",
                tenant=document.tenant,
                kind="submit",
                outcome="ok" if last else "unknown",
                status=202 if last else 503,
                key=key,
                knowledge_base=document.base,
                document=document.name,
                version=version if last else -1,
                token=token,
            )
            document.free_at = end
            self.now = max(self.now, effect)
            self.records.append(operation)
        document.past.append(operation)

    def write(self, document: ModelDocument, token: str, ident: str) -> int:
        text = document_text(document.number, token, PARAGRAPHS)
        data = {"knowledge_base_id": document.base, "document_id": document.name, "text": text}
        record = self.publish("documents.submitted", "document.submitted", document.key, data, ident=ident, tenant=f"t-{document.tenant}")
        document.latest = record.offset
        document.pending.append(record.offset)
        document.tokens[record.offset] = token
        work = {"version": record.offset, "document": {"document_id": document.name}}
        for _ in range(self.chance.choice((1, 1, 2))):  # a repeat has the same id
            self.publish("documents.queued.express", "document.queued", document.key, work, ident=f"queued-{document.key}-{record.offset}")
        self.progress(document, record.offset, "queued")
        return record.offset

    def progress(self, document: ModelDocument, version: int, state: str) -> None:
        data = {"knowledge_base_id": document.base, "document_id": document.name, "version": version, "state": state}
        self.publish("documents.progressed", "document.progressed", document.key, data)

    def index(self) -> None:
        waiting = [document for document in self.documents if document.pending]
        if not waiting:
            return
        document = self.chance.choice(waiting)
        version = document.pending[-1]  # of several the newest is left: earlier ones are superseded
        document.pending = []
        if version > document.deleted:
            self.tick()
            document.visible = version
            self.progress(document, version, "indexed")

    def withdraw(self, document: ModelDocument) -> None:
        data = {"knowledge_base_id": document.base, "document_id": document.name}
        record = self.publish("documents.submitted", "document.withdrawn", document.key, data, tenant=f"t-{document.tenant}")
        document.deleted = document.latest = record.offset
        document.visible, document.pending = -1, []
        self.progress(document, record.offset, "deleted")

    def delete(self) -> None:
        document = self.chance.choice(self.documents)
        if document.deleted == document.latest:
            return
        begin, _, end = self.span(document.free_at)
        self.withdraw(document)
        self.records.append(self.of_document(document, "delete", begin, end, status=204))
        document.free_at = end
        document.past = []

    def inbox(self) -> None:
        document = self.chance.choice(self.documents)
        document.serial += 1
        token = version_token(document.tenant, document.number, document.serial)
        begin, _, end = self.span(document.free_at)
        self.records.append(self.of_document(document, "inbox", begin, end, token=token, client="upstream"))
        document.free_at = self.now = end
        self.write(document, token, self.id("admitted"))
        document.past = []

    def repeat(self) -> None:
        """A late repeat of an accepted write: it gets the first answer, and does nothing."""
        known = [document for document in self.documents if document.past]
        if known:
            document = self.chance.choice(known)
            first = self.chance.choice(document.past)
            begin, _, end = self.span(document.free_at)
            self.records.append(
                self.of_document(document, "submit", begin, end, token=first.token, key=first.key, version=first.version, client="writer")
            )
            document.free_at = end

    def of_document(self, document: ModelDocument, kind: Any, begin: float, end: float, **fields: Any) -> ClientOperation:
        fields = dict[str, Any](client="reader", outcome="ok", status=200) | fields
        return ClientOperation(
            begin=begin, end=end, tenant=document.tenant, kind=kind, knowledge_base=document.base, document=document.name, **fields
        )

    def sightings(self, document: ModelDocument) -> tuple[Sighting, ...]:
        if document.visible < 0:
            return ()
        token = document.tokens[document.visible]
        return tuple(Sighting(document=document.name, version=document.visible, token=token, ordinal=n) for n in range(PARAGRAPHS))

    def search(self) -> None:
        document = self.chance.choice(self.documents)
        begin, _, end = self.span()
        beside = self.chance.choice([each for each in self.documents if each.tenant == document.tenant])
        seen = self.sightings(document) + (self.sightings(beside) if beside is not document else ())
        self.records.append(self.of_document(document, "search", begin, end, seen=seen))

    def chunks(self, document: ModelDocument | None = None, client: str = "reader") -> None:
        document = document or self.chance.choice(self.documents)
        begin, _, end = self.span()
        seen = self.sightings(document)
        outcome, status = ("ok", 200) if seen else ("failed", 404)
        self.records.append(self.of_document(document, "chunks", begin, end, seen=seen, client=client, outcome=outcome, status=status))

    def read(self, document: ModelDocument | None = None, client: str = "reader") -> None:
        document = document or self.chance.choice(self.documents)
        begin, _, end = self.span()
        if document.latest == document.deleted:
            fields: dict[str, Any] = {"outcome": "failed", "status": 404}
        else:
            state = "indexed" if document.visible == document.latest else "queued"
            fields = {"state": state, "version": document.latest}
        self.records.append(self.of_document(document, "document", begin, end, client=client, **fields))

    def trespass(self) -> None:
        begin, _, end = self.span()
        self.records.append(
            ClientOperation(begin=begin, end=end, client="stranger", tenant="north", kind="trespass", outcome="failed", status=404)
        )

    # replies

    def ask(self) -> None:
        ModelReply(self).run()

    # faults

    def fault(self, *, calm: bool = False) -> None:
        """One fault or a pair, healed; readiness says so, and a question and a document succeed soon after."""
        self.faults += 1
        begin = self.tick()
        steps = [("pause", "chat"), ("kill", "kafka"), ("kill", "up"), ("provider", "429")]
        group = self.chance.sample(steps, self.chance.choice((1, 2)))
        heal = begin + 4 + self.chance.random() * 3
        question_s, document_s = self.chance.random() * 5, self.chance.random() * 5
        down_until = heal + self.chance.random()
        for kind, target in group:
            self.records.append(
                InjectedFault(
                    number=self.faults,
                    begin=begin,
                    end=heal,
                    kind=kind,
                    target=target,
                    down_until=down_until,
                    question_s=question_s,
                    document_s=document_s,
                )
            )
        down = any(kind != "provider" for kind, _ in group)
        at = begin + 0.1
        self.now = heal + max(question_s, document_s) + 2
        while at < self.now:
            away = down and begin + 1 < at < down_until
            self.records.append(ReadinessSample(at=at, end=at + 0.05, status=503 if away else 200, down=("lane.chat",) if away else ()))
            at += 0.5

    def finish(self) -> None:
        """Everything is indexed, then read."""
        while any(document.pending for document in self.documents):
            self.index()
        for document in self.documents:
            self.now = max(self.now, document.free_at) + 3
            self.read(document, client="final")
            self.chunks(document, client="final")
        self.records.append(FinalReading(at=self.now, name="usage_reconcile", value=0, expected=0))


class ModelReply:
    """One question to its end: attempts that die, readers that leave and come back, a cancel, a repeat of the request."""

    def __init__(self, model: Model) -> None:
        self.model, self.chance = model, model.chance
        self.document = self.chance.choice(model.documents)
        self.tenant = self.document.tenant
        self.conversation = f"conversation-{self.tenant}-{self.chance.randrange(CONVERSATIONS)}"
        self.reply, self.message, self.key = model.id("reply"), model.id("message"), model.id("key")
        self.trace = model.id("trace")
        self.frames: list[StreamFrame] = []
        self.answered: list[TopicRecord] = []

    def run(self) -> None:
        model = self.model
        begin, _, accepted = model.span(model.free[self.conversation])
        self.begin = begin
        model.now = max(model.now, accepted)
        if model.ended.get(self.conversation) and self.chance.random() < 0.2:
            self.cause_busy()
        lost = self.chance.random() < 0.3
        self.publish_question()
        if lost:
            self.operation("ask", begin, accepted, outcome="unknown", status=503, reply="", reader="")
            begin, _, accepted = model.span(accepted)
            model.now = accepted
        self.operation("ask", begin, accepted, reader=f"{self.reply}-a")
        self.frame("accepted", "0.0.0", {"reply_id": self.reply})
        self.answer()
        self.deliver()
        if self.chance.random() < 0.4:  # the same request again
            begin, _, end = model.span()
            self.operation("ask", begin, end, status=202)
        if self.chance.random() < 0.5:
            begin, _, end = model.span()
            self.operation("reply", begin, end, state=self.state, text=self.text)
        model.free[self.conversation] = model.now
        model.ended[self.conversation] = (self.reply, model.now)

    def cause_busy(self) -> None:
        """The lock is released a moment after the end was shown."""
        reply, ended_s = self.model.ended[self.conversation]
        self.model.records.append(
            ClientOperation(
                begin=ended_s + 0.5,
                end=ended_s + 0.6,
                client="asker",
                tenant=self.tenant,
                kind="ask",
                outcome="failed",
                status=409,
                code="conversation_busy",
                reply=reply,
                conversation=self.conversation,
            )
        )

    def operation(self, kind: Any, begin: float, end: float, **fields: Any) -> None:
        fields = dict[str, Any](outcome="ok", status=200, reply=self.reply, key=self.key, token=self.trace) | fields
        self.model.records.append(
            ClientOperation(begin=begin, end=end, client="asker", tenant=self.tenant, kind=kind, conversation=self.conversation, **fields)
        )

    def frame(self, name: str, ident: str, data: dict[str, Any]) -> None:
        self.frames.append(StreamFrame(at=self.model.tick(0.05), reader="", reply=self.reply, id=ident, name=name, data=data))

    def publish(self, topic: str, type_: str, data: dict[str, Any], key: str, ident: str = "") -> TopicRecord:
        return self.model.publish(topic, type_, key, data, ident=ident, tenant=f"t-{self.tenant}")

    def publish_question(self) -> None:
        question = {"reply_id": self.reply, "conversation_id": self.conversation, "content": question_text(0, self.trace)}
        self.asked = self.publish("chats.asked", "chat.asked", question, self.conversation)
        grounding = {"question": question, "passages": []}
        self.grounded = self.publish("chats.grounded", "chat.grounded", grounding, self.conversation)

    def say(self, kind: str, data: dict[str, Any]) -> TopicRecord:
        record = self.publish("chats.answered", f"reply.{kind}", {"attempt": self.attempt} | data, self.reply)
        self.answered.append(record)
        return record

    def call(self, fault: str = "", *, left: bool = False) -> None:
        at = self.model.now
        self.model.records.append(ProviderCall(at=at, end=at + 0.2, number=self.model.ids, trace=self.trace, fault=fault, left=left))

    def answer(self) -> None:
        """Up to three attempts; all but the last one die on the way, of a fault that the history names."""
        self.attempt = 1
        while self.chance.random() < 0.3 and self.attempt < 3:
            self.model.faults += 1
            self.call()
            self.speak(self.chance.randrange(1, 3), f"draft {self.attempt} ")
            at = self.model.now
            self.model.records.append(
                InjectedFault(
                    number=self.model.faults,
                    begin=at,
                    end=at,
                    kind="kill",
                    target="chat",
                    down_until=at + 2,
                    question_s=2.0,
                    document_s=1.0,
                )
            )
            self.model.now += 2.5
            self.attempt += 1
        self.end = self.chance.choice(("completed", "completed", "completed", "failed", "cancelled"))
        seen = self.model.sightings(self.document)[:1]
        self.call("429" if self.end == "failed" else "")
        self.text = self.speak(4, f"It shows {seen[0].token} " if seen else "It is dark ")
        citations = [
            {
                "document_id": each.document,
                "version": each.version,
                "knowledge_base_id": self.document.base,
                "quote": f"shows {each.token} to",
            }
            for each in seen
        ]
        self.conclude(citations)

    def speak(self, pieces: int, begin: str) -> str:
        started = self.say("started", {"sources": []})
        place = f"{started.partition}.{started.offset}"
        ordinal = 1
        if self.attempt > 1:
            self.frame("restart", f"{place}.1", {"attempt": self.attempt})
            ordinal = 2
        self.frame("retrieved", f"{place}.{ordinal}", {"passages": []})
        text = ""
        for seq in range(1, pieces + 1):
            piece = begin if seq == 1 else f"word{seq} "
            record = self.say("extended", {"seq": seq, "text": piece})
            self.frame("delta", f"{record.partition}.{record.offset}.1", {"seq": seq, "text": piece})
            text += piece
        return text

    def conclude(self, citations: list[dict[str, Any]]) -> None:
        self.state = {"completed": "complete"}.get(self.end, self.end)
        message = {"id": self.reply, "role": "assistant", "state": self.state, "content": self.text, "attempt": self.attempt}
        message |= {name: {"partition": each.partition, "offset": each.offset} for name, each in self.causes.items()}
        for _ in range(self.chance.choice((1, 1, 2))):
            self.publish("messages.changed", "message.changed", message, self.reply, ident=f"message-{self.reply}")
            self.publish("usage.recorded", "usage.recorded", {"reply_id": self.reply, "purpose": "answer"}, "user", f"usage-{self.reply}")
        data: dict[str, Any] = {"problem": {"code": "provider_error"}} if self.end == "failed" else {"text": self.text}
        record = self.say(self.end, data)
        shown = data | {"citations": citations} if self.end == "completed" else data
        self.frame(self.end, f"{record.partition}.{record.offset}.1", shown)

    @property
    def causes(self) -> dict[str, TopicRecord]:
        return {"asked": self.asked, "grounded": self.grounded}

    def deliver(self) -> None:
        """The asker leaves and resumes; another reader sees all of it, later."""
        leaves = self.chance.randrange(1, len(self.frames))
        left = self.frames[leaves - 1]
        self.operation("resume", left.at + 0.001, left.at + 0.002, reader=f"{self.reply}-a", after=left.id)
        for reader, frames in (("a", self.frames), ("b", self.frames[1:])):
            for frame in frames:
                self.model.records.append(
                    StreamFrame(
                        at=frame.at, reader=f"{self.reply}-{reader}", reply=frame.reply, id=frame.id, name=frame.name, data=frame.data
                    )
                )


def true_history(seed: int, steps: int = 120) -> FaultHistory:
    """A history that keeps every promise."""
    return Model(random.Random(seed)).run(steps)
