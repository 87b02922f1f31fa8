"""What the routes of tasks use."""

from dataclasses import dataclass

from api.area import Opening
from api.chats.ports import ChatPorts
from api.core import Core
from api.documents.ports import DocumentPorts
from api.knowledge.ports import KnowledgePorts
from api.tasks.view import TaskReader
from api.tasks.watch import TaskFeed
from domain.jobs.runner import JobWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPorts:
    """``feed`` has the changes of the tenants that somebody watches here; ``jobs`` begins and cancels jobs."""

    core: Core
    reader: TaskReader
    feed: TaskFeed
    jobs: JobWriter


def open_ports(opening: Opening) -> TaskPorts:
    """Built from the core, the estimates of chats and the reports of rebuilds."""
    core = opening.core
    reader = TaskReader(
        table=opening.ports(DocumentPorts).tasks,
        visibility=core.visibility,
        reports=opening.ports(KnowledgePorts).reindex_reports,
        estimates=opening.ports(ChatPorts).estimates,
        clock=core.clock,
    )
    feed = TaskFeed(reader)
    opening.stop_with(feed.stop)
    jobs = JobWriter(core.read_models, core.records, core.clock, core.random_bytes, "api", reader.table.show)
    return TaskPorts(core=core, reader=reader, feed=feed, jobs=jobs)
