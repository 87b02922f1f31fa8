"""Signatures: they hold for what was signed, under the key that signed it, and for nothing else."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec.structs import replace

from adapters.secrets.certificates import CertificateSigner, canonical_json, decode_key, is_valid
from schemas.settings import AuthSettings
from schemas.settings.section import Secret

STATEMENT: dict[str, Any] = {"b": 1, "a": {"z": "李", "y": None}}


def signer(secret: str = "s") -> CertificateSigner:
    return CertificateSigner(AuthSettings(secret=Secret(secret * 32)))


def test_a_signature_holds_for_what_was_signed() -> None:
    signature = signer().sign(STATEMENT)
    assert is_valid(STATEMENT, signature)
    assert is_valid({"a": {"y": None, "z": "李"}, "b": 1}, signature)  # the order of fields is none
    assert is_valid(STATEMENT, signature, signer().public_key.public_key)
    assert signature == signer().sign(STATEMENT)


@pytest.mark.parametrize(
    "changed", [{"b": 2, "a": {"z": "李", "y": None}}, {"b": 1, "a": {"z": "李"}}, {"b": 1, "a": {"z": "李", "y": None}, "c": 0}]
)
def test_it_holds_for_nothing_else(changed: dict[str, Any]) -> None:
    assert not is_valid(changed, signer().sign(STATEMENT))


def test_it_holds_under_no_other_key() -> None:
    """The key in a certificate proves nothing about who made it: whoever knows the installation's gives that."""
    forged = signer("other").sign(STATEMENT)
    assert is_valid(STATEMENT, forged)
    assert not is_valid(STATEMENT, forged, signer().public_key.public_key)
    assert not is_valid(STATEMENT, replace(signer().sign(STATEMENT), public_key=forged.public_key))
    for damaged in ("", "x", "!" * 43, forged.public_key[:-4]):
        assert not is_valid(STATEMENT, replace(forged, value=damaged))
        assert not is_valid(STATEMENT, replace(forged, public_key=damaged))
    assert not is_valid(STATEMENT, replace(forged, algorithm="none"))


def test_anybody_verifies_it_with_a_library_and_the_public_key() -> None:
    """What docs/erasure.md says."""
    signature = signer().sign(STATEMENT)
    assert canonical_json(STATEMENT) == '{"a":{"y":null,"z":"李"},"b":1}'.encode()
    import base64  # noqa: PLC0415 - as in the page

    key = Ed25519PublicKey.from_public_bytes(decode_key(signature.public_key))
    key.verify(base64.urlsafe_b64decode(signature.value + "=="), canonical_json(STATEMENT))
