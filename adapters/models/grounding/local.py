"""The answering model without a key: it quotes the sentences of the passages that fit the question best, with their markers.

Deterministic and offline. Whether the passages support an answer at all was judged at retrieval (``answerability``); when no sentence
shares anything with the question, the likeliest one of the best passage is quoted: given passages are never called absent.
"""

import asyncio
import math
import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence

from msgspec import Struct

from adapters.embedders.port import Embedder
from adapters.models import prompts
from adapters.models.dialogue.courtesies import courtesy_reply
from adapters.models.dialogue.follow_ups import read_question
from adapters.models.grounding.answerability import coverage, holds_name, term_weight
from adapters.models.grounding.citations import MARKER, take_clauses
from adapters.models.grounding.meaning import SentenceRanking
from adapters.models.grounding.rows import RowTexts, tell_computed
from adapters.models.grounding.statements import read_statements
from adapters.models.port import AnswerPart, AnswerRequest, Finish, Piece, Speaker
from adapters.models.rules import needs_model
from adapters.models.stop_sequences import AnswerTruncator
from adapters.text.code_comments import tell_code
from adapters.text.enumerations import Listing, listing_of, says_number
from adapters.text.identifiers import holds_identifier, named_identifiers
from adapters.text.invisible import strip_invisible
from adapters.text.language import Haystack, Language, estimate_tokens, fold, language_of, terms
from adapters.text.namesakes import find_names
from adapters.text.negation import says_opposite
from adapters.text.script import follow_script
from schemas.chats import Passage, Usage

QUOTES_MAX = 3
LISTED_MAX = 12  # quotes, one of each passage, where everything of a kind is asked for
QUOTE_CHARS_MAX = 400
ON_LOOP_CHARS_MAX = 8_000  # about 3 ms; longer passages are ranked in a thread
_SHORT_CHARS = 8  # a shorter sentence may be a heading: it is looked at whether it says more than the question
_CARRIED_WEIGHT = 0.5  # of a word of the conversation before, where the question's own have 1
_CARRIED_SHARE_MAX = 0.8  # of the question's own weight, all of them together
_SUBJECT_MIN = 0.5  # of the best fit, in the passages about what was carried over
_ABOUT_SHARE = 0.8  # of the best passage's coverage of the subject
_INSTEAD_MIN = 0.6  # of the fit of a sentence that says the opposite of what is asked: less is no answer in its place
_SAME_DOCUMENT_MIN = 0.5  # of the best sentence's fit: more of what its document says
_LISTED_MIN = 0.6  # of the best sentence's fit, where everything of a kind is asked for
_PARALLEL_FIT_MIN = 0.9  # of the best sentence's fit, where other documents say the same of other things
_PARALLEL_MIN = 3  # documents that do: fewer may do by chance
_OTHER_DOCUMENT_MIN = 0.99  # of the best sentence's score: what another document says has to fit as well

_TITLE_SHARE = 0.4  # a term the sentence leaves to its title counts this much: "it was founded in 1911"
_COMPLETE_BONUS, _NUMBER_BONUS = 0.06, 0.12
_RANK_BONUS, _FOUND_BONUS = 0.4, 0.8  # the search, which knows all passages, tells documents apart better than words of one sentence

_INTRODUCTION: dict[Language, str] = {
    "zh": "以下为知识库原文摘录（未使用语言模型）：",
    "en": "Quoted from the knowledge base (no language model was used):",
}
_MEANT: dict[Language, str] = {
    "zh": "以下为按含义找到的知识库原文（与问题没有共同的词语，请自行判断是否相关；未使用语言模型）：",
    "en": "Found by meaning, not by the words of the question: check that it answers (quoted; no language model was used):",
}
_OPPOSITE: dict[Language, str] = {
    "zh": "知识库中没有找到直接的回答；最接近的原文说的是相反或其他的情况，请核对（未使用语言模型）：",
    "en": "No direct answer was found. The nearest sentences say the opposite of what is asked, or something else: please check (quoted; "
    "no language model was used):",
}
_PART: dict[Language, str] = {
    "zh": "\n\n（问题要求全部列出；以上是找到的内容，可能只是其中的部分。）",
    "en": "\n\n(The question asks for all of them; this is what was found, possibly only a part.)",
}
_PARTIAL: dict[Listing, dict[Language, str]] = {
    "all": _PART,
    "which": _PART,
    "number": {
        "zh": "\n\n（没有找到写明总数的句子；以上是从各文档中找到的，可能只是其中的部分。）",
        "en": "\n\n(No sentence says how many there are; this is what was found in the documents, possibly only a part.)",
    },
}
_ASKS_NUMBER = re.compile(
    r"多少|第?几|何时|什么时|哪[年天月一]|年份|多[大长高久远]|how (?:many|much|long|old|far|tall)|when|what (?:year|date|time)"
)
_NUMBER = re.compile(r"[0-9〇零一二三四五六七八九十百千万亿]")
_COMPLETE = re.compile("[。！？.!?…][”’\"'」』）)]*$")
_MARKUP = re.compile(r"^(?:#{1,6}\s+|[-*+•>]\s+)+")


SPEAKER = Speaker(model="local", provider="local")


class _Sentence(Struct, frozen=True):
    text: str
    marker: int
    document: tuple[str, str]
    place: int  # in reading order over all passages
    held: frozenset[str]
    fit: float  # of its words
    score: float  # with what the search thinks of its passage
    opposite: bool = False  # of what is asked
    items: tuple[str, ...] = ()  # of the list that it introduces


class LocalModel:
    """An AnswerModel that needs neither key nor network."""

    name = "local"
    names = (name,)

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._by_meaning = SentenceRanking(embedder)

    async def start(self) -> None:
        fold("載入")  # loads the conversion tables before the first question

    async def stop(self) -> None:
        await self._by_meaning.stop()

    async def answer(self, request: AnswerRequest) -> AsyncGenerator[AnswerPart, None]:
        meant = await self._by_meaning.choose(request.question, found) if (found := _select_meant(request)) else []
        pieces = _tell_meant(request, meant) if meant else await _compose(request)
        cutter, text = AnswerTruncator(request.stop, tokens_max=request.max_tokens), ""
        for piece in (*map(cutter.feed, pieces), cutter.finish()):
            if piece:
                text += piece
                yield Piece(piece, SPEAKER)
        usage = Usage(completion_tokens=estimate_tokens(text), estimated=True)
        yield Finish(reason=cutter.reason or "stop", usage=usage, speaker=SPEAKER)


def _select_meant(request: AnswerRequest) -> tuple[Passage, ...]:
    """The passages to quote by meaning: all of them, or, where this model stands in for a language model, those that retrieval named."""
    if request.answerable:
        return request.passages if request.by_meaning else ()
    return tuple(passage for passage in request.passages if passage.marker in request.meant)


def _tell_meant(request: AnswerRequest, meant: list[tuple[int, str]]) -> list[str]:
    """The pieces of an answer that was found by meaning, and says so."""
    rows = RowTexts(request.passages, language_of(request.question))
    return [_introduce(_MEANT, request), *(f"\n- {_clean_quote(rows.tell(marker, text))} [{marker}]" for marker, text in meant)]


async def _compose(request: AnswerRequest) -> list[str]:
    """The pieces of the answer: a courtesy, what a table computes, quotes, or that there is nothing to quote."""
    if request.courtesy is not None:
        return [courtesy_reply(request.courtesy, request.question)]
    if computed := tell_computed(request.question, request.passages):
        return [_introduce(_INTRODUCTION, request), *(f"\n{line}" for line in computed)]
    if not request.answerable:
        quotes = []
    elif sum(len(passage.text) for passage in request.passages) > ON_LOOP_CHARS_MAX:
        quotes = await asyncio.to_thread(_tell_quotes, request)
    else:
        quotes = _tell_quotes(request)
    if quotes:
        return quotes
    said = [prompts.not_found_answer(request.question)]
    return [*said, "\n\n" + needs_model(request.question)] if request.mode == "assistant" else said


def _introduce(introductions: dict[Language, str], request: AnswerRequest) -> str:
    return follow_script(introductions[language_of(request.question)], request.question) + "\n"


def _tell_quotes(request: AnswerRequest) -> list[str]:
    """What introduces the quotes, those with their markers, a line each, and that it may be a part where everything of a kind is asked for.

    Nothing without quotes.
    """
    language = language_of(request.question)
    rows = RowTexts(request.passages, language)
    chosen, listing = _select_quotes(request, rows)
    introductions = _OPPOSITE if any(each.opposite for each in chosen) else _INTRODUCTION
    told: list[str] = []
    for each in chosen:
        told.append(f"\n- {_clean_quote(rows.tell(each.marker, each.text))} [{each.marker}]")
        told += [f"\n  - {_clean_quote(item)} [{each.marker}]" for item in each.items]
    if told and listing:
        told.append(follow_script(_PARTIAL[listing][language], request.question))
    return [_introduce(introductions, request), *told] if told else []


def _select_quotes(request: AnswerRequest, rows: RowTexts) -> tuple[list[_Sentence], Listing]:
    """The sentences to quote, in reading order, and what they are a list of; a follow-up is read with the questions before it."""
    reading = read_question(request.question, request.history)
    passages, carried = _named_passages(request), " ".join(reading.carried)
    ranked = _rank_sentences(reading.question, passages, rows, carried=carried)
    if about := reading.subject or (carried if reading.kind == "refers" else ""):
        ranked = _prefer_subject(ranked, {each.marker for each in _passages_about(about, passages)}, strict=bool(reading.subject))
    elif reading.topic:
        kept = {each.marker for each in _prefer_topic(reading.question, " ".join(reading.topic), passages)}
        ranked = [each for each in ranked if each.marker in kept]
    ranked = _take_one_side(_drop_other_names(request.question, ranked))
    ranked = ranked or _rank_sentences(request.question, passages[:1], rows, any_sentence=True)
    listing = listing_of(fold(request.question))
    if listing in {"which", "number"}:
        listed = _choose_sentences(ranked, request.max_tokens, listing, rows)
        said = any(says_number(fold(request.question), fold(each.text)) for each in ranked)
        listing = listing if len(listed) >= _PARALLEL_MIN and not said else ""
    return sorted(_choose_sentences(ranked, request.max_tokens, listing, rows), key=lambda sentence: sentence.place), listing


def _choose_sentences(ranked: list[_Sentence], tokens_max: int, listing: Listing, rows: RowTexts) -> list[_Sentence]:
    """The best sentence, and those that belong beside it."""
    chosen: list[_Sentence] = []
    tokens = 0
    belongs = {"all": _is_listed, "which": _is_parallel, "number": _is_parallel, "": _is_quoted}[listing]
    for sentence in ranked:
        if chosen and not belongs(sentence, chosen, ranked[0], rows):
            continue
        if any(sentence.marker == each.marker and (sentence.text in each.items or each.text in sentence.items) for each in chosen):
            continue  # a list and one of its items: the better one
        tokens += estimate_tokens("\n".join((sentence.text, *sentence.items)))
        if len(chosen) == (LISTED_MAX if listing else QUOTES_MAX) or (chosen and tokens > tokens_max):
            break
        chosen.append(sentence)
    return chosen


def _prefer_subject(ranked: list[_Sentence], markers: set[int], *, strict: bool) -> list[_Sentence]:
    """The sentences of these passages; unless ``strict`` all, where another fits far better: it may say otherwise what was carried over."""
    about = [each for each in ranked if each.marker in markers]
    fits = [max((each.fit for each in some), default=0.0) for some in (about, ranked)]
    return about if strict or fits[0] >= _SUBJECT_MIN * fits[1] else ranked


def _is_listed(sentence: _Sentence, chosen: list[_Sentence], best: _Sentence, _rows: RowTexts) -> bool:
    """Whether a sentence is another of the things that a question asks for: one of each passage."""
    return sentence.fit >= _LISTED_MIN * best.fit and all(sentence.marker != other.marker for other in chosen)


def _is_parallel(sentence: _Sentence, chosen: list[_Sentence], best: _Sentence, _rows: RowTexts) -> bool:
    """Whether another document says of another thing what the best sentence says: it has the same words of the question."""
    elsewhere = all(sentence.document != other.document for other in chosen)
    return elsewhere and sentence.held == best.held and sentence.fit >= _PARALLEL_FIT_MIN * best.fit


def _is_quoted(sentence: _Sentence, chosen: list[_Sentence], best: _Sentence, rows: RowTexts) -> bool:
    """Whether a sentence adds to those chosen. A neighbouring row has some of the words, and other values: it does not."""
    if rows.is_row(sentence.marker, sentence.text) and any(not sentence.held >= other.held for other in chosen):
        return False
    return _is_worth_quoting(sentence, best) and _is_new(sentence, chosen)


def _is_worth_quoting(sentence: _Sentence, best: _Sentence) -> bool:
    """Whether a sentence belongs beside the best one."""
    if sentence.document == best.document:
        return sentence.fit >= _SAME_DOCUMENT_MIN * best.fit
    return sentence.score >= _OTHER_DOCUMENT_MIN * best.score


def _is_new(sentence: _Sentence, chosen: list[_Sentence]) -> bool:
    """Whether a sentence has a word of the question that none of the chosen ones has."""
    return not any(sentence.held <= other.held or sentence.text == other.text for other in chosen)


def _named_passages(request: AnswerRequest) -> tuple[Passage, ...]:
    """The passages to quote: those with an identifier that the question names, or all of them."""
    names = named_identifiers(fold(request.question), request.question)
    return tuple(passage for passage in request.passages if holds_name(names, passage)) if names else request.passages


def _passages_about(subject: str, passages: tuple[Passage, ...]) -> tuple[Passage, ...]:
    """The passages that hold most of the subject, with their titles and headings; all of them when none holds any."""
    held = [_coverage_of(subject, each) for each in passages]
    best = max(held, default=0.0)
    return tuple(each for each, share in zip(passages, held, strict=True) if share >= _ABOUT_SHARE * best)


def _prefer_topic(question: str, topic: str, passages: tuple[Passage, ...]) -> tuple[Passage, ...]:
    """The passages without those that hold as much of the question as the best, but less of what was spoken of before."""
    held = [_coverage_of(question, each) for each in passages]
    equal = tuple(each for each, share in zip(passages, held, strict=True) if share == max(held))
    about = _passages_about(topic, equal)
    return tuple(each for each in passages if each not in equal or each in about)


def _coverage_of(words: str, passage: Passage) -> float:
    return coverage(words, ["\n".join((passage.title, *passage.headings, passage.text))])


def _rank_sentences(
    question: str, passages: tuple[Passage, ...], rows: RowTexts, *, carried: str = "", any_sentence: bool = False
) -> list[_Sentence]:
    """Sentences that share a term with the question, best first; ``any_sentence`` takes the others as well.

    ``carried`` are words of the conversation before, which count less.
    """
    folded = fold(question)
    own, names = terms(folded), find_names(question)
    wanted = own | (terms(fold(carried)) if carried else frozenset())
    texts = [
        (rank, passage, statement)
        for rank, passage in enumerate(passages)
        for statement in read_statements(passage.text)
        if not (rows.is_header(passage.marker, statement.text) or rows.names_another(passage.marker, statement.text, names))
        and not (any_sentence and rows.is_row(passage.marker, statement.text))
    ]
    if not texts or not (wanted or any_sentence):
        return []
    folds = fold("\n".join(statement.words for _, _, statement in texts)).split("\n")
    titles = [_matching_terms(wanted, fold(" ".join((passage.title, *passage.headings)))) for passage in passages]
    held = [_matching_terms(wanted, line) for line in folds]
    if any_sentence:
        held = _inherit_headings([statement.text for _, _, statement in texts], held)
    seen = Counter(term for terms_held in held for term in terms_held)
    worth = {term: term_weight(term) * math.log(1 + len(texts) / (1 + seen[term])) for term in wanted}
    share = _CARRIED_SHARE_MAX * sum(worth[term] for term in own) / (sum(worth[term] for term in wanted - own) or 1.0)
    worth |= {term: worth[term] * min(_CARRIED_WEIGHT, share) for term in wanted - own}
    whole = sum(worth.values())
    best_found = max(passage.score for passage in passages)
    asks_number = _ASKS_NUMBER.search(folded) is not None
    ranked: list[_Sentence] = []
    for place, (rank, passage, statement) in enumerate(texts):
        text = statement.text
        if not (held[place] or any_sentence) or (
            len(text) < _SHORT_CHARS and not (any_sentence or statement.items) and _only_repeats(folds[place], wanted)
        ):
            continue
        score = sum(worth[term] for term in held[place]) + _TITLE_SHARE * sum(worth[term] for term in titles[rank] - held[place])
        fit = score / (whole or 1.0)
        fit += _COMPLETE_BONUS if _COMPLETE.search(text) else 0.0
        fit += _NUMBER_BONUS if asks_number and _NUMBER.search(folds[place]) else 0.0
        found = _RANK_BONUS / (1 + rank) + _FOUND_BONUS * passage.score / (best_found or 1.0)
        document = (passage.knowledge_base_id, passage.document_id)
        opposite = says_opposite(folded, folds[place])
        items = statement.items
        ranked.append(_Sentence(text, passage.marker, document, place, held[place], fit, fit + found, opposite, items))
    return sorted(ranked, key=lambda sentence: (-sentence.score, sentence.place))


def _drop_other_names(question: str, ranked: list[_Sentence]) -> list[_Sentence]:
    """The sentences without those about another than the identifier that is asked about, where one of them has it."""
    names = named_identifiers(fold(question), question)
    folded = [fold("\n".join((each.text, *each.items))) for each in ranked] if names else []
    held = [any(holds_identifier(text, name) for name in names) for text in folded]
    if not any(held):
        return ranked
    return [each for each, text, holds in zip(ranked, folded, held, strict=True) if holds or not named_identifiers(text, each.text)]


def _take_one_side(ranked: list[_Sentence]) -> list[_Sentence]:
    """The sentences without those that say the opposite of what is asked, or only those, where nothing else fits."""
    sides = [[each for each in ranked if each.opposite is opposite] for opposite in (False, True)]
    fits = [max((each.fit for each in side), default=0.0) for side in sides]
    return sides[0] if fits[0] >= _INSTEAD_MIN * fits[1] else sides[1]


def _inherit_headings(texts: Sequence[str], held: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """What each text holds: of a heading nothing, and its words are those of the sentence below it."""
    found: list[frozenset[str]] = []
    above: frozenset[str] = frozenset()
    for text, own in zip(texts, held, strict=True):
        is_heading = text.startswith("#")
        found.append(frozenset() if is_heading else own | above)
        above = own if is_heading else frozenset()
    return found


def _only_repeats(folded: str, wanted: frozenset[str]) -> bool:
    """A heading that has the question's words and no others."""
    return terms(folded) <= wanted


def _matching_terms(wanted: frozenset[str], folded: str) -> frozenset[str]:
    haystack = Haystack(folded)
    return frozenset(term for term in wanted if haystack.contains(term))


def _clean_quote(text: str) -> str:
    """The sentence as it can be quoted: without list or heading marks, invisible characters, and the document's own ``[n]`` (in answers
    these are passages); with whole code spans.
    """
    text = MARKER.sub("", _MARKUP.sub("", strip_invisible(tell_code(text))))
    if text.count("`") % 2 or "```" in text:
        text = text.replace("`", "")
    return text if len(text) <= QUOTE_CHARS_MAX else take_clauses(text, QUOTE_CHARS_MAX) + "…"
