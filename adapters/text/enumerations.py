"""Questions that ask for everything of a kind: more is searched for than for one fact, and whoever answers says when it may be a part."""

import re

QUESTION_CHARS_MAX = 500  # a longer text is no question that lists
_ALL = re.compile(
    r"列出|列举|罗列|列一下|一一列|(?:所有|全部|各个?|每个?)(?:的|\S{1,8}的)|(?:都|一共|总共)有(?:哪些|哪几)|全部(?:有哪些|列)"
    r"|\b(?:list|name|enumerate) (?:all|every|the)\b|\bwhat are all\b|\ball (?:of )?the \S{1,20} (?:are|have|with|that|which|of)\b"
)


def asks_for_all(folded: str) -> bool:
    """Whether a folded question wants a list of everything: 列出所有分公司, list all offices."""
    return len(folded) <= QUESTION_CHARS_MAX and _ALL.search(folded) is not None
