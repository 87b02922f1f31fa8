"""From a document's text and media type to its structure."""

from adapters.parsing.blocks import Parsed, clean, has_words
from adapters.parsing.html import parse_html
from adapters.parsing.markdown import parse_markdown, parse_plain
from schemas.documents import MediaType
from schemas.errors import Refused

CHARS_MAX = 4_000_000  # four times what an event can carry; a caller with more must split it


def parse(media_type: MediaType, text: str) -> Parsed:
    """Structure of ``text``. Raises Refused: ``document_empty``, ``document_too_large``, ``document_unreadable``."""
    if len(text) > CHARS_MAX:
        raise Refused("document_too_large", f"the text has {len(text):,} characters; {CHARS_MAX:,} are accepted")
    cleaned = clean(text)
    if media_type == "text/html":
        parsed = parse_html(cleaned)
    elif media_type == "text/markdown":
        parsed = parse_markdown(cleaned)
    else:
        parsed = parse_plain(cleaned)
    if not has_words(parsed.text):
        raise Refused("document_empty")
    return parsed
