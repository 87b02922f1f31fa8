"""Settings of WebSocket connections."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section


class SocketSettings(Section, frozen=True, kw_only=True):
    """WebSocket connections: allowed origins and limits."""

    prefix: ClassVar[str] = "CLAW_SOCKET_"

    origins: Annotated[
        str,
        Meta(
            description="Comma-separated origins of the pages that may connect, such as https://app.example.org; empty means pages of the "
            "API's own host, `*` any. Programs other than browsers send no origin and are always allowed."
        ),
    ] = ""
    frame_bytes_max: Annotated[
        int, Meta(ge=1024, le=1_048_576, description="Largest frame from a client; a frame four times as large closes the connection.")
    ] = 131_072
    frames_per_second: Annotated[
        float, Meta(gt=0, le=1_000, description="Sustained frames per second of one connection; bursts of twice as many are allowed.")
    ] = 20.0
    subscriptions_max: Annotated[int, Meta(ge=1, le=1_000, description="Open frames of one connection, streams included.")] = 64
    per_user_max: Annotated[int, Meta(ge=1, le=10_000, description="Connections of one account per API process.")] = 16
    sockets_max: Annotated[int, Meta(ge=1, le=100_000, description="Connections per API process; beyond it 503.")] = 2_000
    idle_s: Annotated[
        float,
        Meta(
            gt=0, le=86_400, description="Time without a frame from the client and without open streams after which a connection is closed."
        ),
    ] = 300.0
