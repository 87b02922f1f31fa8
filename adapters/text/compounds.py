"""Words with hyphens: ``long-term`` is also written ``longterm``, and a line of a file may end within ``agree-ment``.

The tokenizer sees their parts only, so the joined word is added to a text before it is tokenized, in documents and in questions.
"""

import re

from adapters.text.identifiers import DASHES

PARTS_MAX = 4
_PART = r"[^\W\d_]{2,}+"
_COMPOUND = re.compile(rf"(?<![\w{DASHES}]){_PART}(?:[{DASHES}]{_PART}){{1,{PARTS_MAX - 1}}}(?![\w{DASHES}])")
_DASH = re.compile(f"[{DASHES}]")


def add_joined_words(folded: str) -> str:
    """The text with the joined words of its compounds behind it, each once."""
    joined = dict.fromkeys(_DASH.sub("", compound) for compound in _COMPOUND.findall(folded))
    return f"{folded} {' '.join(joined)}" if joined else folded
