"""What a reader who has a conversation open asks every few seconds, and what it has cost."""

import pytest

from tests.support.api_process import House, Person
from tests.support.problems import is_problem
from tests.support.reply_speaker import Speaker
from tests.support.talk import Talk

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_open_reply_is_found_until_it_ends(house: House, ada: Person, bob: Person) -> None:
    talk = Talk(house, ada, await ada.conversation())
    path = f"/conversations/{talk.id}/activity"
    empty = (await ada.call("GET", path)).json()
    assert (empty["newest_message_id"], empty["open_reply"]) == ("", None)
    asked = (await talk.post("messages", content="How many?")).json()
    seen = (await ada.call("GET", path)).json()
    assert seen["newest_message_id"] == asked["message"]["id"]
    assert seen["open_reply"] == {"reply_id": asked["reply_id"], "message_id": asked["message"]["id"], "stream": asked["stream"]}
    await Speaker(house, ada, talk.id, asked["reply_id"]).answer("25 days")
    ended = (await ada.call("GET", path)).json()
    assert (ended["newest_message_id"], ended["open_reply"]) == (asked["reply_id"], None)
    is_problem(await bob.call("GET", path), 404, "not_found")


async def test_the_usage_of_a_conversation_is_that_of_all_its_answers(house: House, ada: Person, bob: Person) -> None:
    talk = Talk(house, ada, await ada.conversation())
    path = f"/conversations/{talk.id}/usage"
    assert (await ada.call("GET", path)).json()["answers"] == 0
    await talk.ask(content="a")
    first, _ = await talk.ask(content="b")
    await talk.ask(f"replies/{first['reply_id']}/regenerate", reply="other")
    messages = (await talk.messages())["items"]
    used = (await ada.call("GET", path)).json()
    assert used["answers"] == 3
    assert used["prompt_tokens"] == sum(message["usage"]["prompt_tokens"] for message in messages)
    assert used["completion_tokens"] == sum(message["usage"]["completion_tokens"] for message in messages)
    assert (used["currency"], used["complete"]) == ("USD", True)
    is_problem(await bob.call("GET", path), 404, "not_found")


async def test_the_end_of_a_branch_is_found_from_any_message_of_it(house: House, ada: Person) -> None:
    talk = Talk(house, ada, await ada.conversation())
    first, _ = await talk.ask(content="a")
    second, _ = await talk.ask(content="b")
    edited, _ = await talk.ask(f"messages/{first['message']['id']}/edit", content="A")
    below = await talk.messages(branch=first["message"]["id"], below=True)
    assert [item["content"] for item in below["items"]] == ["to b", "b", "to a", "a"]
    other = await talk.messages(branch=edited["message"]["id"], below=True, limit=1)
    assert [item["id"] for item in other["items"]] == [edited["reply_id"]]
    page = await talk.messages(branch=second["reply_id"], below=True, limit=2)
    rest = await talk.messages(branch=second["reply_id"], below=True, limit=2, cursor=page["next_cursor"])
    assert [item["content"] for item in rest["items"]] == ["to a", "a"]
