"""Web pages by address: what is never connected to, what is bounded, what is followed; against real servers on the loopback."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from adapters.web.fetch import Fetcher, WebPage
from schemas.errors import Refused, Unavailable
from schemas.settings.documents import DocumentSettings

LOOPBACK = "127.0.0.1/32"
PAGE = "<html><head><title>Leave</title></head><body><p>Everybody has 25 days.</p></body></html>"


class Site:
    """A real web server with paths that a test sets, and names that resolve to wherever a test says."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[web.Request], Any]] = {}
        self.asked: list[str] = []
        self.addresses: list[str] = ["127.0.0.1"]
        self.lookups = 0
        self.port = 0

    def says(self, path: str, body: bytes | str = PAGE, status: int = 200, **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        named = {"Content-Type": "text/html; charset=utf-8"} | {name.replace("_", "-"): value for name, value in headers.items()}

        async def answer(_: web.Request) -> web.Response:
            return web.Response(body=content, status=status, headers=named)

        self.answers[path] = answer

    def url(self, path: str = "/", host: str = "site.test") -> str:
        return f"http://{host}:{self.port}{path}"

    async def look_up(self, host: str, port: int) -> list[str]:
        self.lookups += 1
        if host == "nowhere.test":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        if host == "later.test":
            raise socket.gaierror(socket.EAI_AGAIN, "later")
        return self.addresses

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        answer = self.answers.get(request.path)
        if answer is None:
            return web.Response(status=404)
        made: web.StreamResponse = await answer(request)
        return made


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", site.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    site.port = runner.addresses[0][1]
    yield site
    await runner.cleanup()


@pytest.fixture
async def fetch(site: Site) -> AsyncIterator[Callable[..., Any]]:
    """``await fetch(url, **settings)``: the page, and its content."""
    opened: list[Fetcher] = []

    async def run(url: str, fetcher: Fetcher | None = None, **settings: Any) -> SimpleNamespace:
        if fetcher is None:
            fetcher = Fetcher(DocumentSettings(**({"fetch_networks": LOOPBACK} | settings)), look_up=site.look_up)
            await fetcher.start()
            opened.append(fetcher)
        content = bytearray()

        async def write(data: bytes) -> None:
            content.extend(data)

        page: WebPage = await fetcher.fetch(url, write)
        return SimpleNamespace(page=page, content=bytes(content), fetcher=fetcher)

    yield run
    for fetcher in opened:
        await fetcher.stop()


async def refusal(work: Any, code: str) -> Refused:
    with pytest.raises(Refused) as refused:
        await work
    assert refused.value.code == code, refused.value.detail
    return refused.value


async def trouble(work: Any) -> Unavailable:
    with pytest.raises(Unavailable) as unavailable:
        await work
    assert unavailable.value.code == "url_unreachable"
    return unavailable.value


async def test_fetched(site: Site, fetch):
    """Content and what was said about it; the robot asks for leave first and tells its name."""
    site.says("/docs/leave.html")
    got = await fetch(site.url("/docs/leave.html?x=1#part"))
    assert got.content.decode() == PAGE
    assert got.page == WebPage(url=site.url("/docs/leave.html?x=1"), media_type="text/html", charset="utf-8", filename="leave.html")
    assert site.asked == ["/robots.txt", "/docs/leave.html?x=1"]


@pytest.mark.parametrize(
    ("content_type", "media_type"),
    [
        ("application/pdf", "application/pdf"),
        ("application/xhtml+xml", "text/html"),
        ("text/plain; charset=GBK", "text/plain"),
        ("application/octet-stream", ""),
        ("application/vnd.ms-excel", "application/vnd.ms-excel"),
    ],
)
async def test_kinds_of_content(site: Site, fetch, content_type: str, media_type: str):
    site.says("/a", b"x", Content_Type=content_type, Content_Disposition="attachment; filename*=UTF-8''..%2F%E5%B9%B4%E5%81%87.pdf")
    got = await fetch(site.url("/a"))
    assert got.page.media_type == media_type
    assert got.page.filename == "年假.pdf"


async def test_kinds_that_are_not_read(site: Site, fetch):
    site.says("/a", b"x", Content_Type="image/png")
    assert "image/png" in (await refusal(fetch(site.url("/a")), "document_type_unsupported")).detail


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204, 206, 304])
async def test_answers_that_stay(site: Site, fetch, status: int):
    site.says("/a", b"", status=status)
    assert str(status) in (await refusal(fetch(site.url("/a")), "url_unreachable")).detail


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_answers_that_pass(site: Site, fetch, status: int):
    """Another try may help, after as long as the place says."""
    site.says("/a", b"", status=status, Retry_After="7")
    assert (await trouble(fetch(site.url("/a")))).retry_after_s == 7


async def test_nobody_there(site: Site, fetch):
    await refusal(fetch(site.url(host="nowhere.test")), "url_unreachable")
    await trouble(fetch(site.url(host="later.test")))
    await trouble(fetch("http://site.test:9/"))
    assert not site.asked


async def test_redirects_are_followed(site: Site, fetch):
    """Relative and absolute; the page's address is the last."""
    site.says("/a", status=302, Location="/b?x=1")
    site.says("/b", status=308, Location=site.url("/c", host="other.test"))
    site.says("/c")
    got = await fetch(site.url("/a"))
    assert got.page.url == site.url("/c", host="other.test")
    assert got.content.decode() == PAGE


async def test_redirects_in_a_circle(site: Site, fetch):
    site.says("/a", status=302, Location="/a")
    assert "3 times" in (await refusal(fetch(site.url("/a"), fetch_redirects_max=3), "url_unreachable")).detail
    assert site.asked.count("/a") == 4
    site.says("/b", status=302)
    await refusal(fetch(site.url("/b")), "url_unreachable")


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://site.test/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://u:p@site.test/",
        "gopher://x",
    ],
)
async def test_redirects_are_judged_like_addresses(site: Site, fetch, target: str):
    site.says("/a", status=302, Location=target)
    await refusal(fetch(site.url("/a")), "url_refused")


async def test_names_are_judged_when_they_are_connected_to(site: Site, fetch):
    """Every address of a name counts, the loopback among them; nothing is ever connected to."""
    site.says("/a")
    for addresses in (["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"], ["10.1.2.3"], ["fe80::1%1"]):
        site.addresses = addresses
        await refusal(fetch("http://site.test/a", fetch_networks=""), "url_refused")
        await refusal(fetch("http://site.test/a", fetch_networks="192.168.7.0/24"), "url_refused")
    assert not site.asked


async def test_a_name_that_changes_its_mind(site: Site, fetch):
    """DNS rebinding: the address that was judged is the one that is connected to, and the next connection is judged anew."""
    site.says("/a")
    got = await fetch(site.url("/a"))
    site.addresses = ["10.0.0.1"]
    await refusal(fetch(site.url("/a"), fetcher=got.fetcher), "url_refused")
    assert site.lookups == 3  # robots.txt, the page, the page: no connection and no answer was kept


async def test_another_port_only_where_it_is_allowed(site: Site, fetch):
    site.addresses = ["93.184.216.34"]
    await refusal(fetch("http://site.test:8080/"), "url_refused")
    await refusal(fetch("http://site.test:8080/", fetch_networks=""), "url_refused")


async def test_too_large(site: Site, fetch):
    site.says("/a", b"x" * 3_000)
    assert "2,000" in (await refusal(fetch(site.url("/a"), fetch_bytes_max=2_000), "document_too_large")).detail
    assert len((await fetch(site.url("/a"), fetch_bytes_max=3_000)).content) == 3_000


async def test_small_on_the_wire_large_in_memory(site: Site, fetch):
    """A gzip bomb ends at the limit, long before it is unpacked."""
    site.says("/bomb", gzip.compress(gzip.compress(bytes(50_000_000), 9)), Content_Encoding="gzip")
    assert len((await fetch(site.url("/bomb"))).content) < 100_000  # one layer only, as the header says
    site.says("/bomb", gzip.compress(bytes(30_000_000), 9), Content_Encoding="gzip")
    await refusal(fetch(site.url("/bomb"), fetch_bytes_max=1_000_000), "document_too_large")


async def test_slow(site: Site, fetch):
    """The whole fetch has one time, however little arrives again and again."""

    async def dribble(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/html"})
        await answer.prepare(request)
        for _ in range(100):
            await answer.write(b"x")
            await asyncio.sleep(0.05)
        return answer

    site.answers["/slow"] = dribble
    began = asyncio.get_running_loop().time()
    assert "0.4 s" in (await trouble(fetch(site.url("/slow"), fetch_timeout_s=0.4))).detail
    assert asyncio.get_running_loop().time() - began < 3


async def test_breaks_off(site: Site, fetch):
    async def cut(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/html", "Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b"x" * 10)
        assert request.transport is not None
        request.transport.close()
        return answer

    site.answers["/cut"] = cut
    await trouble(fetch(site.url("/cut")))
    site.says("/gzip", gzip.compress(b"x" * 1_000)[:-9], Content_Encoding="gzip")
    await refusal(fetch(site.url("/gzip")), "url_unreachable")
    site.says("/br", b"x", Content_Encoding="br")
    await refusal(fetch(site.url("/br")), "url_unreachable")


async def test_robots_are_obeyed(site: Site, fetch):
    """Asked once an hour and place; closed pages are not touched, behind a redirect either."""
    site.says("/robots.txt", "User-agent: *\nDisallow: /private", Content_Type="text/plain")
    site.says("/a")
    site.says("/in", status=302, Location="/private/b")
    got = await fetch(site.url("/a"))
    assert "robots.txt" in (await refusal(fetch(site.url("/private/a"), fetcher=got.fetcher), "url_refused")).detail
    await refusal(fetch(site.url("/in"), fetcher=got.fetcher), "url_refused")
    assert site.asked == ["/robots.txt", "/a", "/in"]


async def test_robots_that_do_not_answer(site: Site, fetch):
    """In trouble: later. Not there, whatever the reason: everything is open. Elsewhere: there."""
    site.says("/a")
    site.says("/robots.txt", status=503)
    await trouble(fetch(site.url("/a")))
    site.says("/robots.txt", status=403)
    await fetch(site.url("/a"))
    site.says("/robots.txt", status=301, Location="/r.txt")
    site.says("/r.txt", "User-agent: ClawBot\nDisallow: /", Content_Type="text/plain")
    await refusal(fetch(site.url("/a")), "url_refused")
    site.says("/robots.txt", "User-agent: *\nDisallow: /a\n" + "#" * 600_000 + "\nDisallow: /b", Content_Type="text/plain")
    await refusal(fetch(site.url("/a")), "url_refused")
    site.says("/b")
    await fetch(site.url("/b"))
