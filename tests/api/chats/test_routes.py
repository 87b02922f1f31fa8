"""Ask, stream, resume, cancel: on the real log, with the agent's part spoken by the test."""

import asyncio
import uuid

import pytest

from api.chats.ports import ChatPorts
from api.http import sse
from api.http.ports import HttpPorts
from domain.chats.topics import CHATS_ASKED, MESSAGES_CHANGED
from schemas.chats import Turn
from tests.support.api_people import asked
from tests.support.api_process import House, Person, Sent, collected, events, read_metrics
from tests.support.reply_speaker import Speaker, first_event

pytestmark = pytest.mark.asyncio(loop_scope="session")
EVENTS = {"accept": "text/event-stream"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def read_stream(house: House, person: Person, path: str, **headers: str) -> list[Sent]:
    async with house.client.stream("GET", path, headers=person.headers | headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        return await collected(answer)


async def test_question_is_on_the_log_with_all_that_answering_needs(house: House, ada: Person):
    """ChatAsked carries the trace, the visible knowledge bases, the system prompt and the partition where this process listens."""
    conversation = await ada.conversation(system_prompt="Be short.")
    accepted = await asked(ada, conversation, traceparent=TRACE)
    event = await first_event(house.settings, CHATS_ASKED, conversation)
    question = event.data
    assert event.traceparent == TRACE
    assert event.tenant != ada.user["id"]
    assert (question.message_id, question.reply_id) == (accepted["message"]["id"], accepted["reply_id"])
    assert question.knowledge_base_ids == (ada.base,)
    assert question.system_prompt == "Be short."
    assert question.reply_partition == house.ports(ChatPorts).relay.partition
    message = await first_event(house.settings, MESSAGES_CHANGED, accepted["message"]["id"])
    assert message.data.content == "How many days?"
    assert message.traceparent == TRACE


async def test_streamed_at_once(house: House, ada: Person):
    """Events in order, each with an id, headers that keep proxies from holding them back, one end."""
    conversation = await ada.conversation()
    path = f"/api/v1/conversations/{conversation}/messages"
    async with house.client.stream("POST", path, json={"content": "Days?"}, headers=ada.headers | EVENTS) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache, no-transform"
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["x-request-id"]
        sent = []
        async for each in events(answer):
            sent.append(each)
            if each.event == "accepted":
                speaker = Speaker(house, ada, conversation, each.data["reply_id"])
                await speaker.started()
                await speaker.extended(1, "25 days [1]", cited=True)
                await speaker.completed("25 days [1]")
    assert [each.event for each in sent] == ["accepted", "retrieved", "delta", "citation", "completed"]
    assert all(each.id for each in sent)
    assert sent[0].data["conversation_id"] == conversation
    assert sent[1].data["keywords"] == ["leave"]
    assert sent[1].data["passages"][0]["document_id"] == "rules"
    assert sent[2].data == {"seq": 1, "text": "25 days [1]"}
    assert sent[3].data["quote"] == "25 days"
    assert sent[4].data["text"] == "25 days [1]"
    assert "claw_reply_first_token_seconds_count 0.0" not in await read_metrics(house)


async def test_the_time_to_the_first_text_is_counted_once_for_who_follows_the_answer_later(house: House, ada: Person):
    """Asked for a location, followed twice: the first reader has waited since the question."""
    conversation = await ada.conversation()
    accepted = (await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "Days?"})).json()
    speaker = Speaker(house, ada, conversation, accepted["reply_id"])
    await speaker.started()
    await speaker.extended(1, "25 days [1]", cited=True)
    await speaker.completed("25 days [1]")
    before = await count_first_texts(house)
    for _ in range(2):
        async with house.client.stream("GET", accepted["stream"], headers=ada.headers | EVENTS) as answer:
            assert [each.event for each in await collected(answer)][-1] == "completed"
    assert await count_first_texts(house) == before + 1


async def count_first_texts(house: House) -> float:
    """How many times to the first text this process has observed."""
    metrics = await read_metrics(house)
    return next(float(line.split()[1]) for line in metrics.splitlines() if line.startswith("claw_reply_first_token_seconds_count"))


async def test_thinking_is_for_those_who_ask(house: House, ada: Person):
    """The question asks for it to be published, the reader to see it; the message has none of it."""
    conversation = await ada.conversation()
    path = f"/api/v1/conversations/{conversation}/messages"
    body = {"content": "Days?", "thinking": "on", "reasoning_effort": "high", "show_thinking": True}
    async with house.client.stream("POST", path, json=body, headers=ada.headers | EVENTS) as answer:
        sent = []
        async for each in events(answer):
            sent.append(each)
            if each.event == "accepted":
                reply = each.data["reply_id"]
                speaker = Speaker(house, ada, conversation, reply)
                await speaker.started()
                await speaker.thought(1, "hm")
                await speaker.extended(1, "25 days")
                await speaker.completed("25 days")
    assert [each.event for each in sent] == ["accepted", "retrieved", "thinking", "delta", "completed"]
    assert sent[2].data == {"seq": 1, "text": "hm"}
    question = (await first_event(house.settings, CHATS_ASKED, conversation)).data
    assert (question.shows_thinking, question.sampling.thinking, question.sampling.reasoning_effort) == (True, "on", "high")
    stream = f"/api/v1/conversations/{conversation}/replies/{reply}/stream"
    assert [each.event for each in await read_stream(house, ada, stream)] == ["retrieved", "delta", "completed"]
    wanted = [each.event for each in await read_stream(house, ada, f"{stream}?thinking=true")]
    assert wanted == ["retrieved", "thinking", "delta", "completed"]
    resumed = await read_stream(house, ada, f"{stream}?thinking=true", **{"last-event-id": sent[1].id})
    assert [each.event for each in resumed] == ["thinking", "delta", "completed"]
    stored = (await ada.call("GET", f"/conversations/{conversation}/messages")).text
    assert "hm" not in stored


async def test_an_unknown_effort_is_refused_by_name(ada: Person):
    conversation = await ada.conversation()
    answer = await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "?", "reasoning_effort": "enormous"})
    assert answer.status_code == 422
    assert "reasoning_effort" in answer.text


async def test_resumes_exactly_after_the_last_event(house: House, ada: Person):
    """From every event on, also when the answer has ended; without the header from the beginning."""
    conversation = await ada.conversation()
    accepted = await asked(ada, conversation)
    speaker = Speaker(house, ada, conversation, accepted["reply_id"])
    await speaker.started()
    await speaker.extended(1, "25 ")
    await speaker.extended(2, "days", cited=True)
    await speaker.completed("25 days")
    whole = await read_stream(house, ada, accepted["stream"])
    assert [each.event for each in whole] == ["retrieved", "delta", "delta", "citation", "completed"]
    for index, each in enumerate(whole[:-1]):
        rest = await read_stream(house, ada, accepted["stream"], **{"last-event-id": each.id})
        assert rest == whole[index + 1 :]


async def test_after_its_end_nothing_follows(house: House, ada: Person):
    """A browser's EventSource reconnects after every end but a 204."""
    conversation = await ada.conversation()
    accepted = await asked(ada, conversation)
    await Speaker(house, ada, conversation, accepted["reply_id"]).answer("25")
    end = (await read_stream(house, ada, accepted["stream"]))[-1]
    again = await house.client.get(accepted["stream"], headers=ada.headers | {"last-event-id": end.id})
    assert (again.status_code, again.content) == (204, b"")
    assert house.ports(HttpPorts).streams.count == 0


async def test_a_reader_who_resumes_before_the_next_event_waits_for_it(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sse, "RESUME_S_MAX", 0.1)
    conversation = await ada.conversation()
    accepted = await asked(ada, conversation)
    speaker = Speaker(house, ada, conversation, accepted["reply_id"])
    await speaker.started()
    async with house.client.stream("GET", accepted["stream"], headers=ada.headers) as answer:
        first = await anext(events(answer))
    async with house.client.stream("GET", accepted["stream"], headers=ada.headers | {"last-event-id": first.id}) as answer:
        assert answer.status_code == 200
        await speaker.extended(1, "25")
        await speaker.completed("25")
        assert [each.event for each in await collected(answer)] == ["delta", "completed"]


async def test_reader_that_leaves_stops_nothing(house: House, ada: Person):
    """A disconnect frees the stream; the answer goes on and can be read."""
    conversation = await ada.conversation()
    accepted = await asked(ada, conversation)
    async with house.client.stream("GET", accepted["stream"], headers=ada.headers) as answer:
        assert answer.status_code == 200
        assert house.ports(HttpPorts).streams.count == 1
    async with asyncio.timeout(5):
        while house.ports(HttpPorts).streams.count:
            await asyncio.sleep(0.01)
    await Speaker(house, ada, conversation, accepted["reply_id"]).answer("25")
    state = (await ada.call("GET", f"/conversations/{conversation}/replies/{accepted['reply_id']}")).json()
    assert state["state"] == "complete"
    assert state["message"]["content"] == "25"


async def test_failed_and_cancelled_end_streams(house: House, ada: Person):
    conversation = await ada.conversation()
    accepted = await asked(ada, conversation)
    await Speaker(house, ada, conversation, accepted["reply_id"]).failed()
    (end,) = await read_stream(house, ada, accepted["stream"])
    assert (end.event, end.data["code"]) == ("failed", "model_unavailable")
    accepted = await asked(ada, conversation)
    await Speaker(house, ada, conversation, accepted["reply_id"]).cancelled("25")
    (end,) = await read_stream(house, ada, accepted["stream"])
    assert (end.event, end.data) == ("cancelled", {"text": "25"})


async def test_one_open_reply(house: House, ada: Person):
    """Another question is 409 with the reply to wait for, until that has ended."""
    conversation = await ada.conversation()
    accepted = await asked(ada, conversation)
    refused = await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "And?"})
    assert refused.status_code == 409
    assert refused.json()["code"] == "conversation_busy"
    assert refused.json()["reply_id"] == accepted["reply_id"]
    await Speaker(house, ada, conversation, accepted["reply_id"]).answer("25")
    await asked(ada, conversation, "And?")


async def test_a_turn_that_nobody_could_give_back_holds_nobody_up(house: House, ada: Person):
    """Redis was away in the very moment, or its worker died: the message of that reply is there, so the reply is over."""
    conversation = await ada.conversation()
    first = await asked(ada, conversation)
    speaker = Speaker(house, ada, conversation, first["reply_id"])
    await speaker.answer("25")
    assert (
        await house.ports(ChatPorts).reply_locks.acquire(speaker.tenant, conversation, first["reply_id"], 60) == first["reply_id"]
    )  # taken once more
    second = await asked(ada, conversation, "And?")
    refused = await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "And then?"})
    assert (refused.status_code, refused.json()["reply_id"]) == (409, second["reply_id"])


async def test_history_travels_with_the_next_question(house: House, ada: Person):
    conversation = await ada.conversation()
    first = await asked(ada, conversation, "Days?")
    await Speaker(house, ada, conversation, first["reply_id"]).answer("25")
    event = await first_event(house.settings, CHATS_ASKED, conversation)
    assert event.data.history == ()
    second = await asked(ada, conversation, "For everybody?")
    message = await first_event(house.settings, MESSAGES_CHANGED, second["message"]["id"])
    assert message is not None
    known = house.ports(ChatPorts).running.histories.get((event.tenant, conversation), 60)
    assert known is not None
    assert known.turns == (Turn("user", "Days?"), Turn("assistant", "25"), Turn("user", "For everybody?"))
    assert known.ancestors == (first["message"]["id"], first["reply_id"], second["message"]["id"])
    listed = (await ada.call("GET", f"/conversations/{conversation}/messages")).json()
    assert [(item["role"], item["content"]) for item in listed["items"]] == [
        ("user", "For everybody?"),
        ("assistant", "25"),
        ("user", "Days?"),
    ]


async def test_same_key_asks_once(house: House, ada: Person):
    """Same key and body: the same ids and one open reply, as JSON or as a stream; another body is 409."""
    conversation = await ada.conversation()
    key = {"idempotency-key": uuid.uuid4().hex}
    first, second = await asked(ada, conversation, **key), await asked(ada, conversation, **key)
    assert first == second
    other = await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "else"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    await Speaker(house, ada, conversation, first["reply_id"]).answer("25")
    path = f"/api/v1/conversations/{conversation}/messages"
    async with house.client.stream("POST", path, json={"content": "How many days?"}, headers=ada.headers | EVENTS | key) as answer:
        sent = await collected(answer)
    assert [each.event for each in sent] == ["accepted", "retrieved", "delta", "completed"]
    assert sent[0].data["reply_id"] == first["reply_id"]


async def test_question_that_was_answered_is_not_asked_again(house: House, ada: Person, monkeypatch):
    """The client got a 503 although the log had taken the question: its repeat finds the answer."""
    conversation = await ada.conversation()
    key = {"idempotency-key": "lost"}

    async def forgotten(*_: object) -> None:
        return

    monkeypatch.setattr(house.ports(HttpPorts).idempotency, "finish", forgotten)
    first = await asked(ada, conversation, **key)
    await Speaker(house, ada, conversation, first["reply_id"]).answer("25")
    assert await asked(ada, conversation, **key) == first
    assert (await ada.call("GET", f"/conversations/{conversation}/replies/{first['reply_id']}")).json()["state"] == "complete"
    assert len((await ada.call("GET", f"/conversations/{conversation}/messages")).json()["items"]) == 2


async def test_cancel(house: House, ada: Person):
    """A flag that the agent sees; 409 once the reply has ended."""
    conversation = await ada.conversation()
    accepted = await asked(ada, conversation)
    path = f"/conversations/{conversation}/replies/{accepted['reply_id']}"
    assert (await ada.call("GET", path)).json()["state"] == "open"
    answer = await ada.call("POST", f"{path}/cancel")
    assert answer.status_code == 202
    speaker = Speaker(house, ada, conversation, accepted["reply_id"])
    assert await house.ports(ChatPorts).reply_locks.is_cancelled(speaker.tenant, accepted["reply_id"])
    await speaker.stored("2")
    refused = await ada.call("POST", f"{path}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "reply_finished")


async def test_tenants_are_walls(house: House, ada: Person, bob: Person):
    """Another tenant's conversation, reply and stream are not there."""
    conversation = await ada.conversation()
    accepted = await asked(ada, conversation)
    reply = f"/conversations/{conversation}/replies/{accepted['reply_id']}"
    for method, path, body in (
        ("GET", f"/conversations/{conversation}", None),
        ("GET", f"/conversations/{conversation}/messages", None),
        ("POST", f"/conversations/{conversation}/messages", {"content": "x"}),
        ("GET", reply, None),
        ("GET", f"{reply}/stream", None),
        ("POST", f"{reply}/cancel", None),
        ("DELETE", f"/conversations/{conversation}", None),
    ):
        answer = await bob.call(method, path, json=body)
        assert answer.status_code == 404, (path, answer.text)
        assert answer.json()["code"] == "not_found"
    mine = await bob.conversation()  # a reply is only found in its own conversation
    assert (await bob.call("GET", f"/conversations/{mine}/replies/{accepted['reply_id']}/stream")).status_code == 404


@pytest.mark.parametrize(("content", "status"), [("", 422), (" \n", 422), ("x" * 8_001, 422), ("x" * 8_000, 202)])
async def test_length_of_a_question(ada: Person, content: str, status: int):
    conversation = await ada.conversation()
    answer = await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": content})
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["errors"][0]["field"] == "content"
        assert answer.json()["errors"][0]["limit"]
