"""The certificate of an erasure: what was checked, what was found before and after, and what goes until when. Ids, no names."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from adapters.secrets.certificates import CertificateSigner, Signature, is_valid
from domain.eraser.log_places import ADDRESSES, BY_TOPIC
from domain.eraser.redis_places import BY_FAMILY
from schemas.erasures import Erasure, Means, PlaceKind

FORMAT = 1

StatementState = Literal["interim", "final"]


class CheckedPlace(Struct, frozen=True, kw_only=True):
    """A place as it was checked. ``why``: why something of it is kept."""

    place: str
    kind: PlaceKind
    means: Means
    before: int
    left: int
    expiring: int
    gone_by: datetime | None
    kept: int
    mentions: int
    why: str


class ErasureStatement(Struct, frozen=True, kw_only=True):
    """What is certified. ``interim``: nothing is left but what ``places`` names as expiring, at the latest at ``final_by``; ``final``: that
    was looked for again and is gone. ``account_id`` is empty where the whole tenant was erased; ``checker`` is the version of the rules.
    """

    format: int
    erasure_id: str
    tenant: str
    account_id: str
    state: StatementState
    requested_at: datetime
    checked_at: datetime
    final_by: datetime | None
    checker: str
    removed: int
    places: tuple[CheckedPlace, ...]


class ErasureCertificate(Struct, frozen=True, kw_only=True):
    """A statement and its signature."""

    statement: ErasureStatement
    signature: Signature


def make_statement(erasure: Erasure) -> ErasureStatement | None:
    """The statement about an erasure; None while there is nothing to certify."""
    if erasure.state not in ("interim", "final") or erasure.checked_at is None:
        return None
    return ErasureStatement(
        format=FORMAT,
        erasure_id=erasure.id,
        tenant=erasure.tenant,
        account_id=erasure.account_id,
        state=erasure.state,
        requested_at=erasure.created_at,
        checked_at=erasure.checked_at,
        final_by=erasure.next_at,
        checker=erasure.checker,
        removed=erasure.removed,
        places=tuple(
            CheckedPlace(
                place=each.place,
                kind=each.kind,
                means=each.means,
                before=each.before,
                left=each.left,
                expiring=each.expiring,
                gone_by=each.gone_by,
                kept=each.kept,
                mentions=each.mentions,
                why=_reason(each.place) if each.kept else "",
            )
            for each in erasure.places
        ),
    )


def certify(erasure: Erasure, signer: CertificateSigner) -> ErasureCertificate | None:
    """The signed certificate; None while there is none."""
    statement = make_statement(erasure)
    return None if statement is None else ErasureCertificate(statement=statement, signature=signer.sign(statement))


def verify_certificate(data: bytes, public_key: str = "") -> ErasureStatement | None:
    """The statement of a certificate whose signature holds, by this key or else by the one in it; None for any other.

    Raises msgspec.DecodeError for what is no certificate. What is verified is the JSON as it came, so unknown fields count, too.
    """
    raw = msgspec.json.decode(data)
    certificate = msgspec.convert(raw, ErasureCertificate)
    return certificate.statement if is_valid(raw["statement"], certificate.signature, public_key) else None


def _reason(place: str) -> str:
    if place in BY_TOPIC:
        return BY_TOPIC[place].keeps
    if place == ADDRESSES:
        return "the address belongs to another account again, and was not looked for"
    return BY_FAMILY[place].holds if place in BY_FAMILY else ""
