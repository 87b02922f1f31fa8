"""The text of a file, decoded and cleaned, within its limit."""

from adapters.parsing.core.blocks import clean
from adapters.parsing.core.encodings import decode
from adapters.parsing.core.source import Bounds, Entry
from schemas.errors import Refused

UTF8_BYTES_MAX = 4  # of one character: more bytes than so many times the limit hold more characters than it
MARKUP_CHARS_MAX = 4  # per character of text: a page may have so much more than what it shows


def decode_entry(entry: Entry, *, html: bool = False) -> str:
    """Raises Refused("document_too_complex") when there is more than the limit; of a page, which has markup besides, four times it."""
    if len(entry.data) > UTF8_BYTES_MAX * entry.bounds.chars_max:
        raise _length_refusal(entry.bounds)
    return check_and_clean(decode(entry.data, entry.charset, html=html), entry.bounds, html=html)


def check_and_clean(text: str, bounds: Bounds, *, html: bool = False) -> str:
    """A decoded text, checked and cleaned. Raises as ``decode_entry`` does."""
    if len(text) > bounds.chars_max * (MARKUP_CHARS_MAX if html else 1):
        raise _length_refusal(bounds)
    return clean(text)


def _length_refusal(bounds: Bounds) -> Refused:
    return Refused("document_too_complex", f"the text has more than {bounds.chars_max:,} characters (CLAW_DOCUMENT_TEXT_CHARS_MAX)")
