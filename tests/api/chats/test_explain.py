"""Explain: an answer's whole story from its places on the real log, for its owner and the tenant's admins; what expired is named."""

from typing import Any

import msgspec
import pytest

from adapters.models import prompts
from adapters.models.fingerprint import hash_messages
from adapters.models.request import build_answer_request
from api.chats.ports import ChatPorts
from api.core import Core
from domain.chats.topics import CHATS_ANSWERED, CHATS_ASKED, CHATS_GROUNDED, MESSAGES_CHANGED
from schemas import ids
from schemas.chats import (
    ChatAsked,
    ChatGrounded,
    Citation,
    Completed,
    Extended,
    Grounding,
    LogPlace,
    Message,
    MessageChanged,
    Passage,
    ReplyCompleted,
    ReplyExtended,
    ReplyStarted,
    Source,
    Started,
    Turn,
    Usage,
)
from schemas.events import Event
from streams.log.outgoing import LogOffset, Outgoing
from streams.topics import Topic
from tests.support.api_people import asked, promoted, tenant_of
from tests.support.api_process import House, Person
from tests.support.problems import is_problem
from tests.support.reply_speaker import all_events

pytestmark = pytest.mark.asyncio(loop_scope="session")


def passage(marker: int, document: str, base: str) -> Passage:
    return Passage(
        marker=marker,
        chunk_id=f"chunk-{document}",
        knowledge_base_id=base,
        document_id=document,
        version=marker,
        ordinal=0,
        title=document,
        score=1.0 / marker,
        text=f"Text of {document}.",
    )


class Story:
    """The agents' part of one answer, with two attempts and a document that changed between search and answer."""

    def __init__(self, house: House, person: Person) -> None:
        self.house, self.person, self.tenant = house, person, tenant_of(person)
        self.said = 0

    async def told(self, **changes: Any) -> "Story":
        self.conversation = await self.person.conversation(system_prompt="Be short.")
        self.reply = (await asked(self.person, self.conversation))["reply_id"]
        (self.asked,) = await all_events(self.house.settings, CHATS_ASKED, self.conversation, 1)
        question = msgspec.structs.replace(self.asked.data, history=(Turn("user", "Before."), Turn("assistant", "Yes.")))
        self.asked_at = await self.publish(CHATS_ASKED, ChatAsked, question, self.conversation)
        self.grounding = Grounding(
            question=question,
            query="days of leave",
            condensed_by="rules",
            condense_ms=1.5,
            keywords=("leave",),
            passages=(passage(1, "rules", self.person.base), passage(2, "gone", self.person.base)),
            asked=LogPlace(self.asked_at.partition, self.asked_at.offset),
        )
        self.grounded_at = await self.publish(CHATS_GROUNDED, ChatGrounded, self.grounding, self.conversation)
        await self.attempted(1, "Nearly")
        await self.attempted(2, "25 days [1]", Completed(conversation_id=self.conversation, attempt=2, text="25 days [1]"))
        await self.stored(**changes)
        return self

    async def attempted(self, attempt: int, text: str, end: Completed | None = None) -> None:
        offered = self.grounding.passages[0]
        source = Source(
            marker=1, chunk_id="c", knowledge_base_id=offered.knowledge_base_id, document_id="rules", version=1, title="rules", score=1.0
        )
        started = Started(conversation_id=self.conversation, attempt=attempt, model="glm", sources=(source,))
        await self.publish(CHATS_ANSWERED, ReplyStarted, started, self.reply)
        said = Extended(conversation_id=self.conversation, attempt=attempt, seq=1, text=text)
        await self.publish(CHATS_ANSWERED, ReplyExtended, said, self.reply)
        if end is not None:
            await self.publish(CHATS_ANSWERED, ReplyCompleted, end, self.reply)

    async def stored(self, **changes: Any) -> None:
        offered = self.grounding.passages[:1]
        settings = self.house.settings
        sent = prompts.build_messages(
            build_answer_request(self.grounding.question, offered, settings.model), tokens_max=settings.prompt_tokens_max
        )
        citation = Citation(
            marker=1,
            chunk_id="chunk-rules",
            knowledge_base_id=self.person.base,
            document_id="rules",
            version=1,
            title="rules",
            quote="Text of rules.",
        )
        message = {
            "id": self.reply,
            "conversation_id": self.conversation,
            "user_id": self.person.user["id"],
            "role": "assistant",
            "content": "25 days [1]",
            "created_at": self.house.ports(Core).clock.now(),
            "attempt": 2,
            "parent_id": self.grounding.question.message_id,
            "model": "glm",
            "provider": "zhipu",
            "citations": (citation,),
            "versions": {ids.document_key(self.tenant, self.person.base, "rules"): 1},
            "usage": Usage(prompt_tokens=90, completion_tokens=4),
            "cost_micros": 12,
            "prompt_hash": hash_messages(sent),
            "timings_ms": {"total": 300.0},
            "outcome": "answered",
            "asked": LogPlace(self.asked_at.partition, self.asked_at.offset),
            "grounded": LogPlace(self.grounded_at.partition, self.grounded_at.offset),
            **changes,
        }
        event = self.event(MessageChanged, Message(**message), self.reply)
        partition = self.house.ports(Core).publisher.partition_for(MESSAGES_CHANGED, self.conversation)
        place = await self.house.ports(Core).publisher.publish(Outgoing(MESSAGES_CHANGED, event, partition=partition))
        await self.house.ports(Core).read_models.apply(event, place)

    async def publish(self, topic: Topic, kind: type[Event], data: Any, subject: str) -> LogOffset:
        partition = self.house.ports(ChatPorts).relay.partition if topic is CHATS_ANSWERED else None
        return await self.house.ports(Core).publisher.publish(Outgoing(topic, self.event(kind, data, subject), partition=partition))

    def event(self, kind: type[Event], data: Any, subject: str) -> Any:
        self.said += 1
        now = self.house.ports(Core).clock.now()
        ident = ids.derive("story", self.reply, self.said)
        trace = self.asked.traceparent
        return kind(id=ident, source="/claw/test", subject=subject, time=now, tenant=self.tenant, traceparent=trace, data=data)

    async def explained(self, person: Person | None = None) -> dict[str, Any]:
        answer = await (person or self.person).call("GET", self.path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    @property
    def path(self) -> str:
        return f"/conversations/{self.conversation}/replies/{self.reply}/explain"


async def test_the_whole_story(house: House, ada: Person) -> None:
    """Question, search, what was offered and cited, the very prompt, both attempts, the hops in order, cost, feedback, trace."""
    story = await Story(house, ada).told()
    await ada.call("POST", f"/conversations/{story.conversation}/replies/{story.reply}/feedback", json={"rating": "up"})
    body = await story.explained()
    assert body["missing"] == {}
    assert body["question"]["content"] == "How many days?"
    assert (body["question"]["system_prompt"], body["question"]["history_messages"], body["question"]["searches"]) == ("Be short.", 2, 1)
    retrieval = {"query": "days of leave", "condensed_by": "rules", "keywords": ["leave"], "problem": None}
    assert body["retrieval"] == retrieval | {"courtesy": None, "answerable": True, "reranked_by": ""}
    assert (body["question"]["mode"], body["outcome"]) == ("grounded", "answered")
    offered = [(each["document_id"], each["score"], each["text"], each["offered"], each["cited"]) for each in body["passages"]]
    assert offered == [("rules", 1.0, "Text of rules.", True, True), ("gone", 0.5, "Text of gone.", False, False)]
    prompt = body["prompt"]
    assert prompt["exact"] is True
    assert prompt["sha256"] == prompt["recorded_sha256"]
    assert [each["role"] for each in prompt["messages"]] == ["system", "user", "assistant", "user"]
    assert "Text of rules." in prompt["messages"][-1]["content"]
    assert "Text of gone." not in prompt["messages"][-1]["content"]
    assert [(each["attempt"], each["ended_as"], each["characters"]) for each in body["attempts"]] == [(1, None, 6), (2, "completed", 11)]
    names = [each["name"] for each in body["hops"]]
    assert names == ["asked", "grounded", "started", "first_text", "stored", "ended"]
    assert body["hops"][0]["ms"] == 0
    assert all(each["ms"] >= 0 for each in body["hops"])
    assert body["timings_ms"] == {"total": 300.0, "condense": 1.5}
    assert (body["provider"], body["model"], body["cost_micros"], body["attempt"]) == ("zhipu", "glm", 12, 2)
    assert body["documents"] == [{"knowledge_base_id": ada.base, "document_id": "rules", "version": 1, "visible": None}]
    assert body["citations"][0]["quote"] == "Text of rules."
    assert body["feedback"]["rating"] == "up"
    assert body["traceparent"] == story.asked.traceparent
    assert body["places"]["grounded"] == {"partition": story.grounded_at.partition, "offset": story.grounded_at.offset}


async def test_a_prompt_that_is_another_now_says_so(house: House, ada: Person) -> None:
    """It is shown as it would be sent today, and not passed off as what was."""
    story = await Story(house, ada).told(prompt_hash="0" * 64)
    prompt = (await story.explained())["prompt"]
    assert prompt["exact"] is False
    assert prompt["recorded_sha256"] == "0" * 64
    local = await Story(house, ada).told(provider="local", model="local", prompt_hash="")
    body = await local.explained()
    assert body["prompt"] is None
    assert body["missing"] == {"prompt": "no language model was asked"}


async def test_what_the_log_does_not_keep_is_named(house: House, ada: Person) -> None:
    """An offset that is not there, a record that is another's, a message without places: the rest is told all the same."""
    story = await Story(house, ada).told(asked=LogPlace(0, 1_000_000_000))
    body = await story.explained()
    assert body["missing"] == {"asked": "the log no longer keeps it"}
    assert body["question"]["content"] == "How many days?"  # the search has it, too
    other = await Story(house, ada).told(grounded=LogPlace(story.grounded_at.partition, story.grounded_at.offset))
    body = await other.explained()
    assert body["missing"]["grounded"] == "another record is at its offset"
    assert (body["passages"], body["prompt"]) == ([], None)
    assert [each["attempt"] for each in body["attempts"]] == [1, 2]
    bare = await Story(house, ada).told(asked=None, grounded=None)
    body = await bare.explained()
    assert body["missing"]["asked"] == body["missing"]["grounded"] == "the message does not have its offset"
    assert body["text"] == "25 days [1]"


async def test_without_redis_memory_of_where_it_was_told(house: House, ada: Person) -> None:
    """The question's own time and partition lead to what was said."""
    story = await Story(house, ada).told()
    await house.ports(Core).redis.delete(house.ports(ChatPorts).reply_locks._location_key(story.tenant, story.reply))
    body = await story.explained()
    assert body["missing"] == {}
    assert [each["attempt"] for each in body["attempts"]] == [1, 2]


async def test_who_may_see_it(house: House, ada: Person, bob: Person) -> None:
    """Its owner and admins of the tenant; for everybody else it is not there; a question or an open reply has no explanation."""
    story = await Story(house, ada).told()
    assert (await bob.call("GET", story.path)).status_code == 404
    tenant = await promoted(house, bob)
    assert (await bob.call("GET", story.path)).status_code == 404  # an admin of another tenant
    colleague = await house.person()
    account = await house.ports(Core).read_models.accounts.get(colleague.user["id"], colleague.user["id"])
    assert account is not None
    assert tenant != story.tenant
    moved = msgspec.structs.replace(account, tenant=story.tenant, role="user", revision=2)
    await house.ports(Core).read_models.accounts.put(account.id, account.id, moved, order="9" * 19)
    assert (await colleague.call("GET", story.path)).status_code == 404  # the tenant alone is not enough
    conversation = await ada.conversation()
    accepted = await asked(ada, conversation)
    for ident in (accepted["reply_id"], accepted["message"]["id"]):
        is_problem(await ada.call("GET", f"/conversations/{conversation}/replies/{ident}/explain"), 404, "not_found")


async def test_admins_see_what_others_of_the_tenant_asked(house: House, ada: Person) -> None:
    """In person; their key only with the scope ops."""
    story = await Story(house, ada).told()
    admin = await house.person()
    account = await house.ports(Core).read_models.accounts.get(admin.user["id"], admin.user["id"])
    assert account is not None
    moved = msgspec.structs.replace(account, tenant=story.tenant, role="admin", revision=2)
    await house.ports(Core).read_models.accounts.put(account.id, account.id, moved, order="9" * 19)
    assert (await story.explained(admin))["text"] == "25 days [1]"
