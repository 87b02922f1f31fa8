"""`claw asyncapi`: prints the AsyncAPI document of this installation."""

import sys

import msgspec

from api.http.asyncapi.document import document
from schemas.settings import Settings


def print_document(settings: Settings, *, private: bool) -> None:
    """The document as JSON on standard output; ``private``: with the topics that analysts may not read."""
    encoded = msgspec.json.encode(document(settings, private=private))
    sys.stdout.buffer.write(msgspec.json.format(encoded, indent=2) + b"\n")
