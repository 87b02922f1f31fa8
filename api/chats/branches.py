"""The branch point of a question: the answer it continues, or the question it replaces, and the history above it.

Everything is read by id: a message carries the ids of its ancestors, so a question costs the same in a conversation of any length.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from api.chats.ports import ChatPorts
from api.http.responses import invalid_field
from domain.chats.history import BranchHistory, HistoryBudget, build_history
from schemas.chats import Message, Sampling
from schemas.errors import Refused
from schemas.records import AnswerMode

MODEL_SAMPLING = Sampling()
BELOW_MAX = 2_000  # messages that are walked down, one round trip each, to the end of a branch
NEWEST_BESIDES = 2  # listed beyond a branch's bound: the newest answer itself, and this question when it was written before


@dataclass(frozen=True, slots=True)
class AskCommand:
    """A question to ask. ``parent_id``: the answer to continue, "" for a new beginning, None for the newest answer. Instead of that
    ``edits`` names a question that this one replaces in a branch of its own, ``repeats`` a reply whose question is answered once more.
    ``mode`` None and ``model`` "": the conversation's. ``sampling`` and ``with_thinking``: how the model thinks, and whether the asker sees
    it.
    """

    content: str = ""
    parent_id: str | None = None
    edits: str = ""
    repeats: str = ""
    sampling: Sampling = MODEL_SAMPLING
    with_thinking: bool = False
    mode: AnswerMode | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class BranchPoint:
    """``again`` is the question itself when a command repeats one."""

    thread: BranchHistory
    again: Message | None = None


@dataclass(frozen=True, slots=True)
class Branches:
    """Reads the branches of one conversation. Every method raises Unavailable("redis_unavailable")."""

    ports: ChatPorts
    scope: str  # tenant/conversation

    async def find_point(self, command: AskCommand, own_id: str) -> BranchPoint:
        """The branch point. ``own_id``: the question's id, for a repeated request. Refused for a message outside the conversation."""
        if command.repeats:
            question = await self._question_of(command.repeats)
            return BranchPoint(await self._load_thread(question.ancestors), question)
        if command.edits:
            edited = await self._message(command.edits)
            if edited.role != "user":
                raise invalid_field("message_id", "is an answer: edit its question, or regenerate the answer", "the id of a question")
            return BranchPoint(await self._load_thread(edited.ancestors))
        if command.parent_id is None:
            return BranchPoint(await self._newest_thread(own_id))
        return BranchPoint(await self._thread_after(command.parent_id) if command.parent_id else BranchHistory())

    async def _newest_thread(self, own_id: str) -> BranchHistory:
        """The branch of the newest answer."""
        messages = await self._list_newest(own_id)
        if messages and messages[0].role == "user":
            # read concurrently with taking the lock: an answer that ended in between is stored now, because the lock was free
            messages = await self._list_newest(own_id)
        place = next((place for place, message in enumerate(messages) if message.role == "assistant"), None)
        if place is None:
            return BranchHistory()
        tip = messages[place]
        # messages written before branches existed form one branch, by time
        above = tip.ancestors or tuple(message.id for message in reversed(messages[place + 1 :]))
        return await self._load_thread((*above, tip.id), messages)

    async def _thread_after(self, parent_id: str) -> BranchHistory:
        found = await self.ports.core.read_models.messages.get(self.scope, parent_id)
        if found is None or found.role != "assistant":
            raise invalid_field("parent_id", "is not an answer of this conversation", "the id of an answer, or null for a new beginning")
        return await self._load_thread((*(found.ancestors or (found.parent_id,)), found.id), (found,))

    async def _load_thread(self, ids: Sequence[str], known: Sequence[Message] = ()) -> BranchHistory:
        messages = {message.id: message for message in known}
        missing = [each for each in ids if each not in messages]
        if missing and self._budget.messages:
            messages |= await self.ports.core.read_models.messages.get_many(self.scope, missing)
        return build_history(ids, messages, self._budget)

    async def _question_of(self, reply_id: str) -> Message:
        answer = await self.ports.core.read_models.messages.get(self.scope, reply_id)
        if answer is None or answer.role != "assistant":
            raise Refused("not_found", f"there is no finished reply {reply_id}")
        return await self._message(answer.parent_id)

    async def _message(self, message_id: str) -> Message:
        found = await self.ports.core.read_models.messages.get(self.scope, message_id)
        if found is None:
            raise Refused("not_found", f"there is no message {message_id}")
        return found

    async def _list_newest(self, own_id: str) -> list[Message]:
        """The newest messages, without this question itself and its answers."""
        page = await self.ports.core.read_models.messages.list(self.scope, limit=self._budget.ancestors + NEWEST_BESIDES)
        return [message for message in page.items if own_id not in {message.id, message.parent_id}]

    @property
    def _budget(self) -> HistoryBudget:
        return HistoryBudget.from_limits(self.ports.core.settings.limits)


async def read_branch(ports: ChatPorts, scope: str, start_id: str, limit: int) -> tuple[list[Message], str]:
    """At most ``limit`` messages from ``start_id`` up, the newest first, and the id to continue from ("" at the top).

    Refused("not_found") when the first does not exist. Each round trip reads the ancestors that one message lists.
    """
    found: list[Message] = []
    wanted: list[str] = [start_id]
    while wanted and len(found) < limit:
        some = wanted[: limit - len(found)]
        messages = await ports.core.read_models.messages.get_many(scope, some)
        present = [messages[each] for each in some if each in messages]
        if not present:
            break
        found += present
        last = present[-1]
        wanted = list(reversed(last.ancestors)) or ([last.parent_id] if last.parent_id else [])
    if not found:
        raise Refused("not_found", f"there is no message {start_id}")
    return found, wanted[0] if wanted else ""


async def find_branch_end(ports: ChatPorts, scope: str, start_id: str) -> str:
    """The last message below ``start_id``, following the newest message at each fork; at most ``BELOW_MAX`` messages further down."""
    end_id = start_id
    for _ in range(BELOW_MAX):
        below = (await ports.core.read_models.messages.group_members(scope, (end_id,)))[end_id]
        if not below:
            break
        end_id = below[-1]
    return end_id


async def branch_ids(ports: ChatPorts, scope: str, tip: Message, count_max: int) -> list[str]:
    """The ids of ``tip`` and its ancestors, oldest first, the newest ``count_max``; one round trip per list of ancestors."""
    ids, current = [tip.id], tip
    while len(ids) < count_max:
        above = current.ancestors or ((current.parent_id,) if current.parent_id else ())
        ids += reversed(above)
        found = await ports.core.read_models.messages.get(scope, above[0]) if above else None
        if found is None:
            break
        current = found
    return ids[:count_max][::-1]
