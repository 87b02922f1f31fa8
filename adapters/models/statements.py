"""What a passage states, to be quoted: its sentences, and of questions with answers (FAQ) the answers, each with the question before it.

A question that stands in a document has all the words of a question that is asked, and says nothing.
"""

import re

from msgspec import Struct

from adapters.text.code_comments import split_comments
from adapters.text.language import sentences

ANSWER_CHARS_MAX = 160  # of the sentences of a line that are quoted together as an answer; the first one always

_QUESTION = re.compile("[?？][”’\"'」』）)*_\\]]*$")


class Statement(Struct, frozen=True):
    """A sentence, or the first ones of an answer, literally in its passage; ``question``: what it answers, "" for most."""

    text: str
    question: str = ""


def read_statements(passage: str) -> list[Statement]:
    """The statements in order; a comment in code is one with the line it explains. A question without an answer is one itself."""
    found: list[Statement] = []
    for part, is_code in split_comments(passage):
        found += [Statement(part)] if is_code else _read_prose(part)
    return found


def _read_prose(text: str) -> list[Statement]:
    found: list[Statement] = []
    asked = ""
    for line in text.split("\n"):
        start = end = at = 0  # of the answer that is being read, when it has an end
        for part in sentences(line):
            begin = line.index(part, at)
            at = begin + len(part)
            if asked and not end and not _QUESTION.search(part):
                start, end = begin, at
            elif end and at - start <= ANSWER_CHARS_MAX and not _QUESTION.search(part):
                end = at
            else:
                if asked:
                    found.append(Statement(line[start:end], asked) if end else Statement(asked))
                asked, end = "", 0
                if _QUESTION.search(part):
                    asked = part
                else:
                    found.append(Statement(part))
        if end:
            found.append(Statement(line[start:end], asked))
            asked = ""
    return [*found, Statement(asked)] if asked else found
