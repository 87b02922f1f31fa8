"""Settings of WebSocket connections."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section


class SocketSettings(Section, frozen=True, kw_only=True):
    """WebSocket connections: who may open them, and how much one may ask for."""

    prefix: ClassVar[str] = "CLAW_SOCKET_"

    origins: Annotated[
        str,
        Meta(
            description="Comma-separated origins of the pages that may connect, such as https://app.example.org; empty means pages of the "
            "API's own host, `*` any. Programs that are no browser name no origin and always may."
        ),
    ] = ""
    frame_bytes_max: Annotated[int, Meta(ge=1024, le=1_048_576, description="Largest frame from a client; four times as much closes.")] = (
        131_072
    )
    frames_per_second: Annotated[
        float, Meta(gt=0, le=1_000, description="Frames of one connection, in the long run; twice as many at once.")
    ] = 20.0
    subscriptions_max: Annotated[int, Meta(ge=1, le=1_000, description="Frames of one connection in work, streams included.")] = 64
    per_user_max: Annotated[int, Meta(ge=1, le=10_000, description="Connections of one account per API process.")] = 16
    sockets_max: Annotated[int, Meta(ge=1, le=100_000, description="Connections per API process; one more is 503.")] = 2_000
    idle_s: Annotated[float, Meta(gt=0, le=86_400, description="A connection that reads nothing and says nothing this long is closed.")] = (
        300.0
    )
