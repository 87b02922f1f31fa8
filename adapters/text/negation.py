"""Negation: what a sentence denies, and whether it says the opposite of what is asked.

"哪个平台不支持" shares every word with "A 支持 Linux" and is not answered by it. Compared is the predicate behind the negation: a sentence
has to deny what the question denies, and nothing else. A question that yes or no answers (它支持 … 吗) is answered by either.
"""

import re

from adapters.text.language import content_words

_SEARCHED_CHARS = 48  # behind an English negation: its predicate is one of the next words

_REACH_CHARS = 8  # behind a Chinese one, for a predicate that the question denies

_CHINESE = re.compile(
    "(?P<no>不(?![同少过断仅但论管妨久止小])|没有?(?![收关])|未(?![来满])|无(?=[法需须权])|禁止|严禁|切忌)"
    "(?:应该?|可以?|能够?|允许?|准许?|需要?|属于|[法须权会得予许再曾宜必用要在]){0,2}"
)
_HAN_PAIR = re.compile("[㐀-鿿]{2}")
_ENGLISH = re.compile(r"\b(?:not|never|cannot|without|neither|nor|no|banned|forbidden|prohibited)\b|n['’]t\b")
_NO_PREDICATE = frozenset("only yet longer just even also ever been allow permitt use able".split())
_ASKS_WHICH = re.compile(r"什么|哪|谁|几|多[少长大高久远深]|何|怎|\b(?:who|whom|what|which|where|when|how|why)\b")


def denied_predicates(folded: str) -> list[str]:
    """The predicates that a folded text denies: two Chinese characters, or a stemmed word; "" for one that stands elsewhere."""
    found: list[str] = []
    for negation in _CHINESE.finditer(folded):
        behind = negation.end("no")
        if folded[negation.start() - 1 : negation.start()] == folded[behind : behind + 1] or folded.startswith(
            "有没有", negation.start() - 1
        ):
            continue  # 是不是, 能不能, 有没有: asked, not denied
        following = _HAN_PAIR.match(folded, negation.end())
        found.append(following.group() if following else "")
    for negation in _ENGLISH.finditer(folded):
        words = content_words(folded[negation.end() : negation.end() + _SEARCHED_CHARS])
        found.append(next((word for run in words for word in run if word not in _NO_PREDICATE), ""))
    return found


def says_opposite(question: str, sentence: str) -> bool:
    """Whether a sentence affirms what the question asks to be denied, or denies what it asks for; both folded."""
    if not _ASKS_WHICH.search(question):
        return False
    asked, denied = denied_predicates(question), denied_predicates(sentence)
    if not asked:
        return any(each and _count(question, each) and _count(sentence, each) == denied.count(each) for each in denied)
    shared = [each for each in asked if each and _count(sentence, each)]
    if not shared:
        return not denied
    # 无法起到维护和平的作用 denies 维护 as well
    reach = [sentence[negation.end() : negation.end() + _REACH_CHARS] for negation in _CHINESE.finditer(sentence)]
    return not any(each in denied or (not each.isascii() and any(each in text for text in reach)) for each in shared)


def _count(folded: str, predicate: str) -> int:
    if not predicate.isascii():
        return folded.count(predicate)
    return sum(word == predicate for run in content_words(folded) for word in run)
