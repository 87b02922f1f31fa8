"""Settings of logins at an identity provider."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Secret, Section


class OidcSettings(Section, frozen=True, kw_only=True):
    """Logins at an identity provider (OpenID Connect)."""

    prefix: ClassVar[str] = "CLAW_OIDC_"

    provider: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9-]{0,32}$",
            description="Name of the identity provider in /api/v1/auth/oidc/{provider}; empty: there is none. It sends browsers back to"
            " CLAW_PUBLIC_URL/api/v1/auth/oidc/{provider}/callback.",
        ),
    ] = ""
    title: Annotated[
        str, Meta(max_length=100, description="Its name on the sign-in page, such as Acme; empty: the one in the address.")
    ] = ""
    issuer: Annotated[
        str, Meta(description="Issuer of its ID tokens, such as https://id.example.org; its metadata is found below this.")
    ] = ""
    client_id: Annotated[str, Meta(description="The id by which it knows this installation.")] = ""
    client_secret: Annotated[Secret, Meta(description="The secret of this client; empty for a public client.")] = Secret()
    scopes: Annotated[str, Meta(description="Scopes to ask for, with spaces between; `openid` is one of them.")] = "openid email profile"
    groups_claim: Annotated[str, Meta(description="Claim of the ID token that lists the groups of a person.")] = "groups"
    role_groups: Annotated[
        str,
        Meta(
            description="Groups whose members have a role, such as admin=staff,operator=sre; at every login an account gets the highest"
            " that applies, else `user`. Empty: roles are given by administrators alone."
        ),
    ] = ""
    tenant: Annotated[str, Meta(description="Id of the organisation that new accounts join; empty: each has one of its own.")] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=60, description="Longest time for an answer of the provider.")] = 10.0
