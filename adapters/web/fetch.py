"""Web pages by their address: public places only, bounded in time and size, and with the consent of robots.txt.

The connector resolves names itself and connects to exactly the addresses that were checked, so a name that resolves differently the next
time (DNS rebinding) gains nothing. Redirects are followed by hand, each checked like the first address.
"""

import asyncio
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from posixpath import basename
from urllib.parse import unquote

import aiohttp
from msgspec import Struct
from yarl import URL

from adapters.web import robots
from adapters.web.decompression import inflate
from adapters.web.public_addresses import check_url, parse_networks, url_refused
from adapters.web.public_resolver import PublicResolver, ResolveHost, resolve_host
from schemas.documents import FileType
from schemas.errors import Refused, Unavailable
from schemas.settings.documents import DocumentSettings

AGENT = "ClawBot"
HEADERS = {"User-Agent": f"{AGENT}/1.0", "Accept": "text/html,application/pdf,text/*;q=0.9,*/*;q=0.5", "Accept-Encoding": "gzip, deflate"}
FETCHES_MAX = 8  # at once per process; the others wait, as many as the worker group has in work
PIECE_BYTES = 65_536
ROBOTS_KEPT, ROBOTS_KEPT_S = 256, 3_600.0
ROBOTS_REDIRECTS_MAX = 5
RETRY_S_MAX = 60.0
FILENAME_CHARS_MAX = 200
REDIRECTS = frozenset({301, 302, 303, 307, 308})
RETRYABLE_STATUSES = frozenset({408, 421, 425, 429, 500, 502, 503, 504})  # that another attempt may change

MEDIA_TYPES: dict[str, FileType] = {
    "text/html": "text/html",
    "application/xhtml+xml": "text/html",
    "text/plain": "text/plain",
    "text/markdown": "text/markdown",
    "text/x-markdown": "text/markdown",
    "text/csv": "text/csv",
    "application/pdf": "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    ),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    ),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    ),
    "application/vnd.ms-excel": "application/vnd.ms-excel",
    "message/rfc822": "message/rfc822",
    "application/zip": "application/zip",
    "application/octet-stream": "",  # the content decides
    "binary/octet-stream": "",
}

Write = Callable[[bytes], Awaitable[None]]


class WebPage(Struct, frozen=True, kw_only=True):
    """A fetched page: its address after all redirects, and what its headers tell about it (empty: nothing)."""

    url: str
    media_type: FileType
    charset: str
    filename: str


class Fetcher:
    """One per process, between open() and close(). ``look_up(host, port)`` gives addresses or raises OSError."""

    def __init__(
        self, settings: DocumentSettings, *, look_up: ResolveHost = resolve_host, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._allowed = parse_networks(settings.fetch_networks)
        self._timeout_s, self._bytes_max = settings.fetch_timeout_s, min(settings.fetch_bytes_max, settings.file_bytes_max)
        self._redirects_max = settings.fetch_redirects_max
        self._resolver = PublicResolver(look_up, self._allowed)
        self._clock_s = clock_s
        self._room = asyncio.Semaphore(FETCHES_MAX)
        self._session: aiohttp.ClientSession | None = None
        self._robots: OrderedDict[URL, tuple[float, robots.Rules]] = OrderedDict()

    async def start(self) -> None:
        """Open the session; connects to nothing."""
        connector = aiohttp.TCPConnector(resolver=self._resolver, use_dns_cache=False, force_close=True, limit=2 * FETCHES_MAX)
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_s),  # the whole fetch has a time of its own
            auto_decompress=False,
            read_bufsize=PIECE_BYTES,
        )

    async def stop(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fetch(self, address: str, write: Write) -> WebPage:
        """Pass the page's content to ``write`` in pieces, decompressed.

        Raises Refused: "url_refused" (the address, a redirect's, or robots.txt), "url_unreachable", "document_too_large",
        "document_type_unsupported"; Unavailable("url_unreachable") for what may pass.
        """
        async with self._room:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._follow_redirects(check_url(address, self._allowed), write)
            except TimeoutError:
                raise Unavailable("url_unreachable", f"there was no whole answer within {self._timeout_s:g} s") from None

    async def _follow_redirects(self, url: URL, write: Write) -> WebPage:
        for _ in range(self._redirects_max + 1):
            if not (await self._robots_rules(url.origin())).allow(url.raw_path_qs):
                raise url_refused("is closed to programs by its robots.txt", "an address that robots may read")
            async with self._request(url) as answer:
                if answer.status not in REDIRECTS:
                    return await self._read_page(url, answer, write)
                url = self._redirect_target(url, answer)
        raise Refused("url_unreachable", f"it redirects more than {self._redirects_max} times")

    async def _read_page(self, url: URL, answer: aiohttp.ClientResponse, write: Write) -> WebPage:
        _check_status(answer)
        media_type = MEDIA_TYPES.get(answer.content_type)
        if media_type is None:
            raise Refused("document_type_unsupported", f"the address answers with {answer.content_type[:100]}")
        size = 0
        async with aclosing(_body_pieces(answer)) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > self._bytes_max:
                    limit = f"{self._bytes_max:,} bytes (CLAW_DOCUMENT_FETCH_BYTES_MAX)"
                    raise Refused("document_too_large", f"what the address answers with has more than {limit}")
                await write(piece)
        return WebPage(url=str(url), media_type=media_type, charset=answer.charset or "", filename=_filename(url, answer))

    async def _robots_rules(self, origin: URL) -> robots.Rules:
        """The rules of the site's robots.txt, cached for an hour."""
        known = self._robots.get(origin)
        if known is not None and self._clock_s() - known[0] < ROBOTS_KEPT_S:
            return known[1]
        rules = await self._fetch_rules(origin / "robots.txt")
        self._robots[origin] = (self._clock_s(), rules)
        self._robots.move_to_end(origin)
        while len(self._robots) > ROBOTS_KEPT:
            self._robots.popitem(last=False)
        return rules

    async def _fetch_rules(self, url: URL) -> robots.Rules:
        """The rules by RFC 9309: without a robots.txt everything is allowed; a failing site allows nothing (here: raises Unavailable)."""
        for _ in range(ROBOTS_REDIRECTS_MAX + 1):
            async with self._request(url) as answer:
                if answer.status in REDIRECTS:
                    url = self._redirect_target(url, answer)
                    continue
                if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                    raise Unavailable("url_unreachable", f"its robots.txt answers {answer.status}", retry_after_s=_retry_after_s(answer))
                if answer.status != HTTPStatus.OK:
                    return robots.Rules()
                text = bytearray()
                async with aclosing(_body_pieces(answer)) as pieces:
                    async for piece in pieces:
                        text += piece
                        if len(text) > robots.BYTES_MAX:
                            break
                return robots.parse(bytes(text[: robots.BYTES_MAX]).decode(errors="replace"), AGENT)
        return robots.Rules()

    def _redirect_target(self, url: URL, answer: aiohttp.ClientResponse) -> URL:
        try:
            target = str(url.join(URL(answer.headers["Location"])))
        except (KeyError, ValueError):
            raise Refused("url_unreachable", "it redirects to nowhere") from None
        found = check_url(target, self._allowed)
        if url.scheme == "https" and found.scheme != "https":
            raise url_refused("redirects from https to http", "https throughout")
        return found

    @asynccontextmanager
    async def _request(self, url: URL) -> AsyncIterator[aiohttp.ClientResponse]:
        """The head of an answer; failures, also while the body is read, become errors of this product."""
        assert self._session is not None, "open() first"
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                yield answer
        except aiohttp.ClientConnectorDNSError as error:
            raise _dns_failure(error) from error
        except (aiohttp.ClientSSLError, aiohttp.InvalidURL, ssl.CertificateError) as error:
            raise Refused("url_unreachable", f"no safe connection: {type(error).__name__}") from error
        except aiohttp.ClientError as error:
            raise Unavailable("url_unreachable", f"the connection failed: {type(error).__name__}") from error


async def _body_pieces(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    """The body, decompressed in bounded pieces."""
    async for piece in inflate(answer.content.iter_chunked(PIECE_BYTES), answer.headers.get("Content-Encoding", "")):
        yield piece


def _check_status(answer: aiohttp.ClientResponse) -> None:
    if answer.status in RETRYABLE_STATUSES:
        raise Unavailable("url_unreachable", f"it answers {answer.status}", retry_after_s=_retry_after_s(answer))
    if answer.status != HTTPStatus.OK:
        raise Refused("url_unreachable", f"it answers {answer.status}")


def _retry_after_s(answer: aiohttp.ClientResponse) -> float:
    value = answer.headers.get("Retry-After", "")
    return min(float(value), RETRY_S_MAX) if value.isascii() and value.isdigit() else 1.0


def _dns_failure(error: aiohttp.ClientConnectorDNSError) -> Refused | Unavailable:
    cause = error.os_error
    if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_AGAIN:
        return Unavailable("url_unreachable", "its name cannot be resolved now")
    return Refused("url_unreachable", "there is no such host")


def _filename(url: URL, answer: aiohttp.ClientResponse) -> str:
    filename = answer.content_disposition.filename if answer.content_disposition else None
    name = basename((filename or unquote(url.raw_path)).replace("\\", "/"))
    return "".join(filter(str.isprintable, name))[-FILENAME_CHARS_MAX:]
