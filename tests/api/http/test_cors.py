"""Pages of other origins: those that are listed, on every answer, before authentication."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from msgspec.structs import replace

from api.http.cors import parse_origins
from schemas.errors import ConfigurationError
from schemas.settings import LimitSettings, Settings
from tests.support.api_process import House, Person, opened
from tests.support.api_redis import free_port, on_redis, redis_server
from tests.support.browser import NEEDS_CHROMIUM, open_browser
from tests.support.foreign_page import serve_page
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
PAGE = "http://localhost:5173"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type,last-event-id"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def listing(api_settings: Settings) -> AsyncIterator[House]:
    node = replace(api_settings.node, cors_origins=f"{PAGE}, https://App.example.org/")
    async with opened(replace(api_settings, node=node)) as running:
        yield running


def cors(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


async def test_nothing_without_the_setting(house: House):
    for answer in (
        await house.client.options("/v1/chat/completions", headers={"origin": PAGE, **PREFLIGHT}),
        await house.client.get("/livez", headers={"origin": PAGE}),
    ):
        assert (cors(answer), "vary" in answer.headers) == ({}, False)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/conversations", "/api/v1/knowledge", "/nowhere"])
async def test_a_preflight_needs_no_credential(listing: House, path: str):
    answer = await listing.client.options(path, headers={"origin": PAGE, **PREFLIGHT})
    assert (answer.status_code, answer.content) == (204, b"")
    said = cors(answer)
    assert said["access-control-allow-origin"] == PAGE
    assert said["access-control-allow-credentials"] == "true"
    assert "POST" in said["access-control-allow-methods"]
    assert said["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("origin", ["http://localhost:5174", "https://localhost:5173", "http://localhost:5173.evil.example", "null", ""])
async def test_an_origin_that_is_not_listed_gets_nothing(listing: House, origin: str):
    for method, headers in (("OPTIONS", PREFLIGHT), ("GET", {})):
        answer = await listing.client.request(method, "/livez", headers={"origin": origin, **headers})
        assert cors(answer) == {}
        assert answer.headers["vary"] == "Origin"


async def test_errors_and_answers_carry_the_headers(listing: House):
    ada: Person = await listing.person()
    origin = {"origin": "https://app.example.org"}
    refused = await listing.client.get("/api/v1/conversations", headers=origin)
    is_problem(refused, 401, "unauthenticated")
    missing = await listing.client.get("/api/v1/nowhere", headers=origin)
    found = await ada.call("GET", "/conversations", headers=origin)
    stream_refused = await ada.call("POST", "/conversations/nobody/messages", headers=origin, json={"content": "x"})
    assert (missing.status_code, found.status_code) == (404, 200)
    for answer in (refused, missing, found, stream_refused):
        said = cors(answer)
        assert said["access-control-allow-origin"] == "https://app.example.org"
        assert said["access-control-allow-credentials"] == "true"
        assert "Retry-After" in said["access-control-expose-headers"]
        assert answer.headers["vary"] == "Origin"


async def test_a_stream_carries_the_headers(listing: House):
    ada: Person = await listing.person()
    path = f"/api/v1/knowledge/{ada.base}/events"
    async with listing.client.stream("GET", path, headers={**ada.headers, "origin": PAGE, "accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert cors(answer)["access-control-allow-origin"] == PAGE


async def test_any_page_gets_no_credentials(api_settings: Settings):
    async with opened(replace(api_settings, node=replace(api_settings.node, cors_origins=f"*,{PAGE}"))) as running:
        stranger = cors(await running.client.get("/livez", headers={"origin": "https://stranger.example"}))
        known = cors(await running.client.get("/livez", headers={"origin": PAGE}))
    assert (stranger["access-control-allow-origin"], "access-control-allow-credentials" in stranger) == ("*", False)
    assert (known["access-control-allow-origin"], known["access-control-allow-credentials"]) == (PAGE, "true")


@pytest.mark.parametrize("listed", ["app.example.org", "https://app.example.org/path", "https://*.example.org", "null", "http://"])
async def test_an_entry_that_is_no_origin_ends_the_start(listed: str):
    with pytest.raises(ConfigurationError, match="CLAW_CORS_ORIGINS"):
        parse_origins(listed)


async def test_origins_of_extensions_and_shells_are_origins():
    assert parse_origins("app://obsidian.md, chrome-extension://abcdef,") == {"app://obsidian.md", "chrome-extension://abcdef"}


@pytest.mark.parametrize("listed", [True, False], ids=["other origins are listed", "none are listed"])
async def test_what_widgets_call_every_page_may_without_a_cookie(house: House, listing: House, listed: bool):
    """Also a page that may use cookies elsewhere, and also what is refused; a preflight grants no way into a private network."""
    running, path = listing if listed else house, "/api/v1/widget/questions"
    for origin in ("https://stranger.example", "null", PAGE):
        asked = {"origin": origin, **PREFLIGHT, "access-control-request-private-network": "true"}
        preflight = await running.client.options(path, headers=asked)
        refused = await running.client.post(path, headers={"origin": origin}, json={"question": "x"})
        missing = await running.client.get("/api/v1/widget/nothing", headers={"origin": origin})
        large = await running.client.post(path, headers={"origin": origin}, content=b"x" * 2_000_000)
        assert [each.status_code for each in (preflight, refused, missing, large)] == [204, 401, 404, 401]
        for answer in (preflight, refused, missing, large):
            said = cors(answer)
            assert said["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in said
            assert "access-control-allow-private-network" not in said
        assert preflight.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
        assert "Retry-After" in refused.headers["access-control-expose-headers"]
    elsewhere = await running.client.get("/api/v1/widgets", headers={"origin": "https://stranger.example"})
    assert cors(elsewhere) == {}


# What a page gets to see of an answer; null where the browser keeps it from the page.
_SEEN = """async ([url, method, authorization, body]) => {
  const stop = new AbortController();
  try {
    const headers = {...(authorization && {authorization}), ...(body && {"content-type": "application/json", "idempotency-key": "k"})};
    const answer = await fetch(url, {method, headers, body: body || null, signal: stop.signal});
    const begun = (await answer.body.getReader().read()).value;
    return {status: answer.status, headers: [...answer.headers.keys()], text: new TextDecoder().decode(begun)};
  } catch (error) {
    return null;
  } finally {
    stop.abort();
  }
}"""


@NEEDS_CHROMIUM
async def test_a_browser_lets_pages_of_listed_origins_read_every_answer(api_settings: Settings, tmp_path: Path):
    """Streams and errors of every kind with their headers, also while Redis is away; a page of another origin reads nothing."""
    port = free_port()
    async with redis_server(port, tmp_path) as redis, serve_page({}) as site, serve_page({}) as stranger, open_browser() as browser:
        settings = replace(on_redis(api_settings, port), limits=LimitSettings(knowledge_per_minute=1, burst_factor=1))
        async with opened(replace(settings, node=replace(api_settings.node, cors_origins=site.origin))) as running:
            person = await running.person()
            page = await browser.new_page()

            async def see(method: str, path: str, body: str = "", *, credential: str = person.headers["authorization"]) -> dict[str, Any]:
                url = f"http://127.0.0.1:{running.client.base_url.port}/{path}"
                return dict(await page.evaluate(_SEEN, [url, method, credential, body]) or {})

            stream = f"api/v1/knowledge/{person.base}/events"
            await page.goto(stranger.origin)
            for method, path in (("GET", "livez"), ("GET", "api/v1/users/me"), ("GET", stream)):
                assert await see(method, path) == {}
            await page.goto(site.origin)
            for answer, status, headers in (
                (await see("POST", "api/v1/conversations", "{}"), 201, {"location", "etag", "ratelimit-policy"}),
                (await see("GET", stream), 200, {"ratelimit"}),
                (await see("GET", stream), 429, {"retry-after"}),
                (await see("GET", "api/v1/nowhere"), 404, set()),
                (await see("DELETE", "api/v1/users/me"), 405, {"allow"}),
                (await see("GET", "api/v1/users/me", credential=""), 401, {"www-authenticate"}),
                (await see("POST", "api/v1/conversations", "x" * 2_000_000), 413, {"ratelimit-policy"}),
                (await see("GET", "v1/models/none"), 404, {"ratelimit-policy"}),
            ):
                assert answer["status"] == status, (status, answer)
                assert headers | {"x-request-id", "content-type"} <= set(answer["headers"]), answer
            redis.kill()
            await redis.wait()
            for answer in (await see("GET", "api/v1/conversations"), await see("POST", "api/v1/conversations", "{}")):
                assert (answer["status"], "retry-after" in answer["headers"]) == (503, True), answer
                assert "redis_unavailable" in answer["text"]
            await page.goto(stranger.origin)  # pages of all origins may use widgets
            widget = f"claw_{'0' * 32}_x"
            answer = await see("POST", "api/v1/widget/questions", '{"question": "x"}', credential=f"Bearer {widget}")
            assert (answer["status"], "retry-after" in answer["headers"]) == (503, True), answer
