"""Settings of HTTP connections."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section


class HttpSettings(Section, frozen=True, kw_only=True):
    """HTTP connections: what one may cost in bytes, in time and in number."""

    prefix: ClassVar[str] = "CLAW_HTTP_"

    hosts: Annotated[
        str,
        Meta(
            description="Comma-separated names by which clients may call the API (`Host`), such as claw.example.org or *.example.org; `*` "
            "any. Empty: any, but with a loopback address in CLAW_HOST only names of this machine and that of CLAW_PUBLIC_URL."
        ),
    ] = ""
    head_bytes_max: Annotated[
        int,
        Meta(
            ge=4_096,
            le=1_048_576,
            description="Request line and headers together; also everything else in a request that is not its body, such as extensions "
            "of chunks.",
        ),
    ] = 32_768
    head_s: Annotated[
        float, Meta(gt=0, le=300, description="Time from the connection, or a request's first byte, to the end of its headers.")
    ] = 15.0
    body_s: Annotated[
        float, Meta(gt=0, le=600, description="Time for a body of any rate; afterwards it must have kept body_bytes_per_s_min on average.")
    ] = 20.0
    body_bytes_per_s_min: Annotated[
        int, Meta(ge=1, le=1_048_576, description="Slowest average rate at which a client may send a body; slower is 408.")
    ] = 1_024
    body_s_max: Annotated[float, Meta(gt=0, le=86_400, description="Time for a body at any rate.")] = 1_800.0
    unread_s: Annotated[
        float, Meta(gt=0, le=3_600, description="Time for a client that has stopped reading to take 48 KiB; then the connection ends.")
    ] = 60.0
    connections_max: Annotated[
        int,
        Meta(
            ge=1,
            le=200_000,
            description="Connections per API process beside its event streams and WebSockets (CLAW_LIMIT_STREAMS_MAX, "
            "CLAW_SOCKET_SOCKETS_MAX); beyond the sum connections that wait make room, or 503.",
        ),
    ] = 2_000
    connections_per_address_max: Annotated[
        int,
        Meta(
            ge=1,
            le=200_000,
            description="Connections per API process of one IPv4 address or one IPv6 /64, WebSockets included; beyond it 429. Addresses in "
            "CLAW_LIMIT_TRUSTED_PROXIES are not limited.",
        ),
    ] = 1_000
