"""What a passage states, to be quoted: its sentences, and of questions with answers (FAQ) the answers, each with the question before it.

A question that stands in a document has all the words of a question that is asked, and says nothing. Nor does a comment in code without the
line below it.
"""

import re

from msgspec import Struct

from adapters.text.code_comments import join_comments
from adapters.text.language import sentences

ANSWER_CHARS_MAX = 160  # of the sentences of a line that are quoted together as an answer; the first one always

_QUESTION = re.compile("[?？][”’\"'」』）)*_\\]]*$")


class Statement(Struct, frozen=True):
    """A sentence, the first ones of an answer, or a comment with its line of code, literally in its passage.

    ``question``: what it answers, "" for most.
    """

    text: str
    question: str = ""

    @property
    def words(self) -> str:
        """What it is found by, on one line."""
        return f"{self.question} {self.text}".replace("\n", " ")


def read_statements(passage: str) -> list[Statement]:
    """The statements in order. A question without an answer is one itself."""
    found: list[Statement] = []
    asked = ""
    for line in join_comments(passage):
        if "\n" in line:
            found += [Statement(asked)] * bool(asked)
            found.append(Statement(line.strip()))
            asked = ""
            continue
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
