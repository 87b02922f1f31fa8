"""Requests for summaries and titles of conversations: pure functions; the events carry no text."""

from adapters.models.dialogue.follow_ups import drop_pleasantries
from domain.chats.history import HistoryBudget, needs_summary
from domain.chats.topics import DIGESTS_ASKED
from schemas.chats import ChatGrounded, Message, Question, Turn
from schemas.summaries import Digest, DigestAsked
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Context


def request_summary(
    event: ChatGrounded, context: Context, message: Message, agent: str, *, budget: HistoryBudget, titles: bool
) -> list[Outgoing]:
    """A summary once the branch outgrows its share of the budget, a title after the first answer that is more than a courtesy where a model
    can write one.

    Requested again with every answer until there is one, so a failed summary is made up for.
    """
    question = event.data.question
    if question.door != "conversation" or message.state == "failed":
        return []
    turns = Turn("user", question.content), Turn("assistant", message.content)
    summary = needs_summary((*question.history, *turns), budget)
    title = titles and message.outcome != "courtesy" and _is_first(question)
    if not summary and not title:
        return []
    data = Digest(conversation_id=message.conversation_id, message_id=message.id, user_id=message.user_id, summary=summary, title=title)
    return [Outgoing(DIGESTS_ASKED, DigestAsked.from_cause(event, agent, data=data, now=context.clock.now()))]


def _is_first(question: Question) -> bool:
    """Whether nothing but greetings and the like came before."""
    return not question.ancestors or (bool(question.history) and not drop_pleasantries(question.history))
