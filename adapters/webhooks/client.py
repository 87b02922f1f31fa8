"""The HTTP client that delivers one message: to public addresses only, without redirects, bounded in time and memory.

The head of the answer decides. Of the body a few kilobytes are read, for a short time, and the connection is closed: a receiver that
answers slowly or with 100 MB costs nothing more than that.
"""

import asyncio
import math
import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from adapters.web.public_addresses import Network, check_url, parse_networks, url_refused
from adapters.web.public_resolver import PublicResolver, ResolveHost, resolve_host
from schemas.errors import Refused
from schemas.notices import EndpointAnswer

AGENT = "Claw-Webhooks/1.0"
ANSWER_BYTES = 2_048  # read of a body
ANSWER_CHARS = 500  # kept of it
ANSWER_S = 2.0  # for the body, once the head is there
RETRY_AFTER_S_MAX = 604_800.0
HEAD_BYTES_MAX = 8_190  # of the status line, and of each header
NETWORKS = "CLAW_WEBHOOK_NETWORKS"

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class WebhookClient:
    """One per process, between start() and stop(). ``networks``: CIDRs that may be reached beside public addresses."""

    def __init__(self, networks: str, *, timeout_s: float, connections_max: int, look_up: ResolveHost = resolve_host) -> None:
        """Raises ConfigurationError for networks that are none."""
        self._allowed = parse_networks(networks, NETWORKS)
        self._timeout_s, self._connections_max, self._look_up = timeout_s, connections_max, look_up
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the session; connects to nothing."""
        connector = aiohttp.TCPConnector(
            resolver=PublicResolver(self._look_up, self._allowed), use_dns_cache=False, force_close=True, limit=self._connections_max
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": AGENT, "Content-Type": "application/json", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # every request has a time of its own
            auto_decompress=False,
            read_bufsize=ANSWER_BYTES,
            max_line_size=HEAD_BYTES_MAX,
            max_field_size=HEAD_BYTES_MAX,
        )

    async def stop(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> EndpointAnswer:
        """The answer of the endpoint. Raises nothing: what keeps it from answering is the answer's ``error``."""
        assert self._session is not None, "start() first"
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._session.post(
                    check_webhook_url(address, self._allowed), data=body, headers=dict(headers), allow_redirects=False
                )
        except (TimeoutError, aiohttp.ClientError, OSError, Refused, ValueError) as error:
            return EndpointAnswer(error=_describe(error, self._timeout_s))
        try:
            return EndpointAnswer(status=answer.status, retry_after_s=_retry_after_s(answer), text=await _beginning(answer))
        finally:
            answer.close()


def check_webhook_url(text: str, allowed: Sequence[Network] = ()) -> URL:
    """``text`` as the URL of a webhook, as far as its text shows; raises Refused("url_refused") with the reason.

    A message is signed but anybody on its way can read it: it goes over https, unless some networks of the operator's are allowed.
    """
    url = check_url(text, allowed)
    if url.scheme != "https" and not allowed:
        raise url_refused("is not https", "an address that begins with https://")
    return url


async def _beginning(answer: aiohttp.ClientResponse) -> str:
    """The beginning of the body as text of one line; "" when it does not come in time."""
    raw = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(ANSWER_S):
            while len(raw) < ANSWER_BYTES and (piece := await answer.content.read(ANSWER_BYTES - len(raw))):
                raw += piece
    return _UNPRINTABLE.sub(" ", raw.decode(errors="replace"))[:ANSWER_CHARS]


def _retry_after_s(answer: aiohttp.ClientResponse) -> float:
    """Of the header, in seconds or as a date; 0 without one that can be read."""
    value = answer.headers.get("Retry-After", "").strip()[:64]
    if value.isascii() and value.isdigit():
        return min(float(value), RETRY_AFTER_S_MAX)
    try:
        seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0
    return max(0.0, min(float(math.ceil(seconds)), RETRY_AFTER_S_MAX))


def _describe(error: Exception, timeout_s: float) -> str:
    """What the owner of the endpoint reads in the delivery log; no addresses of our network."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, Refused):
        return f"the address is refused: {error.detail}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its host name cannot be resolved"
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return "the TLS connection failed"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "the connection was refused"
    return "the connection broke before an answer" if isinstance(error, OSError | aiohttp.ClientError) else "the address cannot be used"
