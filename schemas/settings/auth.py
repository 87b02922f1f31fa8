"""Settings of authentication."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Secret, Section

Registration = Literal["open", "closed", "invitation"]

SESSION_TTL_S_MAX = 90 * 86_400  # sessions stay in the tables for that long after their last change


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
    session_ttl_s: Annotated[
        int,
        Meta(ge=3_600, le=SESSION_TTL_S_MAX, description="Longest life of a session; then a new login is needed, however active it is."),
    ] = 2_592_000
    refresh_ttl_s: Annotated[
        int, Meta(ge=600, le=SESSION_TTL_S_MAX, description="Life of a refresh token: a session that is not refreshed for so long is over.")
    ] = 1_209_600
    refresh_grace_s: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="How long after its use a refresh token still leads to the same successor, unless that was used: for tabs that"
            " refresh at the same moment, and for responses that were lost. After that a second use ends the session.",
        ),
    ] = 10.0
    sessions_max: Annotated[
        int, Meta(ge=1, le=500, description="Sessions of one account; another login ends the one unused for longest.")
    ] = 50
    registration: Annotated[
        Registration,
        Meta(
            description="Who may register: everybody (open), nobody (closed), or who has an invitation that `claw invite create` gave"
            " (invitation). Commands of the operator create accounts in any case."
        ),
    ] = "open"
    registration_domains: Annotated[
        str,
        Meta(
            description="Comma-separated domains of the e-mail addresses that may register without an invitation to an organisation, such"
            " as example.org; empty any. Addresses have to be verified then, as with CLAW_AUTH_VERIFIED_REQUIRED."
        ),
    ] = ""
    verified_required: Annotated[
        bool,
        Meta(
            description="Whether accounts can do nothing but manage their sessions before they verified their e-mail address by the link in"
            " a mail (CLAW_MAIL_*). Accounts that commands of the operator created are verified."
        ),
    ] = False
    reset_ttl_s: Annotated[int, Meta(ge=300, le=86_400, description="Life of a link to reset a password.")] = 3_600
    verify_ttl_s: Annotated[int, Meta(ge=3_600, le=2_592_000, description="Life of a link to verify an address.")] = 259_200
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

    @property
    def allowed_domains(self) -> frozenset[str]:
        """``registration_domains`` in lower case; empty: any."""
        return frozenset(each.strip().lower().removeprefix("@") for each in self.registration_domains.split(",") if each.strip())

    @property
    def needs_verification(self) -> bool:
        """Whether an account can be used only once its address is verified. A domain that nobody proves to be in would keep nobody out."""
        return self.verified_required or bool(self.allowed_domains)
