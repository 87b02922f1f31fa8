"""Settings of the connection to Redis."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Secret, Section

STANDARD_PORT = 6379


class RedisSettings(Section, frozen=True, kw_only=True):
    """The connection to Redis: tables, leases, limits."""

    prefix: ClassVar[str] = "CLAW_REDIS_"

    url: Annotated[str, Meta(description="redis:// or rediss:// URL; empty means the embedded server on CLAW_REDIS_PORT.")] = ""
    port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="Port of the embedded server on loopback; 0: none, but a socket in CLAW_HOME, out of reach of other users.",
        ),
    ] = 0
    username: Annotated[str, Meta(description="ACL user; empty with the embedded server: claw.")] = ""
    password: Annotated[
        Secret, Meta(description="Password of the server; empty with the embedded server: the one in CLAW_HOME/credentials.")
    ] = Secret()
    ssl_ca_file: Annotated[str, Meta(description="With rediss://: PEM file of the certificate authority.")] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=10, description="Timeout of a command; after it Redis counts as down.")] = 1.0
    max_connections: Annotated[int, Meta(ge=1, le=10_000, description="Connections per process.")] = 64
    outdated: Annotated[
        Literal["warn", "refuse"],
        Meta(description="With a server whose version lacks security fixes: `warn` in the log and `claw doctor`, or `refuse` to start."),
    ] = "warn"
    rebuild: Annotated[
        Literal["auto", "manual"],
        Meta(
            description="When Redis has lost the tables: `auto` lets a worker of the group `tables` rebuild them from the log, `manual`"
            " leaves that to `claw rebuild tables --all`."
        ),
    ] = "auto"
    key_prefix: Annotated[
        str, Meta(max_length=64, pattern="^[a-z0-9.-]*$", description="Prefix of every key; lets installations share a server.")
    ] = "claw"

    @property
    def location(self) -> str:
        """Where clients connect: ``url``, or a server on loopback. The embedded server's ``url`` is known when its stack runs."""
        return self.url or f"redis://127.0.0.1:{self.port or STANDARD_PORT}/0"
