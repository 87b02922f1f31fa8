"""documents.submitted -> route -> documents.queued.{express,bulk,slow}, documents.embedded (removals), documents.progressed,
    documents.requested, documents.versions

Two inbox records of one document under different keys may arrive in either order. The older one of them changes nothing: its sender is
told, and what the document was before is published again, so that compaction keeps that and not what came late.

A submission that is read again after its document has gone on (a newer version, or this one is searchable already) is not queued again: its
work would come behind that of the newer version.

The file of a version that readers see is kept for a while when another replaces it; which versions are kept is published with the
submission that changes it.

What an event says of tasks goes into the table of tasks here, so that it is read once.

The offset of a submission becomes its version. A withdrawal hides the document at once, in the visibility record; its points are removed
afterwards. A submission with unchanged content is detected and skipped. Documents of upstream systems, and of tenants with many in
progress, go to the bulk lane so that people do not wait for them; what exceeds a tenant's share of it goes to the slow queue.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import structlog

from domain import composition
from domain.documents.content_hash import content_hash_of, is_unchanged
from domain.documents.lanes import LaneRequest, Lanes
from domain.documents.progress import deletion, dispatch_failure, lane_of, order_detail, progress_event, refusal_event, work_progress
from domain.documents.record_keys import alias_event
from domain.documents.requests import SubmissionRequests, request_of
from domain.documents.sources import blob_path
from domain.documents.submissions import SubmissionLog
from domain.documents.topics import (
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_REQUESTED,
    DOCUMENTS_SUBMITTED,
    DOCUMENTS_VERSIONS,
    QUEUE_TOPICS,
)
from domain.documents.versions import describe_file, describe_kept
from domain.documents.visibility import NO_VERSION, NewVersion, PriorState, Visibility
from domain.indexes.catalogue import IndexPlans
from domain.tasks.settings import TaskSettings
from domain.tasks.steps import steps_of
from domain.tasks.table import TaskTable
from schemas import ids
from schemas.documents import (
    DocumentQueue,
    DocumentQueued,
    DocumentRemovalRequested,
    DocumentRequested,
    DocumentRequests,
    DocumentSubmitted,
    DocumentVersionsKept,
    DocumentWithdrawn,
    InboxRecord,
    KeptVersion,
    Removal,
    SubmissionRequest,
    Submitted,
    Withdrawal,
    Work,
)
from schemas.errors import Problem, Refused
from schemas.indexes import IndexPlan
from schemas.settings import RetrievalSettings
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts

NAME, WORKER_GROUP = "route", "tables"
REMOVAL, TIDYING = "route:removal", "route:tidying"  # one submission may ask for both: their ids must differ
RESTORATION, REQUESTED, VERSIONS = "route:restoration", "route:requested", "route:versions"

log = structlog.get_logger(__name__)


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent."""
    return (ports.get(create_dispatch).agent(),)


def create_dispatch(ports: AgentPorts) -> "Dispatch":
    """Its step, which also requeues what the reconciler finds."""
    visibility, lanes = ports.get(composition.visibility), ports.get(composition.lanes)
    catalogue, requests = ports.get(composition.collection_catalogue), ports.get(composition.submission_requests)
    submissions = SubmissionLog(ports.settings.kafka)
    kept = ports.settings.documents.versions_kept
    tasks = ports.get(composition.task_table) if ports.settings.of(TaskSettings).tracked else None
    return Dispatch(visibility, lanes, catalogue, ports.settings.retrieval, blob_path, submissions.read, requests, kept, tasks)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The agent's ports. ``file_of(event, version)`` is the path of the file behind a submission, "" when it has none;
    ``read_version(partition, version)`` reads one from the log again; ``versions_kept`` replaced versions of a document keep their file;
    ``tasks`` is None where they are not tracked.
    """

    visibility: Visibility
    lanes: Lanes
    plans: IndexPlans
    retrieval: RetrievalSettings
    file_of: Callable[[DocumentSubmitted, int], str]
    read_version: Callable[[int, int], Awaitable[Submitted | None]]
    requests: SubmissionRequests
    versions_kept: int
    tasks: TaskTable | None = None

    def agent(self) -> Agent:
        """One to three Redis round trips for a batch of submissions."""
        return Agent(
            name=NAME, reads=(DOCUMENTS_SUBMITTED,), step=self.step, failed=self.report_failure, step_many=self.step_many, together_max=256
        )

    async def step(self, event: Submitted, context: Context) -> Sequence[Outgoing]:
        """Withdraw, report as unchanged, or queue."""
        (outgoing,) = await self.step_many([(event, context)])
        return outgoing

    async def withdraw(self, event: DocumentWithdrawn, context: Context) -> Sequence[Outgoing]:
        """Hide the document, and have its points and files removed."""
        gone = await self.visibility.record_withdrawal(event.subject, context.place.offset, event.data.record)
        if gone is None:
            return await self.restore(event, context)
        kept = [versions_event(event, (), "", context)] if gone.is_kept_changed else []
        return [*withdrawal_events(event, context.place.offset, gone.orphans, context), *kept]

    async def step_many(self, events: Sequence[tuple[Submitted, Context]]) -> Sequence[Sequence[Outgoing]]:
        """Submissions share a round trip, and what begins the tasks of all events comes with it."""
        submissions = [(event, context) for event, context in events if isinstance(event, DocumentSubmitted)]
        hashes = [self.content_hash(event) for event, _ in submissions]
        versions = [self.new_version(event, at.place.offset, known) for (event, at), known in zip(submissions, hashes, strict=True)]
        befores, _ = await asyncio.gather(
            self.visibility.record_submissions(versions, versions_kept=self.versions_kept), self._open_tasks(events)
        )
        submitted = [
            (self.compare(event, known, before, context), context)
            for (event, context), known, before in zip(submissions, hashes, befores, strict=True)
            if not before.is_superseded
        ]
        changed = [one for one, _ in submitted if not (one.is_unchanged or one.is_obsolete)]
        requests = [LaneRequest(one.event.tenant, one.event.subject, one.version, one.event.data.origin == "api") for one in changed]
        queues = dict(zip(map(id, changed), await self.lanes.enter_many(requests), strict=True))
        for one, _ in submitted:
            if one.is_obsolete:
                await self.lanes.leave_all(one.event.tenant, one.event.subject, one.version)
        requested = await self._record_requests([(one.event, context) for one, context in submitted])
        queued: dict[int, Sequence[Outgoing]] = {
            id(one.event): [
                *requested.get(id(one.event), ()),
                *self._versions_events(one, context),
                *submission_events(one, queues.get(id(one)), context),
            ]
            for one, context in submitted
        }
        for (event, context), before in zip(submissions, befores, strict=True):
            if before.is_superseded:
                queued[id(event)] = await self.restore(event, context)
        return [
            await self.withdraw(event, context) if isinstance(event, DocumentWithdrawn) else queued[id(event)] for event, context in events
        ]

    async def _open_tasks(self, events: Sequence[tuple[Submitted, Context]]) -> None:
        if self.tasks is not None:
            puts = [put for event, context in events for put in steps_of(event, context.place)]
            await self.tasks.put_many(puts, events[0][1].clock.now())

    async def restore(self, event: Submitted, context: Context) -> Sequence[Outgoing]:
        """What the document was before this event, again: its inbox record is older than the document's newest one."""
        state = (await self.visibility.version_states((event.subject,)))[event.subject]
        newest = (await self.visibility.newest_records((event.subject,)))[event.subject]
        present = await self.read_version(context.place.partition, max(state.latest, state.deleted))
        if present is None and state.deleted >= state.latest:
            base, document_id = event.data.knowledge_base_id, event.data.document_id
            data = Withdrawal(knowledge_base_id=base, document_id=document_id, origin="inbox", record=newest)
            present = DocumentWithdrawn.from_cause(event, RESTORATION, data=data, now=context.clock.now())
        if present is None:  # compaction has left nothing but this one
            log.warning("record_order_ignored", document=event.subject, version=context.place.offset)
            return await self.step(msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, record=None)), context)
        return restoration_events(event, present, newest, context)

    def new_version(self, event: DocumentSubmitted, version: int, content_hash: str) -> NewVersion:
        """What the visibility record has to know of a submission."""
        document, path = event.data, self.file_of(event, version)
        known = "" if document.force else content_hash
        return NewVersion(event.subject, version, path, document.record, known, describe_file(event, version, path))

    def _versions_events(self, submission: "_Submission", context: Context) -> list[Outgoing]:
        """The kept versions, if this submission has changed them; a repeat publishes the same."""
        before, event = submission.before, submission.event
        path = self.file_of(event, submission.version)
        return [versions_event(event, before.kept, path, context)] if before.is_kept_changed else []

    async def _record_requests(self, submissions: Sequence[tuple[DocumentSubmitted, Context]]) -> dict[int, list[Outgoing]]:
        """The events of those submissions that came with an ``Idempotency-Key``, by the identity of the submission."""
        found = [(event, context, request_of(event, context.place.offset)) for event, context in submissions]
        keyed = [(event, context, request) for event, context, request in found if request is not None]
        if not keyed:
            return {}
        kept = await self.requests.record_many([(event.subject, [request]) for event, _, request in keyed])
        return {id(event): [requested_event(event, some, context)] for (event, context, _), some in zip(keyed, kept, strict=True)}

    def content_hash(self, event: DocumentSubmitted) -> str:
        """The content hash for the visible collection; "" for a page that was not fetched yet."""
        return content_hash_of(event.data, self.plans.plan(event.tenant, event.data.knowledge_base_id).active, self.retrieval)

    def compare(self, event: DocumentSubmitted, content_hash: str, before: PriorState, context: Context) -> "_Submission":
        """The submission beside what is known of its document."""
        document, version = event.data, context.place.offset
        plan = self.plans.plan(event.tenant, document.knowledge_base_id)
        return _Submission(event, version, before, plan, content_hash, is_unchanged(document, content_hash, before, version))

    async def requeue(
        self, event: DocumentSubmitted, version: int, queue: DocumentQueue, again: int, now: datetime, *, retries: int = 0
    ) -> list[Outgoing]:
        """The work of a version once more, the ``again``-th time, because it stalled or was to be retried."""
        plan, content_hash = self.plans.plan(event.tenant, event.data.knowledge_base_id), self.content_hash(event)
        before = await self.visibility.prior_state(event.subject)
        return work_events(event, version, queue, plan, now, content_hash=content_hash, before=before, again=again, retries=retries)

    async def report_failure(self, event: Submitted, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """The cause, as the document's progress."""
        progress = dispatch_failure(event, context.place.offset, problem)
        return [progress_event(event, NAME, progress, context.clock.now(), ordinal=9)]


@dataclass(frozen=True, slots=True)
class _Submission:
    """One submission, and whether it changes anything."""

    event: DocumentSubmitted
    version: int
    before: PriorState
    plan: IndexPlan
    content_hash: str
    is_unchanged: bool

    @property
    def is_obsolete(self) -> bool:
        """Whether it was read before, and nothing is left to do: its work was done, or would be dropped.

        Of a version that is visible the work for every collection is on the log: that for the visible one is the last.
        """
        state = self.before.state
        return state.supersedes(self.version) or state.visible >= self.version


def submission_events(submission: _Submission, queue: DocumentQueue | None, context: Context) -> list[Outgoing]:
    """The events of one submission; ``queue`` is None for one that changes nothing."""
    event, before, version = submission.event, submission.before, submission.version
    tidying = removal_events(event, NO_VERSION, before.orphans, context, TIDYING) if before.orphans else []
    if submission.is_obsolete:
        return tidying
    if queue is None:
        return [*tidying, no_change_event(event, version, before, context)]
    now, plan, content_hash = context.clock.now(), submission.plan, submission.content_hash
    return [*tidying, *work_events(event, version, queue, plan, now, content_hash=content_hash, before=before)]


def requested_event(event: DocumentSubmitted, requests: tuple[SubmissionRequest, ...], context: Context) -> Outgoing:
    """The requests by which late repeats are recognised, for whoever restores them."""
    data = DocumentRequests(knowledge_base_id=event.data.knowledge_base_id, document_id=event.data.document_id, requests=requests)
    requested = DocumentRequested.from_cause(event, REQUESTED, data=data, now=context.clock.now())
    return Outgoing(DOCUMENTS_REQUESTED, requested.with_data_id())


def versions_event(event: Submitted, kept: Sequence[KeptVersion], path: str, context: Context) -> Outgoing:
    """The replaced versions whose files are kept; ``path`` is that of the file of ``event``."""
    data = describe_kept(event.data, context.place.offset, kept, path)
    return Outgoing(DOCUMENTS_VERSIONS, DocumentVersionsKept.from_cause(event, VERSIONS, data=data, now=context.clock.now()).with_data_id())


def no_change_event(event: DocumentSubmitted, version: int, before: PriorState, context: Context) -> Outgoing:
    """The progress of a submission that changes nothing."""
    work = Work(version=version, lane="express", task_id=ids.task_id(event.id), document=event.data, visible=visible_version(before))
    progress = work_progress(work, "unchanged", chunks=before.chunks, done=before.chunks)
    return progress_event(event, NAME, progress, context.clock.now())


def visible_version(before: PriorState) -> int:
    """The visible version, -1 for none."""
    return NO_VERSION if before.state.visible_version is None else before.state.visible_version


def work_events(
    event: DocumentSubmitted,
    version: int,
    queue: DocumentQueue,
    plan: IndexPlan,
    now: datetime,
    *,
    content_hash: str,
    before: PriorState,
    again: int = 0,
    retries: int = 0,
) -> list[Outgoing]:
    """The work for every collection, and the progress that it is queued. ``again`` counts how often it was requeued before.

    The visible collection comes last: a document's events are handled in order, so when its points are stored, so are the others'.
    """
    work = Work(
        version=version,
        lane=lane_of(queue),
        slow=queue == "slow",
        task_id=ids.task_id(event.id),
        document=event.data,
        content_hash=content_hash,
        earlier=before.state.latest != NO_VERSION,
        visible=visible_version(before),
        retries=retries,
    )
    outgoing = [progress_event(event, NAME, work_progress(work, "queued"), now, ordinal=again)]
    for ordinal, shelf in enumerate(reversed(plan.collections)):
        work = msgspec.structs.replace(work, shelf=shelf, quiet=shelf.generation != plan.active.generation)
        queued = DocumentQueued.from_cause(event, NAME, data=work, now=now, ordinal=2 * again + ordinal)
        # what a repeat may find changed; the version, too, because one event may lie at two offsets
        known = f"{version} {queue} {content_hash} {work.earlier} {work.visible}".encode()
        outgoing.insert(1, Outgoing(QUEUE_TOPICS[queue], queued.with_content_id(known)))
    return outgoing


def restoration_events(event: Submitted, present: Submitted, newest: InboxRecord, context: Context) -> list[Outgoing]:
    """``present`` on the log again, behind ``event``, and the refusal of ``event``: ``newest`` is newer."""
    again = type(present).from_cause(event, RESTORATION, data=present.data, now=context.clock.now()).with_data_id()
    outgoing = [Outgoing(DOCUMENTS_SUBMITTED, again)]
    if isinstance(again, DocumentSubmitted) and again.data.record is not None:
        outgoing.append(alias_event(again, NAME, again.data, again.data.record.key_sha256))
    problem = Refused("record_superseded", order_detail(newest)).problem()
    base, document_id, now = event.data.knowledge_base_id, event.data.document_id, context.clock.now()
    return [*outgoing, refusal_event(event, NAME, base, document_id, problem, context.publisher, now)]


def withdrawal_events(event: DocumentWithdrawn, version: int, orphans: tuple[str, ...], context: Context) -> list[Outgoing]:
    """The progress of the deletion, and the request to remove points and files."""
    progress = progress_event(event, NAME, deletion(event, version), context.clock.now())
    return [progress, *removal_events(event, version, orphans, context, REMOVAL)]


def removal_events(event: Submitted, version: int, orphans: tuple[str, ...], context: Context, name: str) -> list[Outgoing]:
    """The request to remove points up to a version, and files. One event may lie at two offsets, which are two versions."""
    data = event.data
    gone = Removal(knowledge_base_id=data.knowledge_base_id, document_id=data.document_id, version=version, blobs=orphans)
    removal = DocumentRemovalRequested.from_cause(event, name, data=gone, now=context.clock.now())
    return [Outgoing(DOCUMENTS_EMBEDDED, removal.with_data_id())]
