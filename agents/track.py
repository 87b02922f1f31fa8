"""what begins tasks: chats.asked, chats.grounded, indexes.changed, mails.requested -> track -> the table of tasks

Tasks are what events say of them (``domain/tasks/steps.py``). Those of topics with a record are put by ``project``, and those of
submissions by ``route``, which read them anyway; the deltas of an answer are never read, nor the texts of questions and passages, and
nothing is published: a task costs one round trip of Redis for a batch of events.
"""

from collections.abc import Sequence
from typing import Any

from domain import composition
from domain.areas import RECORDS
from domain.chats.topics import CHATS_ASKED, CHATS_GROUNDED
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.tasks.area import SOURCES
from domain.tasks.settings import TaskSettings
from domain.tasks.steps import ChatAskedPart, ChatGroundedPart, steps_of
from domain.tasks.table import TaskTable
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts

NAME, WORKER_GROUP = "track", "tables"
PARTS = {CHATS_ASKED: ChatAskedPart, CHATS_GROUNDED: ChatGroundedPart}
READS = tuple(topic for topic in SOURCES if topic not in {DOCUMENTS_SUBMITTED, *(record.topic for record in RECORDS)})


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, unless tasks are not tracked."""
    return (agent(ports.get(composition.task_table)),) if ports.settings.of(TaskSettings).tracked else ()


def agent(table: TaskTable) -> Agent:
    """In any order: the table keeps what is newer by the log."""

    async def step(event: Any, context: Context) -> Sequence[Outgoing]:
        await step_many([(event, context)])
        return []

    async def step_many(events: Sequence[tuple[Any, Context]]) -> Sequence[Sequence[Outgoing]]:
        puts = [put for event, context in events for put in steps_of(event, context.place)]
        if puts:
            await table.put_many(puts, events[0][1].clock.now())
        return [()] * len(events)

    return Agent(name=NAME, reads=READS, step=step, step_many=step_many, together_max=256, by_turns=False, parts=PARTS)
