"""What the routes of erasures use."""

from dataclasses import dataclass

from adapters.secrets.certificates import CertificateSigner
from api.area import Opening
from domain.eraser.terms import TermCipher


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasurePorts:
    """``signer`` signs certificates, ``terms`` encrypts what is looked for."""

    signer: CertificateSigner
    terms: TermCipher


def open_ports(opening: Opening) -> ErasurePorts:
    """Built from the settings."""
    settings = opening.core.settings
    return ErasurePorts(signer=CertificateSigner(settings.auth), terms=TermCipher(settings))
