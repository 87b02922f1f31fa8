"""Certificates: only of what was checked, with ids alone, and verified from their JSON."""

from datetime import UTC, datetime

import msgspec
import pytest

from adapters.secrets.certificates import CertificateSigner
from domain.eraser.certificate import certify, verify_certificate
from schemas.erasures import Erasure, PlaceResult
from schemas.settings import AuthSettings
from schemas.settings.section import Secret

NOW = datetime(2026, 11, 30, 20, tzinfo=UTC)
SIGNER = CertificateSigner(AuthSettings(secret=Secret("s" * 32)))
PLACES = (
    PlaceResult(place="claw.usage.recorded.v1", kind="topic", means="kept", before=2, kept=2),
    PlaceResult(place="claw.chats.asked.v1", kind="topic", means="expires", before=3, expiring=3, gone_by=NOW),
)
ERASURE = Erasure(
    id="e",
    tenant="t",
    account_id="a",
    created_at=NOW,
    state="interim",
    checked_at=NOW,
    next_at=NOW,
    sealed_terms="v1.secret",
    places=PLACES,
)


def test_a_certificate_says_what_was_checked() -> None:
    certificate = certify(ERASURE, SIGNER)
    assert certificate is not None
    data = msgspec.json.encode(certificate)
    statement = verify_certificate(data, SIGNER.public_key.public_key)
    assert statement == certificate.statement
    assert statement is not None
    assert [(each.place, each.before, each.left) for each in statement.places] == [(each.place, each.before, 0) for each in PLACES]
    assert (statement.final_by, bool(statement.places[0].why), statement.places[1].why) == (NOW, True, "")
    assert b"v1.secret" not in data


@pytest.mark.parametrize("state", ["accepted", "erasing"])
def test_nothing_is_certified_before_it_is_checked(state) -> None:
    assert certify(msgspec.structs.replace(ERASURE, state=state), SIGNER) is None


def test_what_was_changed_is_not_valid() -> None:
    certificate = certify(ERASURE, SIGNER)
    data = msgspec.json.encode(certificate)
    assert verify_certificate(data.replace(b'"left":0', b'"left":1', 1)) is None
    assert verify_certificate(data.replace(b'"statement":{', b'"statement":{"more":1,', 1)) is None
    with pytest.raises(msgspec.DecodeError):
        verify_certificate(b'{"statement":{}}')
