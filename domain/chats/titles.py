"""Titles by rule, and when a conversation may get one: pure functions."""

import re

from schemas.records import Conversation

TITLE_WIDTH_MAX = 60  # letters; a Chinese character is as wide as two

_SPACE = re.compile(r"[\s\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
_MARKUP = re.compile(r"^(?:#{1,6}|[-*+•>]|\d+[.)])\s+")
_END = re.compile(r"(?<=[。！？!?])|(?<=\.)\s")
_WIDE = 0x2E80  # from here on characters are as wide as two letters


def title_of(question: str) -> str:
    """Its first sentence on one line, cut between words; "" when it has no text."""
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
    kept = sentence[: max(1, end - 1)]
    between = kept.rfind(" ")
    return (kept[:between] if between > len(kept) // 2 else kept).rstrip(" ,;:，；：、") + "…"


def is_untitled(found: Conversation) -> bool:
    """Nobody has given it a title, nor taken one away."""
    return not found.title and not found.titled_by


def may_improve_title(found: Conversation) -> bool:
    """No person has had a say in its title, so a model may write a better one."""
    return is_untitled(found) or found.titled_by == "rule"
