"""Questions that ask for everything of a kind: more is searched for than for one fact, and whoever answers says when it may be a part."""

import re
from typing import Literal

Listing = Literal["all", "which", "number", ""]
"""What is asked for: all of a kind in so many words, which ones there are, how many; "": one thing."""

QUESTION_CHARS_MAX = 500  # a longer text is no question that lists
_MEASURE = "(?:家(?![庭长具])|[个座所处间种类款位名台条项门支辆套份场栋只件])"
_ALL = re.compile(
    r"列出|列举|罗列|列一下|一一列|(?:所有|全部|各个?|每个?)(?:的|\S{1,8}的)|(?:都|一共|总共)有(?:哪些|哪几)|全部(?:有哪些|列)"
    r"|\b(?:list|name|enumerate) (?:all|every|the)\b|\bwhat are all\b|\ball (?:of )?the \S{1,20} (?:are|have|with|that|which|of)\b"
)
_WHICH = re.compile(r"哪些|有哪几|\bwhich \w{1,20} (?:are there|do we have|exist)\b|\bwhat \w{1,20} (?:are there|do we have)\b")
_NUMBER = re.compile(
    rf"(?:有|共计?|是)(?:几|多少){_MEASURE}(?P<zh>[^，。？?！!；;\s]{{1,12}})"
    r"|\bhow many (?P<en>[\w-]{1,20}(?: [\w-]{1,20}){0,2}?) (?:are there|do we have|does \S{1,20} have|exist)\b"
)
_REQUEST = re.compile(
    rf"请|列出|列举|罗列|列一下|一一|逐一|分别|所有|全部|一共|总共|有?哪些|有?哪几{_MEASURE}?|(?:几|多少){_MEASURE}"
    r"|^\W*(?:please )?(?:list|name|enumerate|show|give|tell)(?: me| us)?\b"
    r"|\b(?:all|every|each)\b|\bin total\b|\bare there\b|\bdo we have\b"
)
_COUNTED = "[0-9〇零一二两三四五六七八九十百千万]"
_COUNTED_WORDS = r"\b(?:[0-9]+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|a dozen|dozens of|hundreds of)"


def listing_of(folded: str) -> Listing:
    """What a folded question wants a list of: 列出所有分公司, which offices are there, 有几家分公司."""
    if len(folded) > QUESTION_CHARS_MAX:
        return ""
    if _ALL.search(folded):
        return "all"
    if _NUMBER.search(folded):
        return "number"
    return "which" if _WHICH.search(folded) else ""


def strip_request(folded: str) -> str:
    """The question without the words that ask for a list, which are in no passage; as it is when nothing else is in it."""
    rest = _REQUEST.sub(" ", folded)
    return rest if any(character.isalnum() for character in rest) else folded


def says_number(question: str, text: str) -> bool:
    """Whether a folded text says a number of what a folded question asks the number of: 本市有11家分公司."""
    asked = _NUMBER.search(question)
    if asked is None:
        return False
    if asked["zh"]:
        thing = re.escape(asked["zh"][-4:])  # the noun is at the end
        return re.search(rf"{_COUNTED}\s?(?:余|多)?{_MEASURE}?[^，。；;\s]{{0,6}}{thing}", text) is not None
    thing = re.escape(asked["en"])
    return re.search(rf"{_COUNTED_WORDS} (?:\w+ ){{0,2}}{thing}\b", text) is not None
