"""Answerability: whether passages can support an answer at all, the threshold behind "not in the knowledge base".

Lexical measures, none of which depends on the size of the corpus:

* coverage: which share of the question one document's passages (with its title and headings) hold: of its words, and of the Chinese
  characters that stand beside a neighbour there too. They weigh by how rare they are in everyday Chinese or English, because a question
  about something the passages do not know shares its common words with them, but not its names;
* lead: how far the best BM25 score stands above the others. Where the answer is, one passage has what no other has; where it is not,
  several have a little;
* found, in Chinese: the same share of all that the search found together. A term that not even the other hits have is unknown here;
* sentence, in English: the same share of a single sentence. Words of a long passage meet by chance, those of a sentence hardly.

A question is answerable where ``coverage`` and the others, each with its weight, reach the threshold. Weights come from logistic
regressions on the dev sets (in Chinese three, in English two, each with equal weight), fitted on one half and tested on the other. The
margin to the second hit, the cosine of a static embedding, the longest common run of characters, and gradient boosting over twenty such
measures add nothing (within .01). The share that the best BM25 score is of the greatest possible does as much as ``found`` and
``sentence``, but costs a search for each term. Of a few hits, a lead says little: it is drawn towards ``lead_neutral``.

Measured behind the product's own fusion; before: coverage of pairs of characters, and lead. "Refused" are questions whose passage was left
out (MTRAG: those without an answer as well); of those in DRCD, XQuAD and SQuAD the answer stands in another passage in .19, .08 and .20:

    set                          false refusals       refused              refused at .05 false, with a threshold of the set's own
    CMRC 2018 (simplified)       .007 -> .006         .719 -> .733         .90
    DRCD (traditional)           .046 -> .043         .642 -> .630         .68
    XQuAD (translated)           .045 -> .045         .600 -> .644         .67
    SQuAD                        .036 -> .039         .234 -> .300         .35
    MTRAG                        .029 -> .044         .294 -> .367         .42

The index counts rarity in the knowledge bases that are searched. With a tenant's other bases in it every word of the smaller language is
rare, no hit stands above the others, and .067 of XQuAD's questions were refused beside two English sets.

One threshold serves all of a language: questions of CMRC use the words of their passages, those of XQuAD are translated and those of DRCD
rephrased, and a base does not say how it will be asked. The strictest threshold that refuses nobody's questions too often is theirs.

No measure sees that a passage is near the subject yet does not answer (SQuAD's adversarial questions), nor compares across languages.
"""

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import compress, pairwise
from operator import or_
from typing import NamedTuple

from msgspec import Struct

from adapters.text.attributes import take_properties
from adapters.text.common_words import word_weight
from adapters.text.enumerations import listing_of, strip_request
from adapters.text.identifiers import holds_identifier, named_identifiers
from adapters.text.language import (
    Haystack,
    Language,
    content_runs,
    content_terms,
    fold,
    haystack_of,
    is_han,
    language_of,
    sentences,
    stem_word,
)
from schemas.chats import Passage

COVERAGE_MIN = 0.2  # whatever the others say
QUESTION_CHARS_MAX = 1_000  # of a question are compared: every sentence of the passages costs that much
FOREIGN_BELOW = 0.1  # of cosine: texts in another language lie that much below those in the question's own, for the same meaning
SENTENCE_PASSAGES = 3  # whose sentences are looked at
LEAD_HITS = 10  # others that a lead is measured against


class Weights(Struct, frozen=True, kw_only=True):
    """The weights of the measures of one language, where that of coverage is 1, the threshold of their sum, and the leads to
    assume: of an only hit, and where nothing is known of the search.
    """

    lead: float
    found: float = 0.0
    sentence: float = 0.0
    threshold: float
    lead_neutral: float
    lead_unknown: float


WEIGHTS: dict[Language, Weights] = {
    "zh": Weights(lead=0.9, found=0.3, threshold=1.15, lead_neutral=0.44, lead_unknown=0.34),
    "en": Weights(lead=1.6, sentence=0.5, threshold=1.1, lead_neutral=0.27, lead_unknown=0.265),
}

SUBJECT_COVERAGE_MIN = 0.6  # of the subject that a follow-up names: 游泳池 is not 不允许游泳

# The 400 or so commonest characters of modern Chinese, commonest first.
_COMMON = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如"
    "都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两"
    "高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比"
    "员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区"
    "保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确"
    "传师观清今切院让识候带导争运"
)
_COMMON_WEIGHT_MIN, _COMMON_WEIGHT_SPAN = 0.15, 0.55


@cache
def _character_weights() -> dict[str, float]:
    step = _COMMON_WEIGHT_SPAN / len(_COMMON)
    return {character: _COMMON_WEIGHT_MIN + step * rank for rank, character in enumerate(_COMMON)}


@lru_cache(maxsize=8_192)
def term_weight(term: str) -> float:
    """The weight of a term: 1 for words, numbers and rare characters, down to 0.15 for the commonest Chinese characters."""
    if term.isascii():
        return 1.0
    weights = _character_weights()
    return sum(weights.get(character, 1.0) for character in term) / len(term)


def coverage(question: str, texts: Iterable[str]) -> float:
    """The greatest share, 0 to 1, of the question's weighted content terms that one of ``texts`` holds."""
    return _cover(question, map(haystack_of, texts))


def sentence_coverage(question: str, passages: Sequence[Passage]) -> float:
    """The greatest share of the question's weighted content terms that one sentence of the first passages holds.

    Titles and headings belong to each of their sentences.
    """
    read = passages[:SENTENCE_PASSAGES]
    texts = [" ".join((each.title, *each.headings, text)) for each in read for text in sentences(each.text)]
    folded = fold("\n".join(" ".join(text.split()) for text in texts)).split("\n") if texts else []
    return _cover(question, map(Haystack, folded))


def _cover_together(question: str, texts: Iterable[str]) -> float:
    """The share of the question's weighted content terms that the texts hold between them."""
    return _cover(question, [Haystack("\n".join(haystack_of(text).folded for text in texts))])


def _cover(question: str, haystacks: Iterable[Haystack]) -> float:
    folded = fold(question[:QUESTION_CHARS_MAX])
    rest, properties = take_properties(folded)
    if not properties:
        wanted = list(map(_weigh_run, content_runs(folded)))
        return max((_share(wanted, haystack) for haystack in haystacks), default=0.0)
    wanted = list(map(_weigh_run, content_runs(rest))) if content_terms(rest) else []
    best = 0.0
    for haystack in haystacks:
        # a property that the text speaks of says nothing of whose it is: neither for nor against
        missing = [_weigh_run(run) for each, words in properties if not each.said.search(haystack.folded) for run in content_runs(words)]
        best = max(best, _share([*missing, *wanted], haystack) if missing or wanted else 1.0)
    return best


def measure_lead(scores: Iterable[float], language: Language) -> float:
    """The lead, 0 to 1, of the best of the BM25 ``scores`` of a search over the mean of the next ten; scores of 0 are no match."""
    best, *others = sorted((score for score in scores if score > 0), reverse=True)[: 1 + LEAD_HITS] or [0.0]
    if not best:
        return 0.0
    neutral, known = WEIGHTS[language].lead_neutral, len(others)
    lead = 1 - sum(others) / (known * best) if known else neutral
    return neutral + (lead - neutral) * known / LEAD_HITS


def is_answerable(question: str, passages: Sequence[Passage], scores: Sequence[float] = (), found: Sequence[str] = ()) -> bool:
    """Whether ``passages`` can support an answer to ``question`` (condensed with its history when it is a follow-up).

    ``scores`` are the best BM25 scores of the search, ``found`` the texts of its hits with title and headings; without them the passages
    stand for both. A question that names identifiers needs a passage with one of them.
    """
    if not holds_named(question, passages):
        return False
    if _is_supported(question, passages, scores, found):
        return True
    folded = fold(question)
    # many passages answer a question for everything equally well, so that none leads; the words that ask for it are in none
    return listing_of(folded) in {"all", "number"} and _is_supported(strip_request(folded), passages, (), found)


def _is_supported(question: str, passages: Sequence[Passage], scores: Sequence[float], found: Sequence[str]) -> bool:
    language = language_of(question)
    weights = WEIGHTS[language]
    covered = coverage(question, _spell_names(question, _documents(passages)))
    if covered < COVERAGE_MIN:
        return False
    missing = weights.threshold - covered - weights.lead * (measure_lead(scores, language) if scores else weights.lead_unknown)
    if not 0 < missing <= weights.found + weights.sentence:  # whatever the others say
        return missing <= 0
    together = weights.found * _cover_together(question, found or _documents(passages)) if weights.found else 0.0
    return missing <= together + (weights.sentence * sentence_coverage(question, passages) if weights.sentence else 0.0)


def is_follow_up_answerable(
    claims: Sequence[str], subject: str, passages: Sequence[Passage], scores: Sequence[float] = (), found: Sequence[str] = ()
) -> bool:
    """Whether ``passages`` can support an answer to a question of a conversation: to one of its ``claims``, the ways to read it.

    What was carried over must not answer for the question: the ``subject`` that it names in place of another ("" for none) has to be in
    the passages.
    """
    if subject and coverage(subject, _documents(passages)) < SUBJECT_COVERAGE_MIN:
        return False
    return any(is_answerable(claim, passages, scores, found) for claim in claims)


def find_meant(question: str, found: Sequence[tuple[str, float]], *, least: float) -> list[int]:
    """Which of the passages ``found``, each with the cosine of its vector, may answer a question by their meaning: their places.

    Words cannot tell where a passage is in another language, or where none of them has a content word of the question. With a few words in
    common they can: there, .26 of cosine admits two thirds of what has no answer (CMRC 2018: refused .74 without, .22 with it). One in
    another language that is much farther than one in the question's own is not what was meant.
    """
    if named_identifiers(fold(question), question):
        return []
    language, wordless = language_of(question), not coverage(question, [text for text, _ in found])
    foreign = [language_of(text) != language for text, _ in found]
    nearest = max((cosine for (_, cosine), is_foreign in zip(found, foreign, strict=True) if not is_foreign), default=0.0)
    least_foreign = max(least, nearest - FOREIGN_BELOW)
    return [
        at
        for at, ((_, cosine), is_foreign) in enumerate(zip(found, foreign, strict=True))
        if cosine >= (least_foreign if is_foreign else least) and (wordless or is_foreign)
    ]


def holds_named(question: str, passages: Sequence[Passage]) -> bool:
    """Whether a passage has one of the identifiers that the question names; true for a question that names none."""
    names = named_identifiers(fold(question), question)
    return not names or any(holds_name(names, passage) for passage in passages)


def holds_name(names: Sequence[str], passage: Passage) -> bool:
    """Whether the passage, its headings, its title or the id of its document has one of the identifiers."""
    text = haystack_of("\n".join((passage.document_id, passage.title, *passage.headings, passage.text))).folded
    return any(holds_identifier(text, name) for name in names)


def _spell_names(question: str, texts: Sequence[str]) -> list[str]:
    """The texts with the identifiers of the question that they hold, as the question writes them: otherwise their parts may differ."""
    names = named_identifiers(fold(question), question)
    held = [" ".join(name for name in names if holds_identifier(haystack_of(text).folded, name)) for text in texts] if names else []
    return [f"{text}\n{spelled}" for text, spelled in zip(texts, held, strict=True)] if any(held) else list(texts)


def _documents(passages: Sequence[Passage]) -> list[str]:
    """The passages of each document as one text, with title and headings."""
    texts: dict[tuple[str, str], list[str]] = {}
    for passage in passages:
        key = (passage.knowledge_base_id, passage.document_id)
        texts.setdefault(key, []).extend((passage.title, *passage.headings, passage.text))
    return ["\n".join(parts) for parts in texts.values()]


class _WeighedRun(NamedTuple):
    """A run of a question with the weight of each of its characters, and their pairs of neighbours; a word is its stem, with one weight."""

    text: str
    is_han: bool
    weights: Sequence[float]
    pairs: Sequence[str] = ()


def _weigh_run(run: str) -> _WeighedRun:
    if is_han(run):
        return _WeighedRun(run, is_han=True, weights=list(map(term_weight, run)), pairs=list(map("".join, pairwise(run))))
    stem = stem_word(run)
    return _WeighedRun(stem, is_han=False, weights=[2 * word_weight(stem)])


def _share(runs: Sequence[_WeighedRun], haystack: Haystack) -> float:
    """The share of the weight of the runs that a text holds.

    A Chinese character is held with a neighbour: 老人学书法 is, where 老人 and 书法 are, although 人学 is nowhere. A word weighs as two.
    """
    whole = held = 0.0
    for run in runs:
        whole += sum(run.weights)
        if run.pairs:
            pairs = [pair in haystack.pairs for pair in run.pairs]
            held += sum(compress(run.weights, map(or_, [False, *pairs], [*pairs, False])))
        elif run.text in haystack.folded if run.is_han else haystack.contains(run.text):
            held += sum(run.weights)
    return held / whole if whole else 0.0
