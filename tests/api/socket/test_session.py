"""The WebSocket: the same questions, answers and limits as over HTTP, many at once, whatever a client sends."""

import asyncio
import json
import re
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from api.chats.ports import ChatPorts
from api.http.ports import HttpPorts
from api.socket import session as session_module
from api.socket.ports import SocketPorts
from domain.chats.topics import CHATS_ASKED
from schemas.bodies.socket import FRAMES
from schemas.settings.sockets import SocketSettings
from tests.support.api_process import House, Person, collected, events, opened, with_limits
from tests.support.reply_speaker import Speaker, first_event
from tests.support.sockets import Wire, connected

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def asked(wire: Wire, conversation: str, content: str = "Days?", **fields: Any) -> tuple[str, dict[str, Any]]:
    """The frame's id and its ``accepted``."""
    frame_id = await wire.send("ask", conversation_id=conversation, body={"content": content}, **fields)
    opened_, accepted = await wire.next(frame_id), await wire.next(frame_id)
    assert (opened_["type"], accepted["event"]) == ("opened", "accepted"), (opened_, accepted)
    return frame_id, accepted


def names(events: list[dict[str, Any]]) -> list[str]:
    return [each["event"] for each in events]


async def test_ask_and_read_many_at_once(house: House, ada: Person):
    """Two conversations over one connection, each stream under its frame's id; the events are those of the event stream."""
    async with connected(house, ada) as wire:
        conversations = [await ada.conversation() for _ in range(2)]
        (first, one), (second, two) = [await asked(wire, each) for each in conversations]
        for conversation, accepted, text in zip(conversations, (one, two), ("25", "30"), strict=True):
            await Speaker(house, ada, conversation, accepted["data"]["reply_id"]).answer(text)
        streams = {frame: await wire.stream(frame) for frame in (second, first)}
        assert names(streams[first]) == names(streams[second]) == ["retrieved", "delta", "completed"]
        assert streams[first][-1]["data"]["text"] == "25"
        assert streams[second][-1]["data"]["text"] == "30"
        path = f"/api/v1/conversations/{conversations[0]}/replies/{one['data']['reply_id']}/stream"
        async with house.client.stream("GET", path, headers=ada.headers) as answer:
            sent = await collected(answer)
        assert [(each.id, each.event, each.data) for each in sent] == [(e["event_id"], e["event"], e["data"]) for e in streams[first]]
        event = await first_event(house.settings, CHATS_ASKED, conversations[0])
        assert event.data.reply_id == one["data"]["reply_id"]


async def test_resumes_exactly_after_any_event_on_another_connection(house: House, ada: Person):
    conversation = await ada.conversation()
    async with connected(house, ada) as wire:
        frame, accepted = await asked(wire, conversation)
        reply = accepted["data"]["reply_id"]
        await Speaker(house, ada, conversation, reply).answer("25")
        events = await wire.stream(frame)
    async with connected(house, ada) as wire:
        for index, event in enumerate([accepted, *events]):
            frame = await wire.send("read", conversation_id=conversation, reply_id=reply, last_event_id=event["event_id"])
            assert [each["event_id"] for each in await wire.stream(frame)] == [each["event_id"] for each in events[index:]]
        whole = await wire.send("read", conversation_id=conversation, reply_id=reply)
        assert names(await wire.stream(whole)) == names(events)


async def test_begun_here_read_on_on_another_replica_while_it_is_written(house: House, ada: Person):
    """From a second device, over the other door: the frames there go on exactly where the event stream here was left."""
    async with opened(house.settings) as replica:
        conversation = await ada.conversation()
        path = f"/api/v1/conversations/{conversation}/messages"
        headers = ada.headers | {"accept": "text/event-stream"}
        async with house.client.stream("POST", path, json={"content": "Days?"}, headers=headers) as answer:
            here = events(answer)
            accepted = await anext(here)
            reply = accepted.data["reply_id"]
            speaker = Speaker(house, ada, conversation, reply)
            await speaker.started()
            await speaker.extended(1, "25 ")
            seen = [await anext(here) for _ in range(2)]
            async with connected(replica, ada) as wire:
                frame = await wire.send("read", conversation_id=conversation, reply_id=reply, last_event_id=seen[-1].id)
                await speaker.extended(2, "days")
                await speaker.completed("25 days")
                there = await wire.stream(frame)
            rest = [each async for each in here]
    assert [(each["event_id"], each["event"], each["data"]) for each in there] == [(each.id, each.event, each.data) for each in rest]
    assert names(there) == ["delta", "completed"]


async def test_the_clients_message_id_asks_once_whatever_the_door(house: House, ada: Person):
    """A repeat gives the same reply, on a new connection and over HTTP; another body under the same id is refused."""
    conversation, key = await ada.conversation(), uuid.uuid4().hex
    async with connected(house, ada) as wire:
        _, first = await asked(wire, conversation, idempotency_key=key)
    async with connected(house, ada) as wire:
        _, again = await asked(wire, conversation, idempotency_key=key)
        assert again["data"]["reply_id"] == first["data"]["reply_id"]
        other = await wire.problem("ask", conversation_id=conversation, body={"content": "else"}, idempotency_key=key)
        assert other["code"] == "idempotency_conflict"
    body = json.dumps({"content": "Days?"}).encode()
    answer = await ada.call("POST", f"/conversations/{conversation}/messages", content=body, headers=_json_with(key))
    assert answer.json()["reply_id"] == first["data"]["reply_id"]


async def test_a_connection_that_goes_stops_no_answer(house: House, ada: Person):
    conversation = await ada.conversation()
    async with connected(house, ada) as wire:
        _, accepted = await asked(wire, conversation)
        assert house.ports(HttpPorts).streams.count == 1
    async with asyncio.timeout(5):
        while house.ports(HttpPorts).streams.count or house.ports(SocketPorts).sockets.count:
            await asyncio.sleep(0.01)
    assert not house.ports(SocketPorts).by_account.total
    reply = accepted["data"]["reply_id"]
    await Speaker(house, ada, conversation, reply).answer("25")
    assert (await ada.call("GET", f"/conversations/{conversation}/replies/{reply}")).json()["state"] == "complete"


async def test_cancel_and_leave(house: House, ada: Person):
    """A cancel reaches whoever answers; leaving stops only the telling."""
    conversation = await ada.conversation()
    async with connected(house, ada) as wire:
        frame, accepted = await asked(wire, conversation)
        reply = accepted["data"]["reply_id"]
        assert (await wire.answer("leave", subscription=frame))["type"] == "done"
        assert (await wire.problem("leave", subscription=frame))["code"] == "not_found"
        cancelled = await wire.answer("cancel", conversation_id=conversation, reply_id=reply)
        assert (cancelled["type"], cancelled["data"]["reply_id"]) == ("done", reply)
        speaker = Speaker(house, ada, conversation, reply)
        assert await house.ports(ChatPorts).reply_locks.is_cancelled(speaker.tenant, reply)
        await speaker.cancelled("2")
        read = await wire.send("read", conversation_id=conversation, reply_id=reply)
        assert names(await wire.stream(read)) == ["cancelled"]


async def test_edit_and_regenerate(house: House, ada: Person):
    """Branches begin over the socket as over HTTP."""
    conversation = await ada.conversation()
    async with connected(house, ada) as wire:
        frame, accepted = await asked(wire, conversation)
        await Speaker(house, ada, conversation, accepted["data"]["reply_id"]).answer("25")
        await wire.stream(frame)
        for kind, fields in (
            ("regenerate", {"reply_id": accepted["data"]["reply_id"]}),
            ("regenerate", {"reply_id": accepted["data"]["reply_id"], "body": {"thinking": "off"}}),
            ("edit", {"message_id": accepted["data"]["message_id"], "body": {"content": "And hours?"}}),
        ):
            frame = await wire.send(kind, conversation_id=conversation, **fields)
            assert (await wire.next(frame))["type"] == "opened"
            again = (await wire.next(frame))["data"]
            assert again["reply_id"] != accepted["data"]["reply_id"]
            assert (again["message_id"] == accepted["data"]["message_id"]) is (kind == "regenerate")
            await Speaker(house, ada, conversation, again["reply_id"]).answer("30")
            assert names(await wire.stream(frame)) == ["retrieved", "delta", "completed"]


async def test_progress_of_documents(house: House, ada: Person):
    async with connected(house, ada) as wire:
        frame = await wire.send("watch", knowledge_base_id=ada.base)
        assert (await wire.next(frame))["type"] == "opened"
        snapshot = await wire.next(frame)
        assert (snapshot["event"], snapshot["data"]["documents"]) == ("snapshot", 0)


MALFORMED: list[tuple[str, str, str]] = [
    ("{", "", "invalid_request"),
    ("[]", "", "validation_failed"),
    ('"x"', "", "validation_failed"),
    ('{"id":"a","type":"dance"}', "a", "validation_failed"),
    ('{"id":"a"}', "a", "validation_failed"),
    ('{"type":"ping"}', "", "validation_failed"),
    ('{"id":7,"type":"ping"}', "", "validation_failed"),
    ('{"id":"' + "x" * 65 + '","type":"ping"}', "", "validation_failed"),
    ('{"id":"a","type":"ping","more":1}', "a", "validation_failed"),
    ('{"id":"a","type":"ask","conversation_id":"x","body":{}}', "a", "validation_failed"),
    ('{"id":"a","type":"ask","conversation_id":"11111111-1111-4111-8111-111111111111","body":{}}', "a", "validation_failed"),
    ('{"id":"a","type":"ask","conversation_id":"11111111-1111-4111-8111-111111111111","body":{"content":"x"}}', "a", "not_found"),
    ("[" * 5_000, "", "invalid_request"),
    ("x" * 2_000_000, "", ""),
    ("x" * 200_000, "", "body_too_large"),
]


@pytest.mark.parametrize(("text", "frame_id", "code"), MALFORMED, ids=range(len(MALFORMED)))
async def test_malformed_frames_are_answered_and_not_fatal(house: House, ada: Person, text: str, frame_id: str, code: str):
    """Each by a problem that names the frame as far as it can be read; only a frame out of all measure ends the connection."""
    async with connected(house, ada) as wire:
        await wire.socket.send_str(text)
        if not code:
            assert await wire.closed() == 1009
            return
        answer = await wire.next()
        assert (answer["type"], answer["id"], answer["problem"]["code"]) == ("problem", frame_id, code), answer
        assert answer["problem"]["request_id"]
        assert (await wire.answer("ping"))["type"] == "pong"


async def test_what_is_wrong_is_named(house: House, ada: Person):
    """Every field of the frame, and of the body in it as over HTTP."""
    async with connected(house, ada) as wire:
        problem = await wire.problem("ask", conversation_id="x", body={"content": "y"}, colour="red")
        assert [each["field"] for each in problem["errors"]] == ["colour", "conversation_id"]
        problem = await wire.problem("ask", conversation_id=str(uuid.uuid4()), body={"content": 5})
        assert [each["field"] for each in problem["errors"]] == ["content"]
        await wire.socket.send_bytes(b'{"id":"b","type":"ping"}')
        assert (await wire.next("b"))["problem"]["code"] == "invalid_request"


async def test_ids_in_work_and_their_number_are_bounded(api_settings):
    settings = _with_sockets(api_settings, subscriptions_max=2)
    async with opened(settings) as house:
        ada = await house.person()
        async with connected(house, ada) as wire:
            for name in ("a", "b"):
                assert (await wire.answer("watch", frame_id=name, knowledge_base_id=ada.base))["type"] == "opened"
            problem = await wire.problem("watch", frame_id="c", knowledge_base_id=ada.base)
            assert (problem["code"], problem["rule"]) == ("rate_limited", "socket_subscriptions")
            await wire.send("leave", subscription="a")
            await wire.send("watch", frame_id="b", knowledge_base_id=ada.base)
            while (frame := await wire.next("b"))["type"] != "problem":
                pass
            assert frame["problem"]["errors"][0]["field"] == "id"
            assert (await wire.answer("watch", frame_id="a", knowledge_base_id=ada.base))["type"] == "opened"


async def test_frames_per_second_are_bounded(api_settings):
    """Refused by name at first; who goes on regardless is closed."""
    async with opened(_with_sockets(api_settings, frames_per_second=0.5)) as house:
        ada = await house.person()
        async with connected(house, ada) as wire:
            problem = await wire.problem("ping")
            assert (problem["code"], problem["rule"]) == ("rate_limited", "socket_frames")
            assert problem["retry_after_s"] >= 1
            for _ in range(100):
                await wire.send("ping")
            assert await wire.closed() == 4429


async def test_connections_are_bounded(api_settings):
    """Per account once it is known, per process before."""
    async with opened(_with_sockets(api_settings, per_user_max=1, sockets_max=2)) as house:
        ada, bob = await house.person(), await house.person()
        async with connected(house, ada), connected(house) as wire:
            problem = await wire.problem("authenticate", token=ada.token)
            assert (problem["code"], problem["rule"]) == ("rate_limited", "socket_connections")
            assert (await wire.answer("authenticate", token=bob.token))["type"] == "authenticated"
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with connected(house):
                    pass
            assert refused.value.status == 503
            assert refused.value.headers is not None
            assert refused.value.headers["Retry-After"] == "2"


async def test_limits_count_as_over_http(api_settings):
    """A question takes from the same buckets, whichever way it comes."""
    async with opened(with_limits(api_settings, messages_per_minute=1, burst_factor=1)) as house:
        ada = await house.person()
        conversation = await ada.conversation()
        async with connected(house, ada) as wire:
            _, accepted = await asked(wire, conversation)
            await Speaker(house, ada, conversation, accepted["data"]["reply_id"]).answer("25")
            problem = await wire.problem("ask", conversation_id=conversation, body={"content": "And?"})
            assert (problem["code"], problem["rule"]) == ("rate_limited", "messages")
            assert (await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "And?"})).status_code == 429


async def test_tenants_are_walls(house: House, ada: Person, bob: Person):
    conversation = await ada.conversation()
    async with connected(house, ada) as wire:
        _, accepted = await asked(wire, conversation)
    reply = accepted["data"]["reply_id"]
    async with connected(house, bob) as wire:
        assert (await wire.problem("ask", conversation_id=conversation, body={"content": "x"}))["code"] == "not_found"
        assert (await wire.problem("read", conversation_id=conversation, reply_id=reply))["code"] == "not_found"
        assert (await wire.problem("cancel", conversation_id=conversation, reply_id=reply))["code"] == "not_found"
        assert (await wire.problem("watch", knowledge_base_id=ada.base))["code"] == "not_found"


async def test_what_breaks_here_is_a_problem_of_that_frame(house: House, ada: Person, monkeypatch):
    """Reported without what was said inside; the connection goes on."""

    async def breaks(*_: object) -> None:
        raise RuntimeError("the driver said no")

    monkeypatch.setattr(house.ports(ChatPorts).reply_locks, "acquire", breaks)
    conversation = await ada.conversation()
    async with connected(house, ada) as wire:
        problem = await wire.problem("ask", conversation_id=conversation, body={"content": "x"})
        assert problem["code"] == "internal_error"
        assert "driver" not in json.dumps(problem)
        assert (await wire.answer("ping"))["type"] == "pong"


async def test_silence_is_filled_and_ends(api_settings, monkeypatch):
    monkeypatch.setattr(session_module, "BEAT_S", 0.02)
    monkeypatch.setattr(session_module, "HEARTBEAT_S", 0.05)
    async with opened(_with_sockets(api_settings, idle_s=0.5)) as house:
        ada = await house.person()
        async with connected(house, ada) as wire:
            assert await wire.closed() == 4408
            assert "heartbeat" in [frame["type"] for frame in wire.kept]
        monkeypatch.setattr(session_module, "AUTHENTICATE_S", 0.1)
        async with connected(house) as wire:
            assert await wire.closed() == 4401
        async with connected(house, ada) as wire:  # who reads is not idle
            await wire.send("watch", frame_id="w", knowledge_base_id=ada.base)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.8):
                    await wire.closed()


async def test_the_page_says_it_all():
    """Every frame, setting, rule and close code stands in docs/socket.md."""
    page = _page()
    assert {kind for kind in FRAMES if f"| `{kind}` |" in page} == set(FRAMES)
    settings = {SocketSettings.prefix + field.name.upper() for field in msgspec.structs.fields(SocketSettings)}
    assert {name for name in settings if name in page} == settings
    codes = (
        session_module.UNAUTHENTICATED,
        session_module.DENIED,
        session_module.IDLE,
        session_module.RATE_LIMITED,
        session_module.INTERNAL_ERROR,
        session_module.TRY_AGAIN_LATER,
    )
    assert [code for code in codes if str(code) not in page] == []
    for example in re.findall(r"^\{.*\}$", page, re.MULTILINE):
        assert {"id", "type"} <= json.loads(example).keys()


def _page() -> str:
    return (Path(__file__).resolve().parents[3] / "docs" / "socket.md").read_text(encoding="utf-8")


def _with_sockets(settings: Any, **sockets: Any) -> Any:
    return msgspec.structs.replace(with_limits(settings, enabled=False), socket=SocketSettings(**sockets))


def _json_with(key: str) -> dict[str, str]:
    return {"idempotency-key": key, "content-type": "application/json"}
