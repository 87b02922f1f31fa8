"""A summary without a language model: the first sentence of every turn, and of answers the sentences with most names and numbers.

Deterministic. A summary of a summary keeps its lines; when there is no more room, the lines with the least content are dropped first.
"""

import re
from collections.abc import Sequence

from adapters.text.language import Language, estimate_tokens, fold, language_of, sentences, terms
from domain.chats.history import truncate
from schemas.chats import Role, Turn

LINE_TOKENS_MAX = 60  # of one turn: about a long sentence
FACTS_MAX = 2  # sentences of an answer besides its first
_RECENT = 2.0  # what being the newest line is worth, in names and numbers
_TERM, _TERMS_MAX = 0.25, 12  # and what any other content term is, up to a sentence's worth of them

_LABELS: dict[Language, dict[Role, str]] = {
    "zh": {"user": "用户：", "assistant": "助手："},
    "en": {"user": "User: ", "assistant": "Assistant: "},
}
_MARKER = re.compile(r"(?<!\s)\s*+(?:\[\d{1,3}\]|【\d{1,3}】)")
_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*|[〇零一二三四五六七八九十百千万亿]{2,}")
_NAME = re.compile(r"《[^》]{1,40}》|“[^”]{1,40}”|\"[^\"]{1,40}\"|(?<=[\w,;:] )[A-Z][\w-]+(?: [A-Z][\w-]+)*|\b[A-Z]{2,}\b")


def extract_summary(before: str, turns: Sequence[Turn], tokens_max: int) -> str:
    """The summary ``before`` and these turns in at most ``tokens_max`` tokens, one line each, the oldest first."""
    language = language_of("\n".join([before, *(turn.content for turn in turns)]))
    lines = [*filter(None, before.split("\n")), *filter(None, (_line(turn, language) for turn in turns))]
    return "\n".join(_fit_lines(lines, tokens_max))


def _line(turn: Turn, language: Language) -> str:
    parts = [_SPACE.sub(" ", each) for each in sentences(_MARKER.sub("", turn.content))]
    if not parts:
        return ""
    facts = sorted(range(1, len(parts)), key=lambda place: -_fact_count(parts[place]))[:FACTS_MAX] if turn.role == "assistant" else []
    chosen = [parts[place] for place in sorted({0, *(place for place in facts if _fact_count(parts[place]))})]
    return _LABELS[language][turn.role] + truncate(" ".join(chosen), LINE_TOKENS_MAX * 4, LINE_TOKENS_MAX)


def _fit_lines(lines: list[str], tokens_max: int) -> list[str]:
    """Lines are dropped one by one, the one with the least content first, an old one before a new one; a single line is cut."""
    worth = {place: _worth(line) + _RECENT * place / len(lines) for place, line in enumerate(lines)}
    kept = sorted(worth)
    while len(kept) > 1 and estimate_tokens("\n".join(lines[place] for place in kept)) > tokens_max:
        kept.remove(min(kept, key=lambda place: (worth[place], place)))
    return list(filter(None, (truncate(lines[place], tokens_max * 4, tokens_max) for place in kept)))


def _worth(line: str) -> float:
    """The content of a line: names and numbers, and other terms, so that a greeting is dropped before a sentence."""
    return _fact_count(line) + _TERM * min(len(terms(fold(line))), _TERMS_MAX)


def _fact_count(text: str) -> int:
    return len(set(_NUMBER.findall(text))) + len(set(_NAME.findall(text)))
