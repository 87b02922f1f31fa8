"""Settings of live configuration."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Secret, Section


class ConfigSettings(Section, frozen=True, kw_only=True):
    """Live configuration."""

    prefix: ClassVar[str] = "CLAW_CONFIG_"

    secret: Annotated[
        Secret,
        Meta(
            description="Key that encrypts sensitive configuration on the log, the same in every process; empty = CLAW_AUTH_SECRET, where"
            " every process has it."
        ),
    ] = Secret()
    previous_secret: Annotated[
        Secret, Meta(description="The key before this one: what it encrypted can be read until it is set again.")
    ] = Secret()
