"""What becomes of a conversation: its title, its place in the list, its file, its end."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from adapters.kafka import connection_options
from agents import project
from api.accounts.ports import AccountPorts
from api.chats.ports import ChatPorts
from api.conversations.message_search import CONVERSATIONS_MAX
from api.core import Core
from domain.areas import RECORDS
from domain.chats.topics import CONVERSATIONS_CHANGED, MESSAGES_CHANGED
from domain.documents.open_documents import OpenDocuments
from schemas.chats import MessageChanged
from schemas.records import ConversationChanged
from streams.log.outgoing import LogOffset
from streams.log.range_reader import RangeReader
from streams.runtime.agent import Context
from streams.tables.compaction import NewestLast
from streams.topics import decoder
from tests.support.api_process import House, Person
from tests.support.problems import is_problem
from tests.support.reply_speaker import Speaker, all_events
from tests.support.talk import Talk, store

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_a_conversation_is_named_for_its_first_question(house: House, ada: Person):
    """Once, under a new ETag; not when a person has named it, nor when they took the name away."""
    talk = Talk(house, ada, await ada.conversation())
    first, _ = await talk.ask(content="How many days of leave?  I am new.")

    async def named() -> bool:
        return bool((await ada.call("GET", f"/conversations/{talk.id}")).json()["title"])

    await until(named)
    shown = (await ada.call("GET", f"/conversations/{talk.id}")).json()
    assert (shown["title"], shown["titled_by"], shown["revision"]) == ("How many days of leave?", "rule", 2)
    await talk.ask(content="Something else?", parent_id=None)
    changed = await ada.call("PATCH", f"/conversations/{talk.id}", json={"title": ""})
    assert (changed.json()["title"], changed.json()["titled_by"]) == ("", "person")
    await talk.ask(f"messages/{first['message']['id']}/edit", content="And now?")
    mine = Talk(house, ada, await ada.conversation(title="Mine"))
    await mine.ask(content="How many?")
    await house.ports(Core).background.stop()  # what runs beside requests has ended
    for each, title, revision in ((talk, "", 3), (mine, "Mine", 1)):
        shown = (await ada.call("GET", f"/conversations/{each.id}")).json()
        assert (shown["title"], shown["titled_by"], shown["revision"]) == (title, "person", revision)


async def test_the_last_active_conversation_comes_first(house: House, ada: Person):
    """A question moves it, without an event of its own; ``updated_at`` says so and pages agree."""
    made = [await ada.conversation(title=str(number)) for number in range(3)]
    before = (await ada.call("GET", f"/conversations/{made[0]}")).json()
    await Talk(house, ada, made[0]).ask(content="a")
    page = (await ada.call("GET", "/conversations", params={"limit": 2})).json()
    assert [item["id"] for item in page["items"]] == [made[0], made[2]]
    assert page["items"][0]["updated_at"] > before["updated_at"]
    assert page["items"][0]["revision"] == before["revision"]
    rest = (await ada.call("GET", "/conversations", params={"cursor": page["next_cursor"]})).json()
    assert [item["id"] for item in rest["items"]] == [made[1]]
    assert len(await all_events(house.settings, CONVERSATIONS_CHANGED, made[0], 1)) == 1


async def test_pin_title_and_archive_leave_a_conversation_where_it_is(house: House, ada: Person):
    """A list has those of a status, the pinned ones, and those whose title has the words; pages of a filtered list agree."""
    made = [await ada.conversation(title=title) for title in ("Travel ＲＵＬＥＳ", "Rules of leave", "Menu")]
    before = (await ada.call("GET", f"/conversations/{made[0]}")).json()
    for each, change in ((made[0], {"pinned": True}), (made[1], {"status": "archived"}), (made[0], {"title": "Travel ＲＵＬＥＳ 2"})):
        assert (await ada.call("PATCH", f"/conversations/{each}", json=change)).status_code == 200
    after = (await ada.call("GET", f"/conversations/{made[0]}")).json()
    assert (before["pinned"], after["pinned"], after["updated_at"]) == (False, True, before["updated_at"])

    async def listed(**params: Any) -> list[str]:
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await ada.call("GET", "/conversations", params={**params, "limit": 1, "cursor": cursor})).json()
            found += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
        return found

    assert await listed() == made[::-1]
    assert await listed(status="active") == [made[2], made[0]]
    assert await listed(status="archived") == [made[1]]
    assert await listed(pinned="true") == [made[0]]
    assert await listed(pinned="false", status="active") == [made[2]]
    assert await listed(q="rules") == [made[1], made[0]]
    assert await listed(q=" RULES travel ") == [made[0]]
    assert await listed(q="nothing of this") == []
    assert (await ada.call("PATCH", f"/conversations/{made[0]}", json={"system_prompt": "x"})).json()["updated_at"] > before["updated_at"]
    assert await listed(pinned="true", status="archived") == []
    is_problem(await ada.call("GET", "/conversations", params={"status": "gone"}), 422, "validation_failed")
    is_problem(await ada.call("GET", "/conversations", params={"q": "x", "cursor": "!"}), 422, "validation_failed")


async def test_messages_are_searched_in_what_is_bounded(house: House, ada: Person, bob: Person):
    """The newest message of each conversation, of a few conversations a page; nobody else's."""
    old, new = Talk(house, ada, await ada.conversation(title="Old")), Talk(house, ada, await ada.conversation(title="New"))
    await old.ask(content="How much ＬＥＡＶＥ is there?", reply="There are 25 days\n of leave, " + "and more " * 20)
    await new.ask(content="Anything else?")
    for _ in range(CONVERSATIONS_MAX):
        await ada.conversation()
    found: list[dict[str, Any]] = []
    cursor, pages = "", 0
    while cursor or not pages:
        page = (await ada.call("GET", "/conversations/search", params={"q": "LEAVE days", "cursor": cursor})).json()
        found, cursor, pages = [*found, *page["items"]], page["next_cursor"], pages + 1
    assert pages == 2
    assert [(hit["conversation"]["id"], hit["role"]) for hit in found] == [(old.id, "assistant")]
    assert found[0]["excerpt"].startswith("There are 25 days of leave, and more")
    assert found[0]["excerpt"].endswith("…")
    assert (await bob.call("GET", "/conversations/search", params={"q": "leave"})).json()["items"] == []
    is_problem(await ada.call("GET", "/conversations/search"), 422, "validation_failed")


async def test_export_as_json_has_every_branch(house: House, ada: Person):
    """Oldest first, more than a page of them; ``parent_id`` makes them a tree."""
    talk = Talk(house, ada, await ada.conversation(title="Leave"))
    ids = await store(house.ports, Speaker(house, ada, talk.id, "r").tenant, talk, 230)
    again, _ = await talk.ask(f"replies/{ids[1]}/regenerate", reply="other")
    answer = await ada.call("GET", f"/conversations/{talk.id}/export")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == f'attachment; filename="conversation-{talk.id}.json"'
    exported = json.loads(answer.content)
    assert exported["conversation"]["title"] == "Leave"
    assert exported["exported_at"].endswith("Z")
    assert [message["id"] for message in exported["messages"]] == [*ids, again["reply_id"]]
    assert exported["messages"][-1]["parent_id"] == ids[0]
    assert exported["messages"][-1]["citations"][0]["quote"] == "25 days"
    empty = json.loads((await ada.call("GET", f"/conversations/{await ada.conversation()}/export")).content)
    assert empty["messages"] == []


async def test_export_as_markdown_has_the_newest_branch(house: House, ada: Person):
    """In reading order whatever its length, with citations as footnotes."""
    talk = Talk(house, ada, await ada.conversation(title="Leave\n# and rest"))
    tenant = Speaker(house, ada, talk.id, "r").tenant
    ids = await store(house.ports, tenant, talk, 230)
    await talk.ask(content="aside", parent_id=ids[1])
    await talk.ask(content="Days?", parent_id=ids[229], reply="There are 25 days [1].")
    answer = await ada.call("GET", f"/conversations/{talk.id}/export", params={"format": "markdown"})
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    text = answer.text
    assert text.startswith("# Leave # and rest\n\n*chat, begun ")
    said = [part.split("\n\n")[2].strip() for part in text.split("\n## ")[1:]]
    assert said == [*map(str, range(230)), "Days?", "There are 25 days [^232-1]."]
    assert "[^232-1]: Rules, A > B: “25 days”\n" in text
    assert "aside" not in text
    empty = await ada.call("GET", f"/conversations/{await ada.conversation()}/export", params={"format": "markdown"})
    assert empty.text.startswith("# Conversation ")


async def test_export_of_nothing(ada: Person, bob: Person):
    conversation = await ada.conversation()
    is_problem(await bob.call("GET", f"/conversations/{conversation}/export"), 404, "not_found")
    is_problem(await ada.call("GET", f"/conversations/{conversation}/export", params={"format": "pdf"}), 422, "validation_failed")


async def test_deleting_a_conversation_takes_its_content_everywhere(house: House, ada: Person):
    """Out of the tables at once, with what is being answered cancelled; on the log every message ends as a tombstone, also one that was
    written too late.
    """
    talk = Talk(house, ada, await ada.conversation(title="Secret", system_prompt="Secret"))
    first, _ = await talk.ask(content="secret")
    speaker = Speaker(house, ada, talk.id, (await talk.post("messages", content="more secrets")).json()["reply_id"])
    ports, scope = house.ports, f"{speaker.tenant}/{talk.id}"
    await ports(Core).background.stop()
    assert (await ada.call("DELETE", f"/conversations/{talk.id}")).status_code == 204
    for path in ("", "/messages", "/export", f"/replies/{first['reply_id']}", f"/replies/{first['reply_id']}/stream"):
        is_problem(await ada.call("GET", f"/conversations/{talk.id}{path}"), 404, "not_found")
    is_problem(await talk.post("messages", content="x"), 404, "not_found")
    assert await ports(ChatPorts).reply_locks.is_cancelled(speaker.tenant, speaker.reply)
    assert await ports(ChatPorts).reply_locks.holder(speaker.tenant, talk.id) is None
    records_left = [key async for key in ports(Core).redis.scan_iter(match=f"*:record:*{talk.id}*", count=1_000)]
    left = [bytes(await ports(Core).redis.execute_command("GET", key)) for key in records_left]
    assert [each.endswith(b"  ") for each in left] == [True, True]  # tombstones, of its own table and of the one that counts for the tenant
    await speaker.stored("told too late: secret")  # an answer that had ended when it was to be cancelled
    async with projecting(house, talk.id) as (records, step):
        await step()
        messages = [record for record in await records() if record.topic.endswith(MESSAGES_CHANGED.name)]
    last = {record.key: record.value for record in messages}
    assert len(last) == 4
    assert set(last.values()) == {None}
    assert len({record.partition for record in messages}) == 1
    assert (await ports(Core).read_models.messages.list(scope, limit=9)).items == []
    assert await ports(Core).read_models.messages.remaining_ids(scope) == []
    gone = (await all_events(house.settings, CONVERSATIONS_CHANGED, talk.id, 2))[-1].data
    assert (gone.title, gone.system_prompt, gone.deleted) == ("", "", True)


async def test_a_deletion_goes_on_where_a_worker_died(house: House, ada: Person):
    """More than a page of messages; the first worker gets as far as one page."""
    talk = Talk(house, ada, await ada.conversation())
    ports, tenant = house.ports, Speaker(house, ada, talk.id, "r").tenant
    ids = await store(ports, tenant, talk, 620)
    assert (await ada.call("DELETE", f"/conversations/{talk.id}")).status_code == 204
    scope = f"{tenant}/{talk.id}"
    assert len(await ports(Core).read_models.messages.remaining_ids(scope)) == 500

    class Dying:
        def __init__(self) -> None:
            self.sent = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(ports(Core).publisher, name)

        async def publish_tombstone(self, *args: Any) -> Any:
            self.sent += 1
            if self.sent > 550:
                raise ConnectionError
            return await ports(Core).publisher.publish_tombstone(*args)

    async with projecting(house, talk.id, ids) as (records, step):
        with pytest.raises(ConnectionError):
            await step(Dying())
        assert len(await ports(Core).read_models.messages.remaining_ids(scope)) == 120
        await step()
        erased = {record.key.decode() for record in await records() if record.value is None}
    assert erased == set(ids)
    assert await ports(Core).read_models.messages.remaining_ids(scope) == []


Step = Callable[..., Awaitable[None]]
Records = Callable[[], Awaitable[list[ConsumerRecord]]]


@asynccontextmanager
async def projecting(house: House, conversation: str, ids: Sequence[str] = ()) -> AsyncIterator[tuple[Records, Step]]:
    """All records of the conversation and its messages, and the step of ``project`` over all of them, as the tables lane runs it."""
    ports, prefix = house.ports, house.settings.kafka.topic_prefix
    names = [prefix + topic.name for topic in (CONVERSATIONS_CHANGED, MESSAGES_CHANGED)]
    consumer = AIOKafkaConsumer(*names, **connection_options(house.settings.kafka), auto_offset_reset="earliest", enable_auto_commit=False)
    own_publisher = ports(Core).publisher
    partition = own_publisher.partition_for(MESSAGES_CHANGED, conversation)
    decode = {prefix + topic.name: decoder(topic).decode for topic in (CONVERSATIONS_CHANGED, MESSAGES_CHANGED)}
    open_documents = OpenDocuments(ports(Core).redis, house.settings.redis.key_prefix, 2)
    newest_last = NewestLast(RECORDS, lambda topic: RangeReader(house.settings.kafka, topic))
    agent = project.agent(ports(Core).read_models, open_documents, ports(AccountPorts).storage, newest_last)

    async def records() -> list[ConsumerRecord]:
        places = [TopicPartition(name, partition) for name in names]
        await consumer.seek_to_beginning(*places)
        ends, found = await consumer.end_offsets(places), []
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for batch in (await consumer.getmany(*places, timeout_ms=500)).values():
                found += batch
        mine = {each.encode() for each in ids} | {
            each.key for each in found if each.value and _of(decode[each.topic](each.value)) == conversation
        }
        return [each for each in found if each.key in mine]

    async def step(publisher: Any = own_publisher) -> None:
        events = [(record, decode[record.topic](record.value)) for record in await records() if record.value]
        contexts = [(event, _context(house, record, publisher)) for record, event in events]
        assert agent.step_many is not None
        await agent.step_many(contexts)

    await consumer.start()
    try:
        yield records, step
    finally:
        await consumer.stop()


def _of(event: Any) -> str:
    return event.data.conversation_id if isinstance(event, MessageChanged) else cast("ConversationChanged", event).data.id


def _context(house: House, record: ConsumerRecord, publisher: Any) -> Context:
    async def yes() -> bool:
        return True

    place = LogOffset(record.topic.removeprefix(house.settings.kafka.topic_prefix), record.partition, record.offset)
    return Context(place=place, attempt=0, replayed=False, publisher=publisher, clock=house.ports(Core).clock, still_owner=yes)
