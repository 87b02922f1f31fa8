"""Settings of this machine and this process."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from schemas.settings.section import Section


class NodeSettings(Section, frozen=True, kw_only=True):
    """This machine and this process."""

    home: Annotated[Path, Meta(description="Data folder of the embedded stack: logs, index, secrets, process ids.")] = Path(".claw")
    host: Annotated[str, Meta(description="Address the API binds to.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port of the API; 0 picks a free port.")] = 8000
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^\s/?#]+[^\s?#]*)?$",
            description="URL by which clients reach the API, such as https://claw.example.org: the beginning of the URLs in citations. "
            "Empty: citations have none, and the OpenAI-compatible routes use the host of the request.",
        ),
    ] = ""
    cors_origins: Annotated[
        str,
        Meta(
            description="Comma-separated origins of the pages of other hosts that may call the HTTP API, such as https://app.example.org; "
            "`*` any, without credentials; empty none. WebSockets: CLAW_SOCKET_ORIGINS."
        ),
    ] = ""
    metrics_host: Annotated[str, Meta(description="Address of /metrics and /livez of this process; in a container 0.0.0.0.")] = "127.0.0.1"
    metrics_port: Annotated[int, Meta(ge=0, le=65535, description="Port of /metrics and /livez of this process; 0 picks a free port.")] = 0
    log_format: Annotated[
        Literal["auto", "json", "text"], Meta(description="`json` for machines, `text` for people, `auto` = text on a terminal.")
    ] = "auto"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="Least severe level that is logged.")] = "info"
    log_bytes_max: Annotated[
        int, Meta(ge=65_536, le=10_737_418_240, description="Largest log file of a part of `claw up`; then another one is begun.")
    ] = 33_554_432
    log_files_max: Annotated[
        int, Meta(ge=1, le=1_000, description="Full log files that `claw up` keeps of each part, beside the one that is written.")
    ] = 3
    shutdown_grace_s: Annotated[float, Meta(gt=0, le=60, description="Time for work in flight after SIGTERM, before it is cancelled.")] = (
        5.0
    )
