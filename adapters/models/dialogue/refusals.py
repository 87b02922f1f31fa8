"""How an answer says that the passages do not hold it: by a fixed sentence at its beginning, which the rules ask of every model.

A model that says the same in words of its own is understood at the end of its answer, when it cited nothing.
"""

import re
from functools import cache

from adapters.models import prompts
from adapters.text.language import fold
from schemas.chats import Outcome

HELD_CHARS_MAX = 400  # of an answer decide whether it begins with the sentence: signs and blanks around it are few
OWN_WORDS_CHARS_MAX = 400  # of an answer that says it in other words; a longer one says more than that

_APOLOGIES = ("", "抱歉", "很抱歉", "非常抱歉", "对不起", "不好意思", "sorry", "imsorry", "imsorrybut", "sorrybut", "unfortunately")
_NO_WORD = re.compile(r"[\W_]+")
_OWN_WORDS = re.compile(
    "(?:知识库|资料|原文|文档|材料|段落|上下文|检索)[^。！？\n]{0,20}?(?:没有|未|无法|并无|不包含|不含|不足以|找不到)"
    r"|\b(?:knowledge base|passages?|documents?|context|sources?|information)\b[^.!?\n]{0,40}?"
    r"(?:\b(?:do|does|did) not|n[’']t\b|\bcannot\b|\bno (?:answer|information|mention)\b)"
)


class RefusalDetector:
    """Feed an answer as it comes, get the text that can go on. ``found``: it begins with the fixed sentence, after an apology at most.

    Text is held back only while it may still become that sentence. The result does not depend on how the text was cut.
    """

    __slots__ = ("_decided", "_held", "found")

    def __init__(self) -> None:
        self.found = False
        self._held = ""
        self._decided = False

    def feed(self, text: str) -> str:
        """The text that can go on now."""
        if self._decided:
            return text
        self._held += text
        said = _squeeze(self._held[:HELD_CHARS_MAX])
        self.found = said.startswith(_sentences())
        if not self.found and len(self._held) < HELD_CHARS_MAX and any(each.startswith(said) for each in _sentences()):
            return ""
        return self.finish()

    def finish(self) -> str:
        """The text that was held back, at the end or once it is clear what it is."""
        held, self._held, self._decided = self._held, "", True
        return held


def is_refusal(answer: str) -> bool:
    """Whether a whole answer begins with the fixed sentence, in either script, after an apology at most."""
    return _squeeze(answer).startswith(_sentences())


def judge_outcome(text: str, *, cited: bool, found: bool) -> Outcome:
    """What a complete answer is. ``found``: see RefusalDetector."""
    if cited:
        return "answered"
    own_words = len(text) <= OWN_WORDS_CHARS_MAX and _OWN_WORDS.search(fold(text)) is not None
    return "not_found" if found or own_words else "unsourced"


def _squeeze(text: str) -> str:
    return _NO_WORD.sub("", fold(text))


@cache
def _sentences() -> tuple[str, ...]:
    return tuple(apology + _squeeze(sentence) for sentence in prompts.NOT_FOUND.values() for apology in _APOLOGIES)
