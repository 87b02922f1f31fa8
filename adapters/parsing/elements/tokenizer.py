"""What ``unstructured`` asks about sentences and words, answered by rules.

Its own answers come from an English spaCy model, which it would fetch from the network. They decide whether a paragraph is a title or
narrative text, which nothing here rests on: headings are those that the document marks.
"""

import re

_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s*")


def sent_tokenize(text: str) -> list[str]:
    """Sentences."""
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence]


def word_tokenize(text: str) -> list[str]:
    """Words."""
    return text.split()


def pos_tag(text: str) -> list[tuple[str, str]]:
    """Words with their part of speech: each a noun."""
    return [(word, "NN") for word in text.split()]
