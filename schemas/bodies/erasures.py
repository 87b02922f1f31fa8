"""Erasures of accounts and organisations."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from schemas.bodies.pages import RequestBody
from schemas.erasures import ErasureState


class ErasureRequest(RequestBody, frozen=True, kw_only=True):
    """Confirms that it is you who erases: a stolen token alone does not."""

    password: Annotated[str, Meta(max_length=256, description="Your present password.")] = ""
    confirmation: Annotated[
        str,
        Meta(max_length=254, description="Your e-mail address, if your account has no password; your login must be of the last minutes."),
    ] = ""


class OrganisationErasureRequest(ErasureRequest, frozen=True, kw_only=True):
    """Confirms who erases, and what."""

    organisation: Annotated[
        str, Meta(min_length=1, max_length=64, description="The id of the organisation; that of another one by operators only.")
    ]


class ErasureView(Struct, frozen=True, kw_only=True):
    """An erasure. ``accepted`` and ``erasing``: it is under way; ``interim``: what is left expires by itself until ``final_by``; ``final``:
    it was looked for again and is gone. ``scope`` ``organisation``: with all of its accounts. ``certificate``: the signed one, from
    ``interim`` on; docs/erasure.md describes it.
    """

    id: str
    state: ErasureState
    scope: Literal["account", "organisation"]
    account_id: str | None
    organisation_id: str
    created_at: datetime
    rounds: int
    removed: int
    checked_at: datetime | None
    final_by: datetime | None
    certificate: Any
    link: str


class ErasureKey(Struct, frozen=True, kw_only=True):
    """The public key of certificates: Ed25519, 32 bytes in base64url without padding."""

    key_id: str
    algorithm: str
    public_key: str
