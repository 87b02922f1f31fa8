"""Who may hold a WebSocket open: where the credential may stand, when it ends, what a page of a stranger may do."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import aiohttp
import msgspec
import pytest

from api.core import Core
from api.http import identity
from api.http.ports import HttpPorts
from api.socket import session as session_module
from domain.accounts.topics import ACCOUNTS_CHANGED
from schemas.limits import AccessEntry
from schemas.records import AccountChanged
from schemas.settings.sockets import SocketSettings
from streams.clock import SystemClock
from streams.log.outgoing import Outgoing
from tests.support.api_process import House, Person, opened, with_limits
from tests.support.reply_speaker import TRACE, Speaker
from tests.support.sockets import connected

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at credentials all the time."""
    monkeypatch.setattr(session_module, "BEAT_S", 0.02)
    monkeypatch.setattr(identity, "FRESH_S", 0.0)


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``ahead(s)`` puts the clock of the application that far ahead."""
    shift_s = 0.0

    def put(seconds: float) -> None:
        nonlocal shift_s
        shift_s = seconds

    monkeypatch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + timedelta(seconds=shift_s))
    return put


def ending(house: House, person: Person, left_s: float) -> str:
    """A token of that person with that much left of its life."""
    claims = house.ports(HttpPorts).tokens.read(person.token, datetime.now(UTC))
    account = msgspec.convert({"id": claims.sub, "tenant": claims.tenant}, _Holder)
    issued_at = datetime.now(UTC) + timedelta(seconds=left_s - house.settings.auth.access_token_ttl_s)
    return house.ports(HttpPorts).tokens.issue(account, issued_at)[0]  # type: ignore[arg-type]  # the parts of an account that it reads


class _Holder(msgspec.Struct):
    id: str
    tenant: str
    role: str = "user"
    tier: str = "free"


async def test_token_as_subprotocol_or_header(house: House, ada: Person):
    """What browsers and programs can send with the handshake; the credential is never sent back."""
    async with connected(house, protocols=("claw.v1", f"bearer.{ada.token}")) as wire:
        assert wire.socket.protocol == "claw.v1"
        welcome = await wire.next("")
        assert (welcome["type"], welcome["data"]["user_id"]) == ("authenticated", ada.user["id"])
        assert welcome["data"]["expires_at"]
    async with connected(house, headers=ada.headers) as wire:
        assert (await wire.next(""))["type"] == "authenticated"
        assert wire.socket.protocol is None
        assert (await wire.answer("watch", knowledge_base_id=ada.base))["type"] == "opened"


async def test_a_wrong_token_closes_with_the_handshake_and_not_later(house: House, ada: Person):
    async with connected(house, headers={"authorization": "Bearer no"}) as wire:
        assert await wire.closed() == 4401
        assert wire.kept[0]["problem"]["code"] == "unauthenticated"
    async with connected(house) as wire:
        assert (await wire.problem("watch", knowledge_base_id=ada.base))["code"] == "unauthenticated"
        assert (await wire.problem("authenticate", token="no"))["code"] == "unauthenticated"
        assert (await wire.answer("ping"))["type"] == "pong"
        assert (await wire.answer("authenticate", token=ada.token))["type"] == "authenticated"
        assert (await wire.problem("authenticate", token="no"))["code"] == "unauthenticated"
        assert (await wire.answer("watch", knowledge_base_id=ada.base))["type"] == "opened"  # what was right stays


async def test_token_in_the_url_is_refused_by_name_and_not_logged(house: House, ada: Person, caplog: pytest.LogCaptureFixture):
    url = str(house.client.base_url.join("/api/v1/ws"))
    with caplog.at_level(logging.DEBUG, "uvicorn.error"), caplog.at_level(logging.DEBUG, "claw"):
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{url}?v=1&jwt={ada.token}", headers=_upgrade()) as answer:
                assert answer.status == 400
                assert answer.content_type == "application/problem+json"
                problem = await answer.json(content_type=None)
            assert problem["code"] == "credential_in_url"
            assert "'jwt'" in problem["detail"]
            assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert ada.token not in caplog.text


async def test_a_page_of_a_stranger_may_not_connect(house: House):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with connected(house, origin="https://evil.example"):
            pass
    assert refused.value.status == 403
    async with connected(house, origin=str(house.client.base_url).rstrip("/")) as wire:
        assert (await wire.answer("ping"))["type"] == "pong"


async def test_the_end_of_a_token_is_said_ahead_and_a_new_one_keeps_the_streams(house: House, ada: Person, watchful: None, ahead):
    """A stream that was opened before goes on under the new token, past the end of the old."""
    conversation = await ada.conversation()
    old = ending(house, ada, 50)
    async with connected(house, headers={"authorization": f"Bearer {old}"}) as wire:
        welcome = await wire.next("")
        frame = await wire.send("ask", conversation_id=conversation, body={"content": "Days?"})
        assert (await wire.next(frame))["type"] == "opened"
        accepted = await wire.next(frame)
        expiring = await wire.next("")
        assert (expiring["type"], expiring["data"]["expires_at"]) == ("expiring", welcome["data"]["expires_at"])
        assert (await wire.answer("authenticate", token=ada.token))["type"] == "authenticated"
        ahead(100)
        await asyncio.sleep(0.1)  # several looks at the credential
        await Speaker(house, ada, conversation, accepted["data"]["reply_id"]).answer("25")
        assert [each["event"] for each in await wire.stream(frame)] == ["retrieved", "delta", "completed"]


async def test_a_token_that_ends_ends_the_connection(house: House, ada: Person, watchful: None, ahead):
    async with connected(house, headers={"authorization": f"Bearer {ending(house, ada, 50)}"}) as wire:
        assert (await wire.next())["type"] == "authenticated"
        assert (await wire.next())["type"] == "expiring"
        ahead(100)
        assert await wire.closed() == 4401
        assert [each["problem"]["code"] for each in wire.kept] == ["unauthenticated"]


async def test_another_account_needs_another_connection(house: House, ada: Person, bob: Person):
    async with connected(house, ada) as wire:
        assert (await wire.problem("authenticate", token=bob.token))["code"] == "forbidden"
        assert (await wire.answer("watch", knowledge_base_id=ada.base))["type"] == "opened"


async def test_a_revoked_key_is_out_and_scopes_hold(house: House, ada: Person, watchful: None):
    made = (await ada.call("POST", "/api-keys", json={"name": "k", "scopes": ["knowledge:read"]})).json()
    async with connected(house) as wire:
        welcome = await wire.answer("authenticate", token=made["key"])
        assert welcome["data"] == {"user_id": ada.user["id"], "expires_at": None}
        problem = await wire.problem("ask", conversation_id=await ada.conversation(), body={"content": "x"})
        assert problem["code"] == "forbidden"
        assert (await wire.answer("watch", knowledge_base_id=ada.base))["type"] == "opened"
        assert (await ada.call("DELETE", f"/api-keys/{made['id']}")).status_code == 204
        assert await wire.closed() == 4401


async def test_a_key_is_refused_from_outside_its_address_ranges(house: House, ada: Person):
    """With the handshake and in a frame; within its ranges it is accepted."""
    keys = [
        (await ada.call("POST", "/api-keys", json={"name": "k", "addresses": [each]})).json()["key"]
        for each in ("203.0.113.0/24", "127.0.0.0/8")
    ]
    async with connected(house, headers={"authorization": f"Bearer {keys[0]}"}) as wire:
        await wire.closed()
        assert wire.kept[0]["problem"]["code"] == "address_not_allowed"
    async with connected(house) as wire:
        assert (await wire.problem("authenticate", token=keys[0]))["code"] == "address_not_allowed"
        assert (await wire.answer("authenticate", token=keys[1]))["type"] == "authenticated"


async def test_a_disabled_account_is_out(house: House, watchful: None):
    eve = await house.person()
    ports = house.ports
    account = await ports(Core).read_models.accounts.get(eve.user["id"], eve.user["id"])
    assert account is not None
    async with connected(house, eve) as wire:
        event = AccountChanged(
            id="disabled",
            source="/claw/test",
            subject=account.id,
            time=ports(Core).clock.now(),
            tenant=account.tenant,
            traceparent=TRACE,
            data=msgspec.structs.replace(account, disabled=True),
        )
        await ports(Core).read_models.apply(event, await ports(Core).publisher.publish(Outgoing(ACCOUNTS_CHANGED, event)))
        assert await wire.closed() == 4401


async def test_who_is_shut_out_is_out(house: House, ada: Person, watchful: None, monkeypatch: pytest.MonkeyPatch):
    """Also with a connection that was open before."""
    async with connected(house, ada) as wire:
        entry = AccessEntry(kind="user", value=ada.user["id"], access="deny")
        monkeypatch.setattr(house.ports(HttpPorts).limiting, "verdict", lambda _address, caller: entry if caller is not None else None)
        assert await wire.closed() == 4403


async def test_guessing_is_limited_by_address(api_settings):
    settings = msgspec.structs.replace(with_limits(api_settings, address_per_minute=2), socket=SocketSettings())
    async with opened(settings) as house, connected(house) as wire:  # the handshake took one of four
        codes = [(await wire.problem("authenticate", token="no"))["code"] for _ in range(4)]
        assert codes == ["unauthenticated"] * 3 + ["rate_limited"]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(house):
                pass
        assert refused.value.status == 429


def _upgrade() -> dict[str, str]:
    return {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
