"""Settings of the vector index."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Secret, Section


class IndexSettings(Section, frozen=True, kw_only=True):
    """The vector index."""

    prefix: ClassVar[str] = "CLAW_QDRANT_"

    url: Annotated[str, Meta(description="URL of a Qdrant server; empty means the embedded engine inside the worker `knowledge`.")] = ""
    api_key: Annotated[Secret, Meta(description="API key of the Qdrant server.")] = Secret()
    ssl_ca_file: Annotated[str, Meta(description="With an https URL: PEM file of the certificate authority.")] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=60, description="Timeout of a call; after it the call is retried.")] = 5.0
