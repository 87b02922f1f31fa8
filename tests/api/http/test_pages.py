"""Sessions of pages: tokens in cookies, and what keeps other pages from using them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from adapters.secrets.session_tokens import SessionTokens
from api.http.pages import PageSessions
from schemas.errors import Refused
from schemas.settings import AuthSettings, NodeSettings, Settings
from schemas.settings.section import Secret
from streams.clock import SystemClock
from tests.support.api_process import PASSWORD, House, Person, opened
from tests.support.problems import is_problem
from tests.support.sockets import connected

pytestmark = pytest.mark.asyncio(loop_scope="session")
FOREIGN = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
AUTH = AuthSettings(secret=Secret("s" * 32))


def pages(**node: Any) -> PageSessions:
    return PageSessions(Settings(node=NodeSettings(**node), auth=AUTH), SessionTokens(AUTH), SystemClock())


def scope(**headers: str) -> Any:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in ({"host": "api.example.org"} | headers).items()]
    return {"type": "http", "method": "POST", "scheme": "http", "headers": pairs, "state": {"response_headers": []}}


@pytest.mark.parametrize(
    ("headers", "fits"),
    [
        ({}, True),  # no browser; the CSRF token decides
        ({"origin": "https://api.example.org"}, True),
        ({"origin": "https://API.example.org", "sec_fetch_site": "same-origin"}, True),
        ({"origin": "http://api.example.org", "sec_fetch_site": "cross-site"}, False),  # the same name without TLS
        ({"origin": "https://api.example.org:8443"}, False),
        ({"origin": "https://www.example.org", "sec_fetch_site": "same-site"}, False),
        ({"origin": "https://app.example.org", "sec_fetch_site": "same-site"}, True),
        ({"origin": "https://public.example.org"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "none"}, True),
        ({"origin": "null"}, False),
        ({"origin": "https://[oops"}, False),
        ({"origin": "https://evil.example", "host": "evil.example.evil"}, False),
    ],
)
async def test_origins(headers: dict[str, str], fits: bool):
    checks = pages(cors_origins="https://app.example.org", public_url="https://public.example.org/claw")
    if fits:
        checks.check_origin(scope(**headers))
        return
    with pytest.raises(Refused) as refusal:
        checks.check_origin(scope(**headers))
    assert refusal.value.code == "origin_refused"


async def test_any_origin_is_none_in_particular():
    """``*`` opens the API to pages without credentials; a cookie is one."""
    with pytest.raises(Refused):
        pages(cors_origins="*").check_origin(scope(origin="https://evil.example"))
    with pytest.raises(Refused):
        pages().check_origin(scope(), required=True)


@pytest.mark.parametrize(
    ("public_url", "access", "refresh", "secure"),
    [("", "claw_access", "claw_refresh", ""), ("https://claw.example.org", "__Host-claw_access", "__Secure-claw_refresh", "; Secure")],
)
async def test_cookies_as_browsers_get_them(public_url: str, access: str, refresh: str, secure: str):
    """With TLS under names that no other host of the domain can set, and read under no others."""
    sent, sessions = scope(), pages(public_url=public_url)
    sessions.set_cookies(sent, access_token="a", access_s=1, refresh_token="r", refresh_s=2)
    assert [value.decode() for _, value in sent["state"]["response_headers"]] == [
        f"{access}=a; Path=/; Max-Age=1; SameSite=Lax; HttpOnly{secure}",
        f"{refresh}=r; Path=/api/v1/auth; Max-Age=2; SameSite=Strict; HttpOnly{secure}",
    ]
    both = scope(cookie="claw_access=plain; __Host-claw_access=prefixed; claw_refresh=x")
    assert sessions.access_token(both) == ("prefixed" if public_url else "plain")


async def test_a_cookie_that_was_set_twice_is_none():
    assert pages().access_token(scope(cookie="claw_access=a; claw_access=b")) == ""
    assert pages().access_token(scope(cookie="claw_access=a;claw_access=a; x=y;")) == "a"
    assert pages().access_token(scope(cookie="xclaw_access=a; claw_access")) == ""


@asynccontextmanager
async def page(house: House, person: Person) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, Any]]]:
    """A page of the API's own host that is logged in, and the response to its login."""
    async with httpx.AsyncClient(base_url=house.client.base_url, timeout=20) as client:
        body = {"email": person.email, "password": PASSWORD, "cookie": True}
        answer = await client.post("/api/v1/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        yield client, answer.json()


async def test_a_page_has_no_token_in_its_hands(house: House, ada: Person):
    """Reads go with the cookie alone, event streams too; changes need the CSRF token of this very session."""
    async with page(house, ada) as (client, session), page(house, ada) as (_, other):
        assert not {"access_token", "refresh_token"} & session.keys()
        assert {cookie.name for cookie in client.cookies.jar} == {"claw_access", "claw_refresh"}
        assert all(cookie.has_nonstandard_attr("HttpOnly") for cookie in client.cookies.jar)
        assert (await client.get("/api/v1/users/me")).json() == ada.user
        own = {"x-csrf-token": session["csrf_token"]}
        for headers in ({}, {"x-csrf-token": other["csrf_token"]}, {"x-csrf-token": "x"}):
            is_problem(await client.post("/api/v1/conversations", json={}, headers=headers), 403, "csrf_failed")
        for method, path in (("DELETE", "/auth/sessions"), ("PUT", f"/knowledge/{ada.base}/documents/a")):
            is_problem(await client.request(method, f"/api/v1{path}", json={"text": "x"}), 403, "csrf_failed")
        is_problem(await client.post("/api/v1/conversations", json={}, headers=own | FOREIGN), 403, "origin_refused")
        assert (await client.post("/api/v1/conversations", json={}, headers=own)).status_code == 201
        current = (await client.get("/api/v1/auth/session")).json()
        assert (current["csrf_token"], current["session"]["kind"]) == (session["csrf_token"], "cookie")
        async with client.stream("GET", f"/api/v1/knowledge/{ada.base}/events") as stream:
            assert stream.status_code == 200
            assert stream.headers["content-type"].startswith("text/event-stream")


async def test_a_header_wins_over_a_cookie(house: House, ada: Person, bob: Person):
    async with page(house, ada) as (client, _):
        assert (await client.get("/api/v1/users/me", headers=bob.headers)).json() == bob.user
        assert (await client.post("/api/v1/conversations", json={}, headers=bob.headers)).status_code == 201
        is_problem(await client.get("/api/v1/users/me", headers={"authorization": "Bearer x"}), 401, "unauthenticated")
        key = (await ada.call("POST", "/api-keys", json={"name": "k"})).json()["key"]
        is_problem(await house.client.get("/api/v1/users/me", headers={"cookie": f"claw_access={key}"}), 401, "unauthenticated")


async def test_a_page_refreshes_and_logs_out(house: House, ada: Person):
    """Its tokens never change sides: not from the cookie into the body, nor back. A foreign page can do neither, nor log anybody in."""
    async with page(house, ada) as (client, session):
        before = {cookie.name: cookie.value or "" for cookie in client.cookies.jar}
        for path, body in (("refresh", {"cookie": True}), ("login", {"email": ada.email, "password": PASSWORD, "cookie": True})):
            is_problem(await client.post(f"/api/v1/auth/{path}", json=body, headers=FOREIGN), 403, "origin_refused")
        refreshed = await client.post("/api/v1/auth/refresh", json={"cookie": True})
        assert refreshed.json()["session_id"] == session["session_id"]
        after = {cookie.name: cookie.value or "" for cookie in client.cookies.jar}
        assert after["claw_refresh"] != before["claw_refresh"]
        is_problem(await client.post("/api/v1/auth/refresh", json={"refresh_token": after["claw_refresh"]}), 401, "refresh_token_invalid")
        token = (await house.client.post("/api/v1/auth/login", json={"email": ada.email, "password": PASSWORD})).json()["refresh_token"]
        crossed = {"cookie": f"claw_refresh={token}"}
        is_problem(await house.client.post("/api/v1/auth/refresh", json={"cookie": True}, headers=crossed), 401, "refresh_token_invalid")
        own = {"x-csrf-token": refreshed.json()["csrf_token"]}
        assert (await client.post("/api/v1/auth/logout", headers=own)).status_code == 204
        assert not list(client.cookies.jar)
        late = {"cookie": "; ".join(f"{name}={value}" for name, value in after.items())}
        is_problem(await house.client.get("/api/v1/users/me", headers=late), 401, "session_ended")
        is_problem(await house.client.post("/api/v1/auth/refresh", json={"cookie": True}, headers=late), 401, "session_ended")


async def test_a_listed_page_of_another_origin_uses_its_cookie(house: House, ada: Person):
    app = {"origin": "https://app.example.org", "sec-fetch-site": "same-site"}
    node = replace(house.settings.node, cors_origins=app["origin"])
    async with opened(replace(house.settings, node=node)) as listing, page(listing, ada) as (client, session):
        answer = await client.post("/api/v1/conversations", json={}, headers=app | {"x-csrf-token": session["csrf_token"]})
        assert answer.status_code == 201
        assert answer.headers["access-control-allow-credentials"] == "true"
    async with page(house, ada) as (client, session):
        answer = await client.post("/api/v1/conversations", json={}, headers=app | {"x-csrf-token": session["csrf_token"]})
        is_problem(answer, 403, "origin_refused")
        assert "access-control-allow-origin" not in answer.headers


async def test_a_socket_with_a_cookie_is_of_a_page_of_this_host(house: House, ada: Person):
    """Else a page anywhere could speak for its visitor."""
    async with page(house, ada) as (client, _):
        cookie = {"cookie": "; ".join(f"{each.name}={each.value}" for each in client.cookies.jar)}
        own = str(house.client.base_url).rstrip("/")
        async with connected(house, headers=cookie | {"origin": own}) as wire:
            welcome = await wire.next("")
            assert (welcome["type"], welcome["data"]["user_id"]) == ("authenticated", ada.user["id"])
            assert (await wire.answer("watch", knowledge_base_id=ada.base))["type"] == "opened"
        for headers in (cookie, cookie | {"origin": "null"}):
            answer = await house.client.get("/api/v1/ws", headers=headers | upgrade())
            assert answer.status_code == 403
        assert is_problem(await house.client.get("/api/v1/ws", headers=cookie | upgrade()), 403, "origin_refused")


def upgrade() -> dict[str, str]:
    return {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
