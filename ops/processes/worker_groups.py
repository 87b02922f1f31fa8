"""Worker groups: which agents share a process, and how often they read.

Agents are grouped by what they wait for, because a slow agent delays its neighbours: ``knowledge`` waits for the index (with the embedded
engine there is one such worker), ``chat`` for the model and the mail server, ``documents`` for CPU in child processes, for web pages and
for receivers of webhooks, ``tables`` for Redis.
An agent says its group itself (``WORKER_GROUP``); a new agent is its module and one line in ``AGENTS``.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from adapters.models import metrics
from agents import (
    count_decisions,
    count_statistics,
    count_usage,
    deliver,
    dispatch,
    embed,
    erase,
    generate,
    index,
    ingest,
    notify,
    parse,
    project,
    query,
    retrieve,
    run_jobs,
    schedule,
    send_mail,
    summarise,
    track,
)
from domain import composition
from domain.areas import TOPICS
from domain.chats.topics import CHATS_ASKED, CHATS_GROUNDED, MESSAGES_CHANGED
from domain.documents.reconciler import Reconciler
from domain.documents.records import DOCUMENTS
from domain.indexes.reindexer import reindexer
from domain.limits.topics import LIMITS_DECIDED
from domain.table_rebuild import SetbackCheck, TableRebuilder
from domain.usage.topics import USAGE_RECORDED
from schemas.documents import DocumentQueue, DocumentSubmitted, Progress
from schemas.errors import ConfigurationError
from streams.lifecycle import LifecycleStack
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent
from streams.runtime.agent_ports import AgentPorts
from streams.runtime.worker_group import WorkerGroup
from streams.topics import Topic

KNOWLEDGE_POLL_MAX = 32  # people's questions come between the machines' documents
TABLES_PACE_S = 0.01  # a document's state may be watched; a delete waits for its own answer
CHAT_TABLES_PACE_S = 0.1  # not awaited: a message was written through, and what was spent or refused is only counted


class AgentModule(Protocol):
    """A module of ``agents``: the name of its worker group, and its agents."""

    WORKER_GROUP: str

    def build(self, ports: AgentPorts, /) -> Sequence[Agent]: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a group reads (see ``WorkerGroup``), and its background services, attached to the ports: ``first`` are built, and started,
    before its agents, ``services`` after them.
    """

    pace_s: float = 0.0
    poll_max: int = 500
    unhurried: tuple[Topic, ...] = ()
    first: tuple[Callable[[AgentPorts], object], ...] = ()
    services: tuple[Callable[[AgentPorts], object], ...] = ()


def build_reindexer(ports: AgentPorts) -> None:
    """Drives the builds of indexes."""
    catalogue, tables = ports.get(composition.collection_catalogue), ports.get(composition.read_models)
    ports.attach(reindexer(ports.settings, ports.redis, catalogue, tables, TOPICS))


def build_outdated_indexes(ports: AgentPorts) -> None:
    """Finds collections in indexes of earlier releases and settings, before the first question."""
    ports.get(composition.outdated_indexes)


def build_second_vectors(ports: AgentPorts) -> None:
    """Computes second vectors, where an encoder is set."""
    if ports.settings.retrieval.encoder:
        ports.get(composition.second_vectors)


def build_reconciler(ports: AgentPorts) -> None:
    """Requeues stalled documents, by the same rules as the dispatch agent."""
    step = ports.get(dispatch.create_dispatch)

    async def requeue(event: DocumentSubmitted, version: int, queue: DocumentQueue, again: int, retries: int) -> Sequence[Outgoing]:
        return await step.requeue(event, version, queue, again, ports.clock.now(), retries=retries)

    documents, visibility = ports.get(composition.open_documents), ports.get(composition.visibility)
    core = (ports.redis, ports.publisher, ports.clock)
    rows = ports.get(composition.read_models).of(DOCUMENTS)

    async def progress_of(key: str) -> Progress | None:
        scope, _, document_id = key.rpartition("/")
        return await rows.get(scope, document_id)

    ports.attach(
        Reconciler(ports.settings, documents, visibility, *core, requeue, progress_of, worker=secrets.token_hex(8), registry=ports.registry)
    )


def build_setback_check(ports: AgentPorts) -> None:
    """Finds a Redis that went back in time, before the counters have caught up."""
    ports.attach(SetbackCheck(ports.settings, ports.get(composition.table_watch)))


def build_table_rebuilder(ports: AgentPorts) -> None:
    """Rebuilds the tables when Redis has lost them, where the settings allow it."""
    if ports.settings.redis.rebuild == "auto":
        ports.attach(TableRebuilder(ports.settings, ports.get(composition.table_watch), ports.get(composition.logged_epoch)))


AGENTS: tuple[AgentModule, ...] = (
    retrieve,
    query,
    index,
    generate,
    summarise,
    parse,
    embed,
    ingest,
    dispatch,
    project,
    track,
    count_usage,
    count_decisions,
    count_statistics,
    deliver,
    notify,
    send_mail,
    schedule,
    run_jobs,
    erase,
)

GROUPS: Mapping[str, Pace] = {
    "knowledge": Pace(poll_max=KNOWLEDGE_POLL_MAX, services=(build_outdated_indexes, build_second_vectors)),
    "chat": Pace(),
    "documents": Pace(),
    "tables": Pace(
        pace_s=TABLES_PACE_S,
        unhurried=(CHATS_ASKED, CHATS_GROUNDED, MESSAGES_CHANGED, USAGE_RECORDED, LIMITS_DECIDED),
        first=(build_setback_check,),
        services=(build_reindexer, build_reconciler, build_table_rebuilder),
    ),
}


def build_worker_group(name: str, ports: AgentPorts) -> WorkerGroup:
    """The worker group of this name; raises ConfigurationError for one that does not exist."""
    if name not in GROUPS:
        raise ConfigurationError(f"there is no lane {name!r}: the lanes are {', '.join(GROUPS)}")
    pace = GROUPS[name]
    ports.get(composition.table_watch)
    for build_service in pace.first:
        build_service(ports)
    agents = tuple(agent for module in AGENTS if name == module.WORKER_GROUP for agent in module.build(ports))
    for build_service in pace.services:
        build_service(ports)
    parts = LifecycleStack(ports.lifecycles)
    paces = pace.pace_s, pace.poll_max, pace.unhurried, CHAT_TABLES_PACE_S
    return WorkerGroup(name, agents, parts.start, parts.stop, *paces, failing=metrics.list_failing)
