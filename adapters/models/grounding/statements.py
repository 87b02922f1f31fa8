"""What a passage states, to be quoted: its sentences, and what belongs to them.

A question that stands in a document (FAQ) has all the words of a question that is asked, and says nothing: its answer is the statement. A
line that introduces a list ("Bring the following:") says nothing without the items, nor does a comment in code without the line below it.
"""

import re

from msgspec import Struct

from adapters.text.code_comments import join_comments
from adapters.text.language import sentences

ANSWER_CHARS_MAX = 160  # of the sentences of a line that are quoted together as an answer; the first one always

ITEMS_MAX = 30  # of a list that are quoted
ITEM_CHARS_MAX = 60  # of a line that is an item without a mark

_ITEM = re.compile(r"(?P<indent>[ \t]{0,40})(?:[-*+•·▪●○◦‣–][ \t]|\d{1,3}(?:[.)][ \t]|、)|[（(]\d{1,3}[）)])[ \t]{0,8}\S")
_ENDED = re.compile("[。！!.；;…][”’\"'」』）)*_]*$")
_QUESTION = re.compile("[?？][”’\"'」』）)*_\\]]*$")


class Statement(Struct, frozen=True):
    """A sentence, the first ones of an answer, or a comment with its line of code, literally in its passage.

    ``question``: what it answers, "" for most; ``items``: the lines of the list that it introduces.
    """

    text: str
    question: str = ""
    items: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it is found by, on one line."""
        return f"{self.question} {self.text}".replace("\n", " ")


def read_statements(passage: str) -> list[Statement]:
    """The statements in order, items of lists also by themselves. A question without an answer is one itself."""
    found: list[Statement] = []
    asked = ""
    lines = list(join_comments(passage))
    for number, line in enumerate(lines):
        if "\n" in line:
            read, asked = [*[Statement(asked)] * bool(asked), Statement(line.strip())], ""
        else:
            read, asked = _read_line(line, asked)
        items = _items_behind(lines, number) if read or asked else ()
        if items and asked:
            read, asked = [*read, Statement(asked, items=items)], ""
        elif items and not _ENDED.search(read[-1].text):
            read[-1] = Statement(read[-1].text, read[-1].question, items)
        found += read
    return [*found, Statement(asked)] if asked else found


def _read_line(line: str, asked: str) -> tuple[list[Statement], str]:
    """The statements of a line, and the question that is open behind it; ``asked`` was before it."""
    found: list[Statement] = []
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
    return ([*found, Statement(line[start:end], asked)], "") if end else (found, asked)


def _items_behind(lines: list[str], number: int) -> tuple[str, ...]:
    """The items of the list right behind a line; of an item those that are deeper.

    Behind a colon short lines without an end are items, too: a list of a Word document has no bullets in its text.
    """
    own = _ITEM.match(lines[number])
    depth = len(own["indent"].expandtabs(4)) if own else -1
    items: list[str] = []
    plain = not own and lines[number].rstrip().endswith((":", "："))
    for line in lines[number + 1 : number + 2 + 2 * ITEMS_MAX]:
        item = _ITEM.match(line)
        plain = plain and item is None
        if not line.strip():
            if plain and items:
                break
        elif (item is not None and len(item["indent"].expandtabs(4)) > depth) or (plain and _is_plain_item(line)):
            items.append(line.strip())
        else:
            break
    return tuple(items[:ITEMS_MAX]) if not plain or len(items) > 1 else ()


def _is_plain_item(line: str) -> bool:
    return len(line) <= ITEM_CHARS_MAX and _ENDED.search(line) is None and not line.rstrip().endswith((":", "：", "?", "？"))
