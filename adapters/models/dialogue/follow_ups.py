"""Follow-up questions: what "and how high is it?" asks for, from the conversation before it.

Rules, for when no language model is there to rewrite the question, or it does not answer in time. They tell three kinds of question apart:

* ``whole``: it has a subject of its own (年假几天？), however short it is, and is searched for as it stands;
* ``refers``: it points back (它, "there"), or leaves out what it is about. It takes the words of the last question that was answered and
  stood by itself, and of those between;
* ``instead``: it names only another subject (那病假呢, "what about rye bread", 不是，我问的是年假). That one has to be answered; the words
  of the question before it, which say what is asked, only choose among what is found.

Greetings and thanks belong to no search. Besides, every search with history has the last turns as its ``background``: of less weight than
the question, so a change of subject wins.
"""

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from adapters.models.dialogue.refusals import is_refusal
from adapters.models.dialogue.subjects import is_empty, is_pleasantry, own_subject
from adapters.models.grounding.answerability import term_weight
from adapters.models.grounding.citations import MARKER
from adapters.text.identifiers import named_identifiers
from adapters.text.keywords import find_keywords
from adapters.text.language import fold, terms
from adapters.text.negation import denied_predicates
from adapters.text.sparse import Background
from schemas.chats import Turn

RULES = "rules"  # their name in ``Grounding.condensed_by``
TURNS_BACK_MAX = 4  # questions searched for what a follow-up leaves out
CARRIED_PHRASES_MAX = 10  # words or phrases; more would be another question
TURN_CHARS_MAX = 500  # of an earlier question
STANDALONE_WEIGHT_MIN = 2.0  # weight of a question's terms: less than a name and a word is no question by itself
CHINESE_WEIGHT_MIN = 3.0  # of a Chinese question that names no subject: 需要什么材料？
STANDALONE_WEIGHT_CERTAIN = 5.0  # this much stands by itself, pronouns or not

QUESTION_WEIGHT, ANSWER_WEIGHT = 0.4, 0.15  # of a word in the background, where the question's own have 1
LEFT_WEIGHT = 0.3  # of a question whose subject was left for another since
QUESTIONS_BACK = 2

Kind = Literal["whole", "refers", "instead"]

_POINTS_BACK = re.compile(
    r"\b(?:it|its|itself|they|them|their|theirs|he|him|his|she|her|hers|this|these|those|former|latter|ones?|same|else|such)\b"
    r"|\bthat\b(?!\s+(?:is|are|was|were|can|will|the|a|an|i|you|we)\b)"
    r"|(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\bwere )\bthere\b(?!\s+(?:is|are|was|were|a|an|any)\b)"
    "|[它他她]|其(?![他它中实余])|(?<!应)该(?!不)|(?<![因彼如])此(?![外后])|这|那|上述|前者|后者|两者|二者|同样"
)
_GOES_ON = re.compile(
    r"\s*(?:and|but|so|then|or|also|no|yes|ok(?:ay)?|well|really|sorry|what about|how about|what else|for example)\b"
    r"|\s*(?:i see|tell me more)\b"
    "|\\s*(?:那|还|再|然后|接着|所以|但|可是|不过|例如|比如|继续|另外)|.{0,12}呢[？?]?\\s*$"
)
_GOES_ON_ABOUT = re.compile(r"\A\s*+(?:what|how) about\b|\A[^，,。？?！!]{1,24}?呢[？?]")
_ASKS_ON = re.compile(r"\s*why\b|\s*(?:为什么|为何|怎么|具体)")
_ASKS = re.compile(
    r"什么|哪|谁|几|多[少大长高久远深]|吗|何|怎|是否|能否|有没有|是不是"
    r"|\b(?:who|whom|whose|what|when|where|which|why|how)\b|\A(?:is|are|was|were|do|does|did|can|could|should|will|would|has|have|may|must)\b"
)
_ASKS_WHICH = re.compile(r"\bwhich\b|哪[一几]?[个些种款家项本位]")  # of all, not of the one that was spoken of
# What only leads over to a question that is complete behind it: 那班车几点？, "and when is lunch?"
_LEADS_OVER = re.compile(
    r"\A\s*+(?:(?:and|but|so|or|also|ok(?:ay)?|well|then)\b[\s,]*+){1,3}"
    r"|\A\s*+(?:那么?(?![个些里儿时天种样边位家座次本款只条张台部栋名间辆项届年月])|另外|还有|对了|然后|至于|换成|顺便问一下)[\s，,、]*+"
)
# What corrects the question before: 不对，我是问…, "no, I mean …"
_CORRECTS = re.compile(
    r"\A\s*+(?:(?:不对?|不是(?:的|这个)?|不是[^，,。！!？?]{1,12}|错了|抱歉|对不起|不好意思)[\s，,。！!]++){0,2}"
    r"我(?:[是想要]|其实是?)?(?:问|说|指|意思)的?是?[\s，,：:]*+"
    r"|\A\s*+(?:(?:no|nope|sorry|oh|well|wait|actually|not [^,.!?]{1,40})[\s,.!]++){0,3}"
    r"i(?:'m| am| was| wanted to| want to| would like to)? ?(?:meant?|asking|asked|ask|know)\b[\s,:]*+(?:about\b)?[\s,:]*+"
)
_INSTEAD = re.compile(
    r"\A\s*+(?:what|how) about\b\s*+(?P<about>[^,?]{2,80})[\s?!.]*+\Z|\A(?P<then>[^，,。？?！!]{1,24}?)呢[\s？?！!。]*+\Z"
)
_CIRCUMSTANCE = re.compile(r"(?:about|after|at|before|by|during|for|from|in|on|over|since|to|under|with|without)\b")  # "and on weekends?"
_NAMED_FIRST = re.compile(r"\A(?P<name>[^,，]{2,60}?)呢?[,，]\s*+\S")  # 班车呢，谁负责？ "And the castle, when was that built?"


class Reading(Struct, frozen=True, kw_only=True):
    """A question as the conversation before it makes it understood.

    ``question`` is what it says itself, without a correction that leads over to it; ``carried`` are words of earlier questions, in their
    order; ``subject`` is what it names instead of the one that is ``replaced`` among them. ``topic`` are words of the question before one
    that stands by itself but is short: of two things with a warranty it may mean the one that was spoken of.
    """

    question: str
    kind: Kind = "whole"
    subject: str = ""
    carried: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    topic: tuple[str, ...] = ()

    @property
    def query(self) -> str:
        """What to search for: what was carried stands before the question, without the subject that another replaces."""
        return " ".join((*(each for each in self.carried if each not in self.replaced), self.question))

    @property
    def claims(self) -> tuple[str, ...]:
        """What the passages may support, one of them: with what was carried, or by its own words alone, as they were found for both."""
        if self.kind == "refers":
            return (_POINTS_BACK.sub(" ", fold(self.query)), self.question)
        return (self.subject or self.question,)


def read_question(question: str, history: Sequence[Turn]) -> Reading:
    """What ``question`` asks for after ``history``."""
    said = _questions(history)
    if not said:
        return Reading(question=question)
    alone = _read_alone(question)
    if alone.kind == "whole":
        folded = fold(question[:TURN_CHARS_MAX])
        clear = question_weight(folded) >= STANDALONE_WEIGHT_CERTAIN or _ASKS_WHICH.search(folded) or denied_predicates(folded)
        return alone if clear else replace(alone, topic=_choose_new(alone.question, _referent(said)))
    carried = _referent(said) if alone.kind == "refers" else _predicate(said)
    chosen = _choose_new(alone.question, carried)
    replaces = alone.kind == "instead" and not _CIRCUMSTANCE.match(alone.subject)
    replaced = tuple(phrase for phrase in chosen if _is_name(phrase, carried[0])) if replaces else ()
    return Reading(question=alone.question, kind=alone.kind, subject=alone.subject, carried=chosen, replaced=replaced)


def condense_by_rules(question: str, history: Sequence[Turn]) -> str:
    """``question`` as it can be searched for: itself when it stands alone, else with the words that it leaves out before it."""
    return read_question(question, history).query


def question_weight(folded: str) -> float:
    """The weight of the terms of a folded question."""
    return sum(term_weight(term) for term in terms(folded))


def search_background(history: Sequence[Turn]) -> Background:
    """The background of a search: the last questions and, with less weight, the last answer without its markers."""
    answers = (turn.content for turn in reversed(drop_pleasantries(history)) if turn.role == "assistant")
    answer = next((each for each in answers if not is_refusal(each)), "")
    asked = _drop_unanswered(_questions(history))[-QUESTIONS_BACK:]
    weights = [QUESTION_WEIGHT if each.reading.kind == "refers" else LEFT_WEIGHT for each in asked[1:]] + [QUESTION_WEIGHT]
    questions = [(each.content, weight) for each, weight in zip(asked, weights, strict=False)]
    return (*questions, *([(MARKER.sub("", answer), ANSWER_WEIGHT)] if answer else []))


def _read_alone(question: str) -> Reading:
    """The kind of a question, and its own words; nothing is carried yet."""
    text = question[:TURN_CHARS_MAX]
    folded = fold(text)
    corrected = _CORRECTS.sub("", folded, count=1)
    goes_on = _GOES_ON_ABOUT.match(folded) or (corrected != folded and _POINTS_BACK.search(corrected))
    if is_pleasantry(folded) or (question_weight(folded) >= STANDALONE_WEIGHT_CERTAIN and not goes_on):
        return Reading(question=question)
    own = _LEADS_OVER.sub("", corrected, count=1)
    led = len(own) < len(folded)
    shown = question
    if len(corrected) < len(folded):
        shown = text[len(text) - len(corrected) :] if len(text) == len(folded) else corrected
    if subject := _named_instead(own, led=led):
        return Reading(question=shown, kind="instead", subject=subject)
    return Reading(question=shown, kind="whole" if _stands_alone(own, led=led) else "refers")


def _named_instead(own: str, *, led: bool) -> str:
    """The subject that a question names in place of another; "" when it asks something itself. ``led``: something led over to it."""
    found = _INSTEAD.match(own)
    named = (found["about"] or found["then"]) if found else own.strip(" ?？!！.。,，") if led else ""
    if not named or _ASKS.search(named) or _POINTS_BACK.search(named):
        return ""
    return own_subject(named) if not named.isascii() else named if _names(named) else ""


def _stands_alone(own: str, *, led: bool) -> bool:
    """Whether a question without what leads over to it says itself what it is about."""
    first = _NAMED_FIRST.match(own)
    if first and (led or "呢" in first.group()) and not _POINTS_BACK.search(first["name"]) and _names(first["name"]):
        return True
    if _POINTS_BACK.search(own) or _GOES_ON_ABOUT.match(own):
        return False
    if own_subject(own):
        return True
    least = STANDALONE_WEIGHT_MIN if own.isascii() else CHINESE_WEIGHT_MIN
    return not (_GOES_ON.match(own) or _ASKS_ON.match(own)) and question_weight(own) >= least


def _names(folded: str) -> bool:
    """Whether a few words name something that can be asked about."""
    return bool(own_subject(folded) or (folded.isascii() and not is_empty(folded)))


class _Asked(Struct, frozen=True):
    """An earlier question, and whether the knowledge base had an answer to it."""

    content: str
    reading: Reading
    answered: bool


def _questions(history: Sequence[Turn]) -> list[_Asked]:
    """The last questions of the conversation, in its order."""
    asked: list[tuple[str, bool]] = []
    for turn in drop_pleasantries(history):
        if turn.role == "user" and turn.content.strip():
            asked.append((turn.content, True))
        elif turn.role == "assistant" and asked:
            asked[-1] = (asked[-1][0], not is_refusal(turn.content))
    last = [(content[:TURN_CHARS_MAX], answered) for content, answered in asked[-TURNS_BACK_MAX:]]
    return [_Asked(content, _read_alone(content), answered) for content, answered in last]


def _drop_unanswered(asked: Sequence[_Asked]) -> Sequence[_Asked]:
    """Those that were answered; all when none was."""
    return [each for each in asked if each.answered] or asked


def drop_pleasantries(history: Sequence[Turn]) -> list[Turn]:
    """The turns that are about something: greetings and thanks left out, with what was answered to them."""
    said: list[Turn] = []
    courteous = False
    for turn in history:
        if turn.role == "user":
            courteous = is_pleasantry(fold(turn.content[:TURN_CHARS_MAX]))
        if not courteous:
            said.append(turn)
    return said


def _referent(asked: Sequence[_Asked]) -> list[str]:
    """What a question that points back is about: the last answered questions, back to one that names its subject, that one first."""
    chain: list[str] = []
    for each in reversed(_drop_unanswered(asked)):
        chain.insert(0, each.reading.question)
        if each.reading.kind != "refers":
            break
    return chain


def _predicate(asked: Sequence[_Asked]) -> list[str]:
    """What was asked last, of whatever subject."""
    return [next((each.reading.question for each in reversed(asked) if each.reading.kind != "instead"), asked[-1].reading.question)]


def _is_name(phrase: str, question: str) -> bool:
    """Whether a phrase of a question is part of what it is about, which another subject replaces."""
    folded, subject = fold(phrase), own_subject(fold(question)).split()
    if folded.isascii():
        return folded in subject or (phrase[0].isupper() and not question.startswith(phrase))
    return any(part in folded or folded in part for part in subject)


def _choose_new(question: str, earlier: Sequence[str]) -> tuple[str, ...]:
    """The phrases of earlier questions that say something new, a bounded number."""
    carried: list[str] = []
    folded = fold(question)
    held, names = set(terms(folded)), named_identifiers(folded)
    for turn in earlier:
        other = {part for name in named_identifiers(fold(turn)) for part in name.split()} if names else set()
        for phrase in find_keywords(turn, CARRIED_PHRASES_MAX):
            if other.issuperset(terms(fold(phrase))):  # PPR-9078呢？ does not ask about the PPR-9087 before it
                continue
            new = terms(fold(phrase)) - held
            if new and len(carried) < CARRIED_PHRASES_MAX:
                carried.append(phrase)
                held |= new
    return tuple(carried)
