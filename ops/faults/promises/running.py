"""The log, and the parts that run: event ids, order, recovery, readiness, paid work."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ops.faults.evidence import ReplyEvidence, RunEvidence
from ops.faults.history import MEASURED, ClientOperation, HistoryRecord, InjectedFault, ReadinessSample, TopicRecord
from ops.faults.promises.promise import Promise

RECOVERY_S_MAX = 30.0
HONEST_S = 3.0  # readiness may be this late
REFUSALS_MIN, SAMPLES_MIN = 5, 3  # a row of refusals, and readiness meanwhile
CALLS_RATIO_MAX = 1.1  # provider calls per question
CALLS_MAX = 8  # that the provider answered, for one question, whatever dies
FAILED_CALLS_MAX = 100  # that it refused or broke off: they are retried every second for half a minute, in each of three searches
REFUSALS = frozenset({401, 404, 503})
READY = 200
PARTS = frozenset({"kafka", "redis", "api", "chat", "knowledge", "documents", "tables"})
SPEAKERS = frozenset({"chat", "up", "kafka", "redis"})  # when one is away, a worker may have to answer again
SPEECH_S = 30.0  # an answer that began this long before such a fault may have been in progress
WORK = ("documents.queued.express", "documents.queued.bulk", "documents.queued.slow")

Found = Iterator[tuple[str, str, Iterable[HistoryRecord]]]


def _an_id_has_one_content(evidence: RunEvidence) -> Found:
    by_id: dict[str, TopicRecord] = {}
    for record in evidence.history.topics:
        ident = (record.value or {}).get("id")
        if not ident or record.topic.startswith(("claw.dead-letters", "claw.inbox")):
            continue
        before = by_id.setdefault(ident, record)
        if (before.topic, before.type, before.key, before.digest) != (record.topic, record.type, record.key, record.digest):
            yield ident, f"one event id has two contents: {_differences(before, record)}", [before, record]


def _differences(first: TopicRecord, second: TopicRecord) -> str:
    names = [name for name in (first.data.keys() | second.data.keys()) - MEASURED if first.data.get(name) != second.data.get(name)]
    return f"{first.type} and {second.type} differ in {', '.join(sorted(names)) or 'what is left out here'}"


def _keys_are_in_order(evidence: RunEvidence) -> Found:
    """Work on a document is queued in the order of its versions; questions of a conversation are searched for in the order asked."""
    for topic in WORK:
        versions: dict[str, int] = {}
        for record in _first_of_each_id(evidence.topic(topic)):
            version = record.data.get("version", -1)
            if version < versions.get(record.key, -1):
                yield (
                    record.key,
                    f"{topic}: version {version} came after {versions[record.key]}",
                    _of_key(evidence.topic(topic), record.key),
                )
            versions[record.key] = max(version, versions.get(record.key, -1))
    asked, grounded = (_replies_by_key(evidence.topic(topic)) for topic in ("chats.asked", "chats.grounded"))
    for key, replies in grounded.items():
        order = [reply for reply in asked.get(key, []) if reply in set(replies)]
        if order != [reply for reply in replies if reply in set(order)]:
            records = [*_of_key(evidence.topic("chats.asked"), key), *_of_key(evidence.topic("chats.grounded"), key)]
            yield key, "chats.grounded: the questions of a conversation changed their order", records


def _of_key(records: Iterable[TopicRecord], key: str) -> list[TopicRecord]:
    return [record for record in records if record.key == key]


def _first_of_each_id(records: Iterable[TopicRecord]) -> Iterator[TopicRecord]:
    known: set[str] = set()
    for record in records:
        ident = str((record.value or {}).get("id"))
        if record.value is not None and ident not in known:
            known.add(ident)
            yield record


def _replies_by_key(records: Iterable[TopicRecord]) -> dict[str, list[str]]:
    """The replies of each conversation, by their first event."""
    replies: dict[str, dict[str, None]] = defaultdict(dict)
    for record in records:
        if record.value is not None:
            replies[record.key][(record.data.get("question") or record.data)["reply_id"]] = None
    return {key: list(each) for key, each in replies.items()}


def groups_of(faults: Iterable[InjectedFault]) -> list[list[InjectedFault]]:
    """Single faults and pairs, in the order of the plan."""
    groups: dict[int, list[InjectedFault]] = defaultdict(list)
    for fault in faults:
        groups[fault.number].append(fault)
    return [groups[number] for number in sorted(groups)]


def name_of(group: Sequence[InjectedFault]) -> str:
    """``kill chat + pause redis``."""
    return " + ".join(f"{fault.kind} {fault.target}".strip() for fault in group)


def _recovers(evidence: RunEvidence) -> Found:
    for group in groups_of(evidence.history.faults):
        for what, seconds in (("question", group[-1].question_s), ("document", group[-1].document_s)):
            if seconds is None or seconds > RECOVERY_S_MAX:
                probes = _changes(each for each in evidence.history.operations if each.probe == group[0].number)
                late = f"no {what} succeeded within {RECOVERY_S_MAX:g} s" if seconds is None else f"the next {what} took {seconds:.1f} s"
                yield f"fault {group[0].number}: {name_of(group)}", f"after healing, {late}", [*group, *probes]


def _changes(probes: Iterable[ClientOperation]) -> list[ClientOperation]:
    """Each probe that was answered otherwise than the one before of its kind."""
    last: dict[str, tuple[object, ...]] = {}
    changes = []
    for probe in probes:
        shown = (probe.status, probe.code, probe.state, probe.version)
        if last.get(probe.kind) != shown:
            changes.append(probe)
        last[probe.kind] = shown
    return changes


def _readiness_is_honest(evidence: RunEvidence) -> Found:
    groups = groups_of(evidence.history.faults)
    added = [fault for fault in evidence.history.faults if fault.kind == "add"]
    for group in groups:
        for fault in group:
            if fault.target not in PARTS or fault.kind not in ("kill", "pause") or _has_a_second(fault, added):
                continue
            wrong = [
                sample
                for sample in evidence.history.readiness
                if sample.status == READY and sample.at > fault.begin + HONEST_S and sample.end < fault.down_until
            ]
            if wrong:
                late_s = wrong[-1].at - fault.begin
                yield (
                    _subject(group),
                    f"{late_s:.1f} s after {fault.kind} of {fault.target} it still said ready",
                    [fault, wrong[0], wrong[-1]],
                )
    for index, group in enumerate(groups):
        until = groups[index + 1][0].begin if index + 1 < len(groups) else float("inf")
        yield from _ready_again(evidence, group, until)


def _subject(group: Sequence[InjectedFault]) -> str:
    return f"fault {group[0].number}: {name_of(group)}"


def _has_a_second(fault: InjectedFault, added: Iterable[InjectedFault]) -> bool:
    """Whether another worker of the same group did its work."""
    return any(each.target == fault.target and each.begin < fault.down_until and each.end > fault.begin for each in added)


def _ready_again(evidence: RunEvidence, group: Sequence[InjectedFault], until: float) -> Found:
    """It says ready soon after every part answers and a question and a document have succeeded."""
    last = group[-1]
    if last.question_s is None or last.document_s is None:
        return
    healed = max(fault.end for fault in group) + max(last.question_s, last.document_s)
    since = max(healed, *(fault.down_until for fault in group)) + HONEST_S
    samples = [sample for sample in evidence.history.readiness if sample.at > since and sample.end < until]
    if len(samples) >= SAMPLES_MIN and all(sample.status != READY for sample in samples[:SAMPLES_MIN]):
        down = sorted({part for sample in samples[:SAMPLES_MIN] for part in sample.down})
        yield _subject(group), f"everything works again, and it still says not ready ({', '.join(down)})", [*group, *samples]


def _ready_means_served(evidence: RunEvidence) -> Found:
    """While everything of one kind is refused, readiness says so."""
    for kind in ("ask", "submit", "search"):
        row: list[ClientOperation] = []
        for operation in sorted((each for each in evidence.history.operations if each.kind == kind), key=lambda each: each.end):
            if operation.status in REFUSALS:
                row.append(operation)
                continue
            if operation.outcome == "ok":
                yield from _dishonest_row(evidence, kind, row)
                row = []
        yield from _dishonest_row(evidence, kind, row)


def _dishonest_row(evidence: RunEvidence, kind: str, row: Sequence[ClientOperation]) -> Found:
    if len(row) < REFUSALS_MIN:
        return
    begin, end = row[0].begin + HONEST_S, row[-1].begin
    samples = [sample for sample in evidence.history.readiness if sample.at > begin and sample.end < end]
    if len(samples) >= SAMPLES_MIN and all(sample.status == READY for sample in samples):
        codes = Counter(each.code or str(each.status) for each in row)
        yield f"{kind} at {row[0].begin:.1f}", f"ready, and {len(row)} in a row were refused ({dict(codes)})", [*row, *samples]


def _work_is_paid_once(evidence: RunEvidence) -> Found:
    spared = [reply for reply in evidence.replies.values() if reply.accepted and reply.calls and not _is_excused(evidence, reply)]
    calls = sum(len(reply.calls) for reply in spared)
    if spared and calls > CALLS_RATIO_MAX * len(spared):
        worst = max(spared, key=lambda reply: len(reply.calls))
        seen = f"{calls} provider calls for {len(spared)} questions that no fault of a worker or of the provider touched"
        yield "all questions", seen, [*worst.operations, *worst.calls, *worst.asked, *worst.answered]
    for reply in evidence.replies.values():
        failed = sum(bool(call.fault) for call in reply.calls)
        if len(reply.calls) - failed > CALLS_MAX or failed > FAILED_CALLS_MAX:
            seen = f"{len(reply.calls)} provider calls for one question, {failed} of them failed"
            yield reply.id, seen, [*reply.asks, *reply.calls, *reply.asked]


def _is_excused(evidence: RunEvidence, reply: ReplyEvidence) -> bool:
    """Whether calls had to be repeated: the provider failed, or who spoke was away in mid-answer."""
    if any(call.fault for call in reply.calls):
        return True
    begin, end = min(call.at for call in reply.calls), max(call.end for call in reply.calls)
    return any(
        fault.target in SPEAKERS and fault.begin < end and max(fault.end, fault.down_until) > begin for fault in evidence.history.faults
    )


def _figures_agree(evidence: RunEvidence) -> Found:
    for reading in evidence.history.readings:
        if reading.expected is not None and reading.value != reading.expected:
            yield f"{reading.name} {reading.subject}".strip(), f"{reading.name} is not what it must be", [reading]


def samples_ready(samples: Iterable[ReadinessSample]) -> float:
    """The share of samples that say ready."""
    statuses = [sample.status == READY for sample in samples]
    return sum(statuses) / len(statuses) if statuses else 0.0


PROMISES = (
    Promise("one_content_per_id", "An event id is unique, or of the same content.", _an_id_has_one_content),
    Promise("key_order", "Events of one key keep their order.", _keys_are_in_order),
    Promise("recovers", "Within 30 s of healing a question is answered and a document is searchable.", _recovers),
    Promise("readiness_honest", "Readiness tells within 3 s that a part is away, and that all is well again.", _readiness_is_honest),
    Promise("ready_means_served", "While readiness says ready, requests are served.", _ready_means_served),
    Promise("paid_once", "The provider is called once a question, unless a worker died or the provider failed.", _work_is_paid_once),
    Promise("figures_agree", "Counters agree with their topic, and what was rebuilt with what was there.", _figures_agree),
)
