"""Titles by rule, and when a conversation may get one: pure functions."""

import re

from schemas.records import Conversation

TITLE_WIDTH_MAX = 60  # letters; a Chinese character is as wide as two

_SPACE = re.compile(r"[\s\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
_MARKUP = re.compile(r"^(?:#{1,6}|[-*+•>]|\d+[.)])\s+")
_END = re.compile(r"(?<=[。！？!?])|(?<=\.)\s")
_WIDE = 0x2E80  # from here on characters are as wide as two letters


def title_of(question: str) -> str:
    """The first sentence of a question on one line, cut between words; "" when it has no text."""
    line = next(filter(None, (_MARKUP.sub("", _SPACE.sub(" ", each).strip()) for each in question.splitlines())), "")
    sentence = _END.split(line, maxsplit=1)[0].strip()
    width, end = 0, 0
    for character in sentence:
        width += 2 if ord(character) >= _WIDE else 1
        if width > TITLE_WIDTH_MAX:
            break
        end += 1
    if end == len(sentence):
        return sentence
    head = sentence[: max(1, end - 1)]
    between = head.rfind(" ")
    return (head[:between] if between > len(head) // 2 else head).rstrip(" ,;:，；：、") + "…"


def is_untitled(found: Conversation) -> bool:
    """Whether no rule, model or person has set or removed the title."""
    return not found.title and not found.titled_by


def may_improve_title(found: Conversation) -> bool:
    """Whether a model may write a better title: no person has set or removed it."""
    return is_untitled(found) or found.titled_by == "rule"
