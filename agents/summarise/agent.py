"""digests.asked -> digest -> messages.changed, conversations.changed, usage.recorded

Summarises the older turns of a branch, onto the answer at its end, and writes a better title than the rule's. It is not awaited: the next
question uses the summary when it is there, and until then the turns themselves. Without a language model a rule makes the summary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import structlog

from adapters.models.port import Completion, Writer
from agents.summarise import extract, prompts
from domain import composition
from domain.chats.history import HistoryBudget, count_to_summarise, split_summary, truncate
from domain.chats.titles import may_improve_title
from domain.chats.topics import CONVERSATIONS_CHANGED, DIGESTS_ASKED, MESSAGES_CHANGED
from domain.read_models import ReadModels
from domain.usage.topics import USAGE_RECORDED
from schemas.chats import Consumption, Message, MessageChanged, Purpose, UsageRecorded
from schemas.errors import Refused, Unavailable
from schemas.records import ConversationChanged
from schemas.summaries import DigestAsked
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.tables.record_writer import RecordWriter

NAME, WORKER_GROUP = "digest", "chat"
IN_FLIGHT_MAX = 8  # per partition: short calls beside the answers that people wait for
WRITE_S_MAX = 20.0  # a summary that takes longer is made by rule; the branch asks again when it has grown

log = structlog.get_logger(__name__)


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, with the writer that it shares."""
    views, budget = ports.get(composition.read_models), HistoryBudget.from_limits(ports.settings.limits)
    return (Summariser(ports.get(composition.writer), budget, views, ports.get(composition.record_writer)).agent(),)


@dataclass(frozen=True, slots=True)
class Summariser:
    """The agent's ports. ``writer`` None: no language model is configured."""

    writer: Writer | None
    budget: HistoryBudget
    views: ReadModels
    records: RecordWriter

    def agent(self) -> Agent:
        """Summaries of one conversation are written one after another."""
        return Agent(name=NAME, reads=(DIGESTS_ASKED,), step=self.step, in_flight_max=IN_FLIGHT_MAX)

    async def step(self, event: DigestAsked, context: Context) -> Sequence[Outgoing]:
        """The summary and title that are still missing, with their usage."""
        answer = await self.views.messages.get(f"{event.tenant}/{event.data.conversation_id}", event.data.message_id)
        if answer is None:  # deleted, or not to be read yet: the next answer asks again
            return []
        if event.data.summary and not answer.summary:
            await self.summarise(event, answer, context)
        return await self.write_title(event, answer, context) if event.data.title else []

    async def summarise(self, event: DigestAsked, answer: Message, context: Context) -> None:
        """The answer's record again, with the summary of the turns before the newest."""
        known = await self.views.messages.get_many(f"{event.tenant}/{answer.conversation_id}", answer.ancestors)
        before, rest = split_summary([*(known[each] for each in answer.ancestors if each in known), answer])
        turns = [turn for _, turn in rest]
        covered = count_to_summarise(turns, self.budget)
        if covered == 0:
            return
        written = await self.write(*prompts.summary_prompt(before, turns[:covered]), tokens_max=self.budget.summary)
        summary = truncate(written.text.strip(), self.budget.summary * 4, self.budget.summary) if written else ""
        summary = summary or extract.extract_summary(before, turns[:covered], self.budget.summary)
        changed = msgspec.structs.replace(answer, summary=summary, summarised=rest[covered - 1][0])
        republished = MessageChanged.from_cause(event, NAME, subject=answer.id, data=changed, now=context.clock.now())
        partition = context.publisher.partition_for(MESSAGES_CHANGED, answer.conversation_id)
        outgoing = [*self.usage_events(event, context, written, "summary"), Outgoing(MESSAGES_CHANGED, republished, partition=partition)]
        await self.views.apply(republished, (await context.publisher.publish_all(outgoing))[-1])

    async def write_title(self, event: DigestAsked, answer: Message, context: Context) -> list[Outgoing]:
        """A title by the model, unless the user has set one, before or meanwhile; then only the usage is published."""
        scope, conversation_id = f"{event.tenant}/{answer.user_id}", answer.conversation_id
        question = await self.views.messages.get(f"{event.tenant}/{conversation_id}", answer.parent_id)
        found = await self.views.conversations.get(scope, conversation_id)
        if question is None or found is None or not may_improve_title(found):
            return []
        written = await self.write(*prompts.title_prompt(question.content, answer.content), tokens_max=prompts.TITLE_TOKENS_MAX)
        title, cost = prompts.parse_title(written.text) if written else "", self.usage_events(event, context, written, "title")
        async with self.records.lease(f"conversation/{conversation_id}"):
            present = await self.views.conversations.get(scope, conversation_id)
            if title and present is not None and may_improve_title(present):
                named = msgspec.structs.replace(present, title=title, titled_by="model", revision=present.revision + 1)
                changed = ConversationChanged.from_cause(event, NAME, data=named, now=context.clock.now())
                await self.records.change(*cost, Outgoing(CONVERSATIONS_CHANGED, changed))
                return []
        return cost

    async def write(self, instructions: str, text: str, *, tokens_max: int) -> Completion | None:
        """The model's text; None without a model, and when it fails: there is no second call."""
        if self.writer is None:
            return None
        try:
            return await self.writer.write(instructions, text, max_tokens=tokens_max, timeout_s=WRITE_S_MAX)
        except (Refused, Unavailable) as error:
            log.info("summary_failed", cause=str(error), code=error.code)
            return None

    def usage_events(self, event: DigestAsked, context: Context, written: Completion | None, purpose: Purpose) -> list[Outgoing]:
        """Usage, once per reply and purpose."""
        if written is None or self.writer is None:
            return []
        request, usage = event.data, written.usage
        data = Consumption.of(
            usage,
            user_id=request.user_id,
            conversation_id=request.conversation_id,
            reply_id=request.message_id,
            model=written.model or self.writer.name,
            provider=written.provider,
            cost_micros=written.cost_micros,
            purpose=purpose,
        )
        recorded = UsageRecorded.from_cause(event, f"{NAME}:{purpose}", subject=request.user_id, data=data, now=context.clock.now())
        return [Outgoing(USAGE_RECORDED, recorded)]
