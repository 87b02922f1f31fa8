"""Questions without a conversation: answered by the real agents on the real log, kept for a day, nobody else's."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from adapters.models.grounding.local import LocalModel
from api.chats.ports import ChatPorts
from api.core import Core
from domain.chats.records import BRIEF_MESSAGE_S
from domain.chats.topics import MESSAGES_CHANGED
from domain.usage.topics import USAGE_RECORDED
from schemas.chats import Sampling
from tests.support.answering_agents import answering
from tests.support.api_people import tenant_of
from tests.support.api_process import House, Person, collected
from tests.support.index_library import Library
from tests.support.problems import is_problem
from tests.support.query_agent import working
from tests.support.standalone import asked_event, everything_on, key_of_scope

pytestmark = pytest.mark.asyncio(loop_scope="session")
EVENTS = {"accept": "text/event-stream"}
LEAVE = "Everybody has 25 days of leave a year."
ASK = {"question": "How many days of leave?"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def library(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Library]:
    async with working(house, tmp_path_factory.mktemp("index")) as at_work, answering(house, at_work, LocalModel()):
        yield at_work


@pytest_asyncio.fixture(loop_scope="session")
async def rules(house: House, ada: Person, library: Library) -> None:
    """Ada has a document."""
    await library.add(tenant_of(ada), ada.base, "rules", 3, LEAVE)


async def test_answer_with_citations(house: House, ada: Person, rules: None):
    answer = await ada.call("POST", f"/knowledge/{ada.base}/query", json=ASK | {"max_tokens": 50, "temperature": 0, "system_prompt": "Hi."})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["state"], body["finish_reason"], body["model"]) == ("complete", "stop", "local")
    assert LEAVE in body["answer"]
    (citation,) = body["citations"]
    assert (citation["document_id"], citation["version"], citation["quote"]) == ("rules", 3, LEAVE)
    question = await asked_event(house, body["reply_id"])
    assert (question.door, question.knowledge_base_ids, question.system_prompt) == ("query", (ada.base,), "Hi.")
    assert question.sampling == Sampling(max_tokens=50, temperature=0.0)
    read = (await ada.call("GET", f"/knowledge/queries/{body['reply_id']}")).json()
    assert read == body
    charges = [event.data for event in await everything_on(house, USAGE_RECORDED) if event.data.reply_id == body["reply_id"]]
    assert len(charges) == 1


async def test_nothing_of_it_is_a_conversation(house: House, ada: Person, rules: None):
    """No record on the log, no turn, none in any list; what is kept goes after a day."""
    reply = (await ada.call("POST", "/knowledge/query", json=ASK)).json()["reply_id"]
    question = await asked_event(house, reply)
    assert {reply, question.message_id}.isdisjoint(event.subject for event in await everything_on(house, MESSAGES_CHANGED))
    assert (await ada.call("GET", "/conversations")).json()["items"] == []
    is_problem(await ada.call("GET", f"/conversations/{question.conversation_id}"), 404, "not_found")
    ports, scope = house.ports, f"{tenant_of(ada)}/{question.conversation_id}"
    assert await ports(ChatPorts).reply_locks.holder(tenant_of(ada), question.conversation_id) is None
    for key in (
        ports(Core).read_models.messages._record_key(scope, reply),
        ports(ChatPorts).reply_locks._location_key(tenant_of(ada), reply),
    ):
        assert 0 < await ports(Core).redis.execute_command("TTL", key) <= BRIEF_MESSAGE_S


async def test_streamed_and_resumed(house: House, ada: Person, rules: None):
    """The same events as in a conversation; from every one on, also when it has ended."""
    async with house.client.stream("POST", "/api/v1/knowledge/query", json=ASK, headers=ada.headers | EVENTS) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        sent = await collected(answer)
    names = [each.event for each in sent]
    assert names[:2] == ["accepted", "retrieved"]
    assert names[-1] == "completed"
    assert "citation" in names
    path = f"/api/v1/knowledge/queries/{sent[0].data['reply_id']}/stream"
    for index, each in enumerate(sent):
        async with house.client.stream("GET", path, headers=ada.headers | {"last-event-id": each.id}) as rest:
            assert await collected(rest) == sent[index + 1 :]


async def test_knowledge_bases(house: House, ada: Person, bob: Person, rules: None, library: Library):
    """Chosen ones, or all that one sees; never somebody else's."""
    other = (await ada.call("POST", "/knowledge", json={"name": "other"})).json()["id"]
    assert (await ada.call("POST", "/knowledge/query", json=ASK)).json()["citations"]
    assert not (await ada.call("POST", "/knowledge/query", json=ASK | {"knowledge_base_ids": [other]})).json()["citations"]
    for path, more in (("/knowledge/query", {"knowledge_base_ids": [ada.base]}), (f"/knowledge/{ada.base}/query", {})):
        is_problem(await bob.call("POST", path, json=ASK | more), 404, "not_found")


async def test_explained(house: House, ada: Person, bob: Person, rules: None):
    """An answer without a conversation can be explained like any other, by whoever asked."""
    reply = (await ada.call("POST", "/knowledge/query", json=ASK)).json()["reply_id"]
    told = await ada.call("GET", f"/knowledge/queries/{reply}/explain")
    assert told.status_code == 200, told.text
    story = told.json()
    assert (story["reply_id"], story["state"], story["question"]["content"], story["question"]["door"]) == (
        reply,
        "complete",
        ASK["question"],
        "query",
    )
    (passage,) = story["passages"]
    assert (passage["document_id"], passage["version"], passage["cited"]) == ("rules", 3, True)
    assert [hop["name"] for hop in story["hops"]] == ["asked", "grounded", "started", "first_text", "stored", "ended"]
    assert set(story["missing"]) == {"prompt"}  # the keyless model is sent none
    is_problem(await bob.call("GET", f"/knowledge/queries/{reply}/explain"), 404, "not_found")
    is_problem(await ada.call("GET", f"/knowledge/queries/{uuid.uuid4()}/explain"), 404, "not_found")


async def test_walls(house: House, ada: Person, bob: Person, rules: None):
    """A reply is its asker's alone, whoever knows its id; a key needs the scope."""
    reply = (await ada.call("POST", "/knowledge/query", json=ASK)).json()["reply_id"]
    for method, path in (("GET", ""), ("GET", "/stream"), ("POST", "/cancel")):
        is_problem(await bob.call(method, f"/knowledge/queries/{reply}{path}"), 404, "not_found")
    key = {"authorization": f"Bearer {await key_of_scope(ada, 'knowledge:read')}"}
    is_problem(await house.client.post("/api/v1/knowledge/query", json=ASK, headers=key), 403, "forbidden")


async def test_same_key_asks_once(house: House, ada: Person, rules: None):
    key = {"idempotency-key": uuid.uuid4().hex}
    first = await ada.call("POST", "/knowledge/query", json=ASK, headers=key)
    again = await ada.call("POST", "/knowledge/query", json=ASK, headers=key)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert await asked_event(house, first.json()["reply_id"])  # one question
    is_problem(await ada.call("POST", "/knowledge/query", json={"question": "else"}, headers=key), 409, "idempotency_conflict")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"question": ""}, "question"),
        ({"question": " \n"}, "question"),
        ({"question": "x" * 8_001}, "question"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 2.5}, "temperature"),
        ({"system_prompt": "x" * 8_001}, "system_prompt"),
        ({"knowledge_base_ids": ["x"]}, "knowledge_base_ids[0]"),
        ({"stream": True}, "stream"),
    ],
)
async def test_what_is_no_query(ada: Person, change: dict[str, object], field: str):
    problem = is_problem(await ada.call("POST", "/knowledge/query", json=ASK | change), 422, "validation_failed")
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_no_such_reply(ada: Person):
    is_problem(await ada.call("GET", f"/knowledge/queries/{uuid.uuid4()}"), 404, "not_found")
    is_problem(await ada.call("GET", "/knowledge/queries/nonsense"), 422, "validation_failed")
