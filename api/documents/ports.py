"""What the routes of documents use."""

from dataclasses import dataclass

from adapters.blobs import BlobStore
from api.area import Opening
from api.chats.estimates import Estimates
from api.chats.ports import ChatPorts
from api.core import Core
from api.documents.watch import watch_progress
from api.http.open_count import AccountCount
from api.http.ports import HttpPorts
from api.http.watch import TopicWatch
from domain.documents.requests import SubmissionRequests
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.tasks.settings import TaskSettings
from domain.tasks.table import TaskTable
from schemas.documents import Progress
from streams.log.range_reader import RangeReader, RangeSource


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPorts:
    """``submissions`` reads ``claw.documents.submitted.v1`` again; ``requests`` are those that submitted documents; ``uploads`` counts
    those under way.
    """

    core: Core
    http: HttpPorts
    estimates: Estimates
    blobs: BlobStore
    submissions: RangeSource
    requests: SubmissionRequests
    progress: TopicWatch[Progress]
    uploads: AccountCount
    tasks: TaskTable


def open_ports(opening: Opening) -> DocumentPorts:
    """Built from the core; the estimates are those of the chats area, which read the same reports."""
    core, kafka = opening.core, opening.core.settings.kafka
    progress, blobs = watch_progress(kafka), BlobStore(core.settings)
    opening.stop_with(progress.stop)
    opening.run(blobs)
    return DocumentPorts(
        core=core,
        http=opening.ports(HttpPorts),
        estimates=opening.ports(ChatPorts).estimates,
        blobs=blobs,
        submissions=RangeReader(kafka, DOCUMENTS_SUBMITTED),
        requests=SubmissionRequests(core.redis, core.settings.redis.key_prefix, core.settings.documents.requests_max),
        progress=progress,
        uploads=AccountCount(),
        tasks=TaskTable(core.redis, core.settings.redis.key_prefix, core.settings.of(TaskSettings)),
    )
