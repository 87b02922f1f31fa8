"""A conversation is a tree: any answer can be continued, any question asked otherwise, any answer made again."""

import uuid
from typing import Any

import pytest
import pytest_asyncio

from api.core import Core
from api.http.ports import HttpPorts
from api.http.recent import Recent
from api.knowledge.ports import KnowledgePorts
from domain.chats.topics import CHATS_ASKED
from schemas.chats import Question
from tests.support.api_process import House, Person, collected
from tests.support.problems import is_problem
from tests.support.reply_speaker import Speaker, all_events
from tests.support.talk import Talk, store

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def talk(house: House, ada: Person) -> Talk:
    return Talk(house, ada, await ada.conversation())


def contents(question: Question) -> list[str]:
    return [turn.content for turn in question.history]


async def test_any_answer_can_be_continued(talk: Talk):
    """The newest by itself; another one by its id, with its own branch as the history; null begins anew."""
    first, question = await talk.ask(content="a")
    assert (question.history, question.ancestors, first["message"]["parent_id"]) == ((), (), "")
    second, question = await talk.ask(content="b")
    assert contents(question) == ["a", "to a"]
    assert question.ancestors == (first["message"]["id"], first["reply_id"])
    assert second["message"]["parent_id"] == first["reply_id"]
    other, question = await talk.ask(content="c", parent_id=first["reply_id"])
    assert contents(question) == ["a", "to a"]
    assert other["message"]["parent_id"] == first["reply_id"]
    _, question = await talk.ask(content="d")
    assert contents(question) == ["a", "to a", "c", "to c"]
    anew, question = await talk.ask(content="e", parent_id=None)
    assert (question.history, anew["message"]["parent_id"]) == ((), "")
    _, question = await talk.ask(content="f", parent_id=second["reply_id"])
    assert contents(question) == ["a", "to a", "b", "to b"]


async def test_a_question_is_asked_otherwise(talk: Talk):
    """In its place: what was said above it is the history, what followed it is not."""
    await talk.ask(content="a")
    second, _ = await talk.ask(content="b")
    await talk.ask(content="c")
    edited, question = await talk.ask(f"messages/{second['message']['id']}/edit", content="B")
    assert (question.content, contents(question)) == ("B", ["a", "to a"])
    assert edited["message"]["parent_id"] == second["message"]["parent_id"]
    assert edited["message"]["id"] != second["message"]["id"]
    _, question = await talk.ask(content="next")
    assert contents(question) == ["a", "to a", "B", "to B"]


async def test_an_answer_is_made_again(talk: Talk):
    """A sibling of the first, to the same question, never out of the cache; the question is not written again, and the same key once."""
    await talk.ask(content="a")
    first, before = await talk.ask(content="b")
    key = {"idempotency-key": uuid.uuid4().hex}
    path = f"/conversations/{talk.id}/replies/{first['reply_id']}/regenerate"
    answer = await talk.person.call("POST", path, headers=key)
    again = answer.json()
    assert (answer.status_code, again["message"]["id"]) == (202, first["message"]["id"])
    assert again["reply_id"] != first["reply_id"]
    assert (await talk.person.call("POST", path, headers=key)).json() == again
    await Speaker(talk.house, talk.person, talk.id, again["reply_id"]).answer("otherwise")
    talk.asked += 1
    question = (await all_events(talk.house.settings, CHATS_ASKED, talk.id, talk.asked))[-1].data
    assert (question.content, question.history, question.message_id) == ("b", before.history, before.message_id)
    assert (before.cache, question.cache) == (True, False)
    assert (await talk.person.call("POST", path, headers=key)).json() == again
    assert len((await talk.messages())["items"]) == 5
    streamed = {"accept": "text/event-stream"}
    async with talk.house.client.stream("GET", again["stream"], headers=talk.person.headers | streamed) as sent:
        assert (await collected(sent))[-1].data["text"] == "otherwise"
    _, question = await talk.ask(content="c")
    assert contents(question) == ["a", "to a", "b", "otherwise"]


async def test_an_answer_is_made_again_with_another_effort(talk: Talk):
    first, before = await talk.ask(content="a")
    _, again = await talk.ask(f"replies/{first['reply_id']}/regenerate", reply="longer", thinking="on", reasoning_effort="high")
    assert (before.sampling.thinking, before.sampling.reasoning_effort) == ("auto", "")
    assert (again.sampling.thinking, again.sampling.reasoning_effort) == ("on", "high")
    problem = is_problem(await talk.post(f"replies/{first['reply_id']}/regenerate", thinking="perhaps"), 422, "validation_failed")
    assert [error["field"] for error in problem["errors"]] == ["thinking"]


async def test_a_regeneration_that_was_answered_is_not_made_again(talk: Talk, monkeypatch: pytest.MonkeyPatch):
    """The client got a 503 although the log had taken it: its repeat finds the answer, although the question is an old one."""

    async def forgotten(*_: object) -> None:
        return

    first, _ = await talk.ask(content="a")
    monkeypatch.setattr(talk.house.ports(HttpPorts).idempotency, "finish", forgotten)
    key, path = {"idempotency-key": uuid.uuid4().hex}, f"/conversations/{talk.id}/replies/{first['reply_id']}/regenerate"
    again = (await talk.person.call("POST", path, headers=key)).json()
    await Speaker(talk.house, talk.person, talk.id, again["reply_id"]).answer("otherwise")
    assert (await talk.person.call("POST", path, headers=key)).json() == again
    assert len((await talk.messages())["items"]) == 3


async def test_lists_tell_siblings_and_one_branch(talk: Talk):
    """All messages in the order of time, or one branch in pages; who has siblings says which."""
    first, _ = await talk.ask(content="a")
    second, _ = await talk.ask(content="b")
    third, _ = await talk.ask(f"messages/{second['message']['id']}/edit", content="B")
    again, _ = await talk.ask(f"replies/{first['reply_id']}/regenerate", reply="other")
    everything = (await talk.messages())["items"]
    siblings = {item["id"]: item["siblings"] for item in everything}
    assert len(everything) == 7
    assert siblings[first["reply_id"]] == siblings[again["reply_id"]] == [first["reply_id"], again["reply_id"]]
    assert siblings[second["message"]["id"]] == [second["message"]["id"], third["message"]["id"]]
    assert siblings[first["message"]["id"]] == siblings[third["reply_id"]] == []
    seen, cursor = [], ""
    while True:
        page = await talk.messages(branch=third["reply_id"], limit=1, cursor=cursor)
        seen += [item["content"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == ["to B", "B", "to a", "a"]
    for params, status in (
        ({"branch": str(uuid.uuid4())}, 404),
        ({"branch": "x"}, 422),
        ({"branch": third["reply_id"], "cursor": "x"}, 422),
    ):
        answer = await talk.person.call("GET", f"/conversations/{talk.id}/messages", params=params)
        is_problem(answer, status, "not_found" if status == 404 else "validation_failed")


async def test_what_is_not_there_is_refused_and_keeps_nobody_waiting(talk: Talk, bob: Person):
    """Another conversation's answer, a question instead of an answer, an answer instead of a question; the turn is free again."""
    first, _ = await talk.ask(content="a")
    elsewhere = Talk(talk.house, talk.person, await talk.person.conversation())
    foreign, _ = await elsewhere.ask(content="x")
    for parent in (foreign["reply_id"], first["message"]["id"], str(uuid.uuid4()), "x"):
        error = is_problem(await talk.post("messages", content="b", parent_id=parent), 422, "validation_failed")
        assert error["errors"][0]["field"] == "parent_id"
    is_problem(await talk.post(f"messages/{first['reply_id']}/edit", content="b"), 422, "validation_failed")
    is_problem(await talk.post(f"messages/{foreign['message']['id']}/edit", content="b"), 404, "not_found")
    is_problem(await talk.post(f"messages/{first['message']['id']}/edit", content=" "), 422, "validation_failed")
    is_problem(await talk.post(f"replies/{foreign['reply_id']}/regenerate"), 404, "not_found")
    is_problem(await talk.post(f"replies/{first['message']['id']}/regenerate"), 404, "not_found")
    for path, body in ((f"messages/{first['message']['id']}/edit", {"content": "b"}), (f"replies/{first['reply_id']}/regenerate", None)):
        is_problem(await bob.call("POST", f"/conversations/{talk.id}/{path}", json=body), 404, "not_found")
    await talk.ask(content="b")
    busy = (await talk.post("messages", content="c")).json()
    for path, body in ((f"messages/{first['message']['id']}/edit", {"content": "b"}), (f"replies/{first['reply_id']}/regenerate", {})):
        assert is_problem(await talk.post(path, **body), 409, "conversation_busy")["reply_id"] == busy["reply_id"]


async def test_messages_of_a_time_before_branches_are_one_branch(talk: Talk):
    """They know nothing above them: the order of time stands for it."""
    ports, tenant = talk.house.ports, Speaker(talk.house, talk.person, talk.id, "r").tenant
    await store(ports, tenant, talk, 4, linked=False)
    _, question = await talk.ask(content="next")
    assert contents(question) == ["0", "1", "2", "3"]


async def test_a_question_costs_the_same_in_a_conversation_of_any_length(talk: Talk, monkeypatch: pytest.MonkeyPatch):
    """Round trips to Redis and commands in them, in a short and in a long one, along the newest branch and back in an old one."""
    ports, tenant = talk.house.ports, Speaker(talk.house, talk.person, talk.id, "r").tenant
    short, long = talk, Talk(talk.house, talk.person, await talk.person.conversation())
    ids = {30: await store(ports, tenant, short, 30), 600: await store(ports, tenant, long, 600)}
    await ports(KnowledgePorts).search_cache.cache.statistics.flush()  # what earlier tests counted is not this one's
    get = Recent.get
    monkeypatch.setattr(Recent, "get", lambda kept, key, within_s: get(kept, key, max(within_s, 60.0)))  # a busy machine takes longer
    calls: list[int] = []
    together = ports(Core).redis.execute_commands

    async def counted(commands: Any) -> Any:
        calls.append(sum(len(args) for args, _ in commands))
        return await together(commands)

    costs = []
    for each, parent in ((short, {}), (long, {}), (short, {"parent_id": ids[30][23]}), (long, {"parent_id": ids[600][301]})):
        for repeat in range(2):  # what is kept in this process for a second is known the second time
            monkeypatch.setattr(ports(Core).redis, "execute_commands", counted)
            calls.clear()
            accepted = (await each.post("messages", content="next", **parent)).json()
            costs.append((repeat, len(calls), sum(calls)))
            monkeypatch.setattr(ports(Core).redis, "execute_commands", together)
            await Speaker(each.house, each.person, each.id, accepted["reply_id"]).answer("25")
    assert costs[1] == costs[3]
    assert costs[5] == costs[7]
