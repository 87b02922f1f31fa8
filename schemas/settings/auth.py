"""Settings of authentication."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Secret, Section

Registration = Literal["open", "closed", "invitation"]


class AuthSettings(Section, frozen=True, kw_only=True):
    """Authentication."""

    prefix: ClassVar[str] = "CLAW_AUTH_"

    secret: Annotated[
        Secret,
        Meta(
            description="Key that signs access tokens, at least 32 bytes; when not set, `claw up` generates one in CLAW_HOME (mode 0600)."
        ),
    ] = Secret()
    previous_secret: Annotated[
        Secret,
        Meta(description="The signing key before this one, unless it leaked: what it signed stays valid until CLAW_AUTH_PREVIOUS_UNTIL."),
    ] = Secret()
    previous_until: Annotated[
        str,
        Meta(
            pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2}))?$",
            description="Time at which CLAW_AUTH_PREVIOUS_SECRET ends, such as 2026-12-01T12:00:00Z; at most 7 days ahead.",
        ),
    ] = ""
    access_token_ttl_s: Annotated[int, Meta(ge=60, le=86_400, description="Lifetime of an access token.")] = 3600
    registration: Annotated[
        Registration,
        Meta(
            description="Who may register: everybody (open), nobody (closed), or who has an invitation that `claw invite create` gave"
            " (invitation). Commands of the operator create accounts in any case."
        ),
    ] = "open"
    strength_min: Annotated[
        int,
        Meta(
            ge=0,
            le=4,
            description="How hard a new password must be to guess: 1 takes more than a thousand guesses, 2 a million,"
            " 3 a hundred million, 4 ten thousand million; 0 accepts any.",
        ),
    ] = 2
    hash_concurrency: Annotated[int, Meta(ge=1, le=64, description="Password hashes computed at once per process (64 MiB each).")] = 2
