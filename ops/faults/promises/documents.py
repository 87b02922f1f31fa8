"""Documents: nothing accepted is lost, and readers see neither half a document, nor an old one, nor a deleted one."""

from collections.abc import Iterable, Iterator

from ops.faults.evidence import SUBMISSIONS, DocumentEvidence, DocumentRead, LogicalWrite, RunEvidence
from ops.faults.history import ClientOperation, HistoryRecord, begin_of
from ops.faults.promises.promise import Promise
from ops.faults.texts import tokens_in

FINAL = "final"  # the client that reads everything at the end
NOT_FOUND = 404
RELATED_MAX = 8  # of the last writes of a document
MILLISECOND_S = 0.001  # times of the log are cut to it
SEEN_STATES = ("indexed", "unchanged")

Found = Iterator[tuple[str, str, Iterable[HistoryRecord]]]


def _write_is_on_the_log(evidence: RunEvidence) -> Found:
    for document in evidence.documents.values():
        for write in document.writes:
            if write.outcome != "ok":
                continue
            if write.kind in ("submit", "replace") and document.tokens.get(write.version) != write.token:
                yield document.name, f"{write.kind} was accepted as version {write.version}, which is not on the log", [write]
            elif write.kind == "inbox" and write.token and not document.versions_of(write.token):
                yield document.name, "a record of the inbox was acknowledged, and no submission came of it", [write]
            elif _deletes(document, write) and not document.deletions:
                yield document.name, "a deletion was accepted and is not on the log", [write, *document.submitted]


def _deletes(document: DocumentEvidence, write: ClientOperation) -> bool:
    """Whether a write is a deletion of something: a record without a value of an inbox may name a document that never was."""
    was = any(each.outcome == "ok" and each.token and each.end <= write.begin for each in document.writes)
    return write.kind == "delete" or (write.kind == "inbox" and not write.token and was)


def _deleted_version(document: DocumentEvidence, deletion: ClientOperation) -> int:
    """Every version below this was deleted when the deletion was acknowledged; -1 for none."""
    on_log = [each.offset for each in document.deletions if deletion.begin - MILLISECOND_S <= each.at <= deletion.end]
    known = [each.version + 1 for each in document.writes if each.outcome == "ok" and each.end <= deletion.begin]
    return max([*on_log, *known], default=-1)


def _deleted_is_gone(evidence: RunEvidence) -> Found:
    for key, document in evidence.documents.items():
        for deletion in document.writes:
            if deletion.kind != "delete" or deletion.status != 204:  # noqa: PLR2004 - 202: not yet out of sight
                continue
            below = _deleted_version(document, deletion)
            for read in evidence.reads.get(key, ()):
                if read.begin > deletion.end and read.sighting.version < below:
                    shown = (
                        f"version {read.sighting.version} was shown {read.begin - deletion.end:.1f} s after its deletion was acknowledged"
                    )
                    related = [each for each in document.submitted if read.sighting.version <= each.offset <= below]
                    yield document.name, shown, [deletion, *read.records, *related]


def _versions_go_up(evidence: RunEvidence) -> Found:
    for key, reads in evidence.reads.items():
        highest: DocumentRead | None = None
        waiting = sorted(reads, key=lambda read: read.end, reverse=True)
        for read in reads:
            while waiting and waiting[-1].end < read.begin:
                earlier = waiting.pop()
                if highest is None or earlier.sighting.version > highest.sighting.version:
                    highest = earlier
            if highest is not None and read.sighting.version < highest.sighting.version:
                shown = f"version {read.sighting.version} was shown after version {highest.sighting.version}"
                submitted = evidence.documents[key].submitted if key in evidence.documents else []
                versions = (read.sighting.version, highest.sighting.version)
                related = [each for each in submitted if each.offset in versions]
                yield "/".join(key), shown, [*highest.records, *read.records, *related]


def _whole_document(evidence: RunEvidence) -> Found:
    for operation in evidence.history.operations:
        if operation.outcome != "ok" or operation.kind not in ("search", "chunks"):
            continue
        versions: dict[tuple[str, str], set[int]] = {}
        for sighting in operation.seen:
            key = (sighting.knowledge_base or operation.knowledge_base, sighting.document)
            versions.setdefault(key, set()).add(sighting.version)
            document = evidence.documents.get(key)
            token = document.tokens.get(sighting.version) if document is not None else None
            if document is not None and sighting.token and token != sighting.token:
                shown = f"version {sighting.version} was shown with the text {sighting.token}, the log says {token}"
                yield document.name, shown, [operation, *(each for each in document.submitted if each.offset == sighting.version)]
        for key, shown_versions in versions.items():
            if len(shown_versions) > 1:
                yield "/".join(key), f"versions {sorted(shown_versions)} were shown in one response", [operation]
        ordinals = [sighting.ordinal for sighting in operation.seen]
        if operation.kind == "chunks" and ordinals != list(range(len(ordinals))):
            yield f"{operation.knowledge_base}/{operation.document}", f"its chunks are {ordinals}", [operation]


def _indexed_is_found(evidence: RunEvidence) -> Found:
    """A search for a document that was searchable before, and was not deleted meanwhile, shows it."""
    for document in evidence.documents.values():
        shown = [read for read in document.reads if read.kind == "document" and read.outcome == "ok" and read.state in SEEN_STATES]
        for search in document.reads:
            if search.kind != "search" or search.outcome != "ok":
                continue
            before = max((read for read in shown if read.end < search.begin), key=lambda read: read.version, default=None)
            if before is None or _may_be_deleted(document, before, search):
                continue
            if not any(sighting.document == search.document for sighting in search.seen):
                lost = f"a search did not find it, although version {before.version} was searchable before"
                around: list[HistoryRecord] = [*document.writes, *document.progressed]
                since = [each for each in around if before.begin - 1.0 <= begin_of(each) <= search.end]
                yield document.name, lost, [before, search, *since]


def _may_be_deleted(document: DocumentEvidence, read: ClientOperation, search: ClientOperation) -> bool:
    """Whether a deletion could have taken effect between a read and the end of a search."""
    return any(
        (write.kind == "delete" or (write.kind == "inbox" and not write.token))
        and write.begin < search.end
        and (write.end > read.begin or write.outcome == "unknown" or write.kind == "inbox" or write.status != 204)  # noqa: PLR2004
        for write in document.writes
    )


def _last_write_stays(evidence: RunEvidence) -> Found:
    """At the end a document is as its last accepted write left it; writes of unknown outcome may have come later."""
    for document in evidence.documents.values():
        final = [read for read in document.reads if read.client == FINAL]
        states = [read for read in final if read.kind == "document" and read.outcome != "unknown"]
        if not states or not document.writes:
            continue
        admissible = _admissible(evidence.logical_writes(document))
        on_log = _last_on_log(document)
        gone = states[-1].status == NOT_FOUND
        chunks = [read for read in final if read.kind == "chunks" and read.outcome == "ok"]
        tokens = {sighting.token for read in chunks[-1:] for sighting in read.seen if sighting.token}
        shown = "" if gone else next(iter(tokens), states[-1].state)
        records: list[HistoryRecord] = [*document.writes[-RELATED_MAX:], *states[-1:], *chunks[-1:], *document.submitted[-RELATED_MAX:]]
        if shown not in admissible:
            expected = " or ".join(sorted(each or "deleted" for each in admissible))
            yield document.name, f"at the end it shows {shown or 'nothing'} instead of {expected}", records
        elif shown != on_log:
            yield (
                document.name,
                f"at the end it shows {shown or 'nothing'}, its last record on the log is {on_log or 'a deletion'}",
                records,
            )


def _last_on_log(document: DocumentEvidence) -> str:
    """The token of its newest record on the log; "" for a deletion, and for none."""
    return document.tokens.get(document.submitted[-1].offset, "") if document.submitted else ""


def _admissible(writes: list[LogicalWrite]) -> set[str]:
    """The tokens that a document may show at the end; "" for deleted."""
    accepted = [write for write in writes if write.outcome == "ok"]
    admissible = {write.operations[0].token for write in writes if write.outcome == "unknown"}
    if accepted:
        last = accepted[-1]
        admissible |= {write.operations[0].token for write in accepted if write.end > last.begin}
    return admissible or {""}


def _repeat_changes_nothing(evidence: RunEvidence) -> Found:
    """A repeat of an accepted write does not put its text over a later one."""
    for document in evidence.documents.values():
        accepted = [write for write in evidence.logical_writes(document) if write.outcome == "ok"]
        for index, write in enumerate(accepted):
            token = write.operations[0].token
            if not token:
                continue
            later = [each for each in accepted[index + 1 :] if each.begin > write.end]
            for version in document.versions_of(token):
                above = [each for each in later if 0 <= _version_of(document, each) < version]
                if above:
                    written = f"its text {token} came again as version {version}, over a later write that was accepted"
                    related = [each for each in document.submitted if each.offset in (*document.versions_of(token), above[0].last.version)]
                    yield document.name, written, [*write.operations, *above[0].operations, *related]


def _version_of(document: DocumentEvidence, write: LogicalWrite) -> int:
    """The lowest version that a write can have had; -1 when that is not known."""
    if write.last.version >= 0:
        return write.last.version
    token = write.operations[0].token
    return min(document.versions_of(token), default=-1) if token else -1


def _progress_is_the_newest(evidence: RunEvidence) -> Found:
    """What compaction keeps of a document's progress is its newest version, in the state that it reached."""
    for document in evidence.documents.values():
        if not document.progressed:
            continue
        newest = max(record.data["version"] for record in document.progressed)
        last = document.progressed[-1].data["version"]
        if last < newest:
            told = [each for each in document.progressed if each.data["version"] in (last, newest)]
            yield document.name, f"the last progress is of version {last}, that of {newest} was before", told


def _tenants_are_walls(evidence: RunEvidence) -> Found:
    words = _tenants_of_words(evidence)
    for operation in evidence.history.operations:
        foreign = [each.token for each in operation.seen if each.token and each.token.split("-")[1] != operation.tenant]
        if foreign:
            yield operation.client, f"a client of {operation.tenant} was shown {foreign}", [operation]
        if operation.kind == "trespass" and operation.outcome == "ok":
            yield operation.client, f"a client of {operation.tenant} could read what belongs to another tenant", [operation]
    for reply in evidence.replies.values():
        tenants = {ask.tenant for ask in reply.asks}
        for frame in reply.end_frames:
            foreign = [token for token in tokens_in(str(frame.data.get("text", ""))) if tenants and token.split("-")[1] not in tenants]
            if foreign:
                yield reply.id, f"an answer for {sorted(tenants)} shows {foreign}", [*reply.asks, frame]
    for record in evidence.topic("chats.grounded", "chats.answered", "messages.changed"):
        tenant = (record.value or {}).get("tenant")
        foreign = [token for token in tokens_in(str(record.value)) if tenant not in words.get(token.split("-")[1], {tenant})]
        if foreign:
            yield f"{record.topic} {record.partition}.{record.offset}", f"an event of tenant {tenant} has {foreign}", [record]


def _tenants_of_words(evidence: RunEvidence) -> dict[str, set[str]]:
    """The tenants whose submissions have the word of a tenant."""
    words: dict[str, set[str]] = {}
    for document in evidence.documents.values():
        for write in document.writes:
            if write.kind in SUBMISSIONS and write.token:
                for record in document.submitted:
                    words.setdefault(write.tenant, set()).add(str((record.value or {}).get("tenant")))
    return words


PROMISES = (
    Promise("write_on_log", "A write of a document that was accepted is on the log.", _write_is_on_the_log),
    Promise("deleted_is_gone", "A deleted document answers nobody once its deletion is acknowledged.", _deleted_is_gone),
    Promise("versions_go_up", "Readers never see an older version after a newer one.", _versions_go_up),
    Promise("whole_document", "Readers see whole documents, each with the text of its version.", _whole_document),
    Promise("indexed_is_found", "A document that is searchable is found.", _indexed_is_found),
    Promise("last_write_stays", "At the end a document is as its last accepted write left it.", _last_write_stays),
    Promise("repeat_harmless", "A repeat of an accepted write does not undo a later one.", _repeat_changes_nothing),
    Promise("progress_newest", "What compaction keeps of a document's progress is its newest version.", _progress_is_the_newest),
    Promise("tenant_wall", "Nobody is shown what belongs to another tenant.", _tenants_are_walls),
)
