"""Answerability: whether passages can support an answer at all, the threshold behind "not in the knowledge base".

Two lexical measures, neither of which depends on the size of the corpus:

* coverage: which share of the question's content terms one document's passages (with its title and headings) hold. Terms weigh by how rare
  their characters are in everyday Chinese, because a question about something the passages do not know shares its common words with
  them, but not its names;
* lead: how far the best BM25 score stands above the others. Where the answer is, one passage has what no other has; where it is not,
  several have a little.

A question is answerable where ``coverage + LEAD_WEIGHT * lead`` reaches ``THRESHOLD``. Both come from a logistic regression on the dev sets
(in Chinese three, in English two, each with equal weight); the cosine of a static embedding, the margin to the second hit alone, and the
coverage of three sentences instead of a passage add nothing to these two (within .01). Of a few hits, a lead says little: it is drawn
towards ``LEAD_NEUTRAL``, with which coverage decides as it did alone.

Measured behind the product's own fusion, in each set alone; before: coverage alone at .53 (Chinese) and .44 (English). "Refused" are
questions whose passage was left out (MTRAG: those without an answer):

    set                          false refusals       refused
    CMRC 2018 (simplified)       .041 -> .005         .846 -> .738
    DRCD (traditional)           .083 -> .046         .722 -> .638
    XQuAD (translated)           .194 -> .045         .844 -> .608
    SQuAD                        .052 -> .034         .340 -> .238
    MTRAG                        .118 -> .037         .439 -> .293

At .05 false refusals in each set, coverage alone refuses .588, .370, .612 of the Chinese sets', both together .765, .660, .616.

Neither measure sees that a passage is near the subject yet does not answer (SQuAD's adversarial questions), nor compares across languages.
"""

from collections.abc import Iterable, Sequence
from functools import cache

from adapters.text.attributes import take_properties
from adapters.text.enumerations import listing_of, strip_request
from adapters.text.identifiers import holds_identifier, named_identifiers
from adapters.text.language import Haystack, Language, content_terms, fold, haystack_of, language_of, terms
from schemas.chats import Passage

LEAD_WEIGHT: dict[Language, float] = {"zh": 0.85, "en": 1.6}
THRESHOLD: dict[Language, float] = {"zh": 0.81, "en": 0.86}
LEAD_NEUTRAL: dict[Language, float] = {"zh": 0.33, "en": 0.2625}
COVERAGE_MIN = 0.2  # whatever the lead
LEAD_HITS = 10  # others that a lead is measured against

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


def term_weight(term: str) -> float:
    """The weight of a term: 1 for words, numbers and rare characters, down to 0.15 for the commonest Chinese characters."""
    if term.isascii():
        return 1.0
    weights = _character_weights()
    return sum(weights.get(character, 1.0) for character in term) / len(term)


def coverage(question: str, texts: Iterable[str]) -> float:
    """The greatest share, 0 to 1, of the question's weighted content terms that one of ``texts`` holds."""
    folded = fold(question)
    rest, properties = take_properties(folded)
    if not properties:
        return max((_share(_weights(folded), haystack_of(text)) for text in texts), default=0.0)
    wanted = {term: term_weight(term) for term in content_terms(rest)}
    asked = [(each, _weights(words)) for each, words in properties]
    best = 0.0
    for text in texts:
        haystack = haystack_of(text)
        # a property that the text speaks of says nothing of whose it is: neither for nor against
        absent = [words for each, words in asked if not each.said.search(haystack.folded)]
        missing = dict(pair for words in absent for pair in words.items())
        best = max(best, _share(missing | wanted, haystack) if missing or wanted else 1.0)
    return best


def measure_lead(scores: Iterable[float], language: Language) -> float:
    """The lead, 0 to 1, of the best of the BM25 ``scores`` of a search over the mean of the next ten; scores of 0 are no match."""
    best, *others = sorted((score for score in scores if score > 0), reverse=True)[: 1 + LEAD_HITS] or [0.0]
    if not best:
        return 0.0
    neutral, known = LEAD_NEUTRAL[language], len(others)
    lead = 1 - sum(others) / (known * best) if known else neutral
    return neutral + (lead - neutral) * known / LEAD_HITS


def is_answerable(question: str, passages: Sequence[Passage], scores: Sequence[float] = ()) -> bool:
    """Whether ``passages`` can support an answer to ``question`` (condensed with its history when it is a follow-up).

    ``scores`` are the BM25 scores of the hits that the passages were chosen from; without them coverage decides alone. A question that
    names identifiers needs a passage with one of them. The words that ask for a list need not be in any.
    """
    language, texts = language_of(question), _documents(passages)
    lead = measure_lead(scores, language) if scores else LEAD_NEUTRAL[language]
    covered = coverage(question, texts)
    if listing_of(folded := fold(question)) in {"all", "number"}:  # many passages answer it equally well: that none leads says nothing
        covered, lead = max(covered, coverage(strip_request(folded), texts)), max(lead, LEAD_NEUTRAL[language])
    return holds_named(question, passages) and covered >= max(THRESHOLD[language] - LEAD_WEIGHT[language] * lead, COVERAGE_MIN)


def is_follow_up_answerable(claims: Sequence[str], subject: str, passages: Sequence[Passage], scores: Sequence[float] = ()) -> bool:
    """Whether ``passages`` can support an answer to a question of a conversation: to one of its ``claims``, the ways to read it.

    What was carried over must not answer for the question: the ``subject`` that it names in place of another ("" for none) has to be in
    the passages.
    """
    if subject and coverage(subject, _documents(passages)) < SUBJECT_COVERAGE_MIN:
        return False
    return any(is_answerable(claim, passages, scores) for claim in claims)


def find_meant(question: str, found: Sequence[tuple[str, float]], *, least: float) -> list[int]:
    """Which of the passages ``found``, each with the cosine of its vector, may answer a question by their meaning: their places.

    Words cannot tell where a passage is in another language, or where none of them has a content word of the question. With a few words in
    common they can: there, .26 of cosine admits two thirds of what has no answer (CMRC 2018: refused .74 without, .22 with it).
    """
    if named_identifiers(fold(question), question):
        return []
    language, wordless = language_of(question), not coverage(question, [text for text, _ in found])
    return [at for at, (text, cosine) in enumerate(found) if cosine >= least and (wordless or language_of(text) != language)]


def holds_named(question: str, passages: Sequence[Passage]) -> bool:
    """Whether a passage has one of the identifiers that the question names; true for a question that names none."""
    names = named_identifiers(fold(question), question)
    return not names or any(holds_name(names, passage) for passage in passages)


def holds_name(names: Sequence[str], passage: Passage) -> bool:
    """Whether the passage, its headings, its title or the id of its document has one of the identifiers."""
    text = haystack_of("\n".join((passage.document_id, passage.title, *passage.headings, passage.text))).folded
    return any(holds_identifier(text, name) for name in names)


def _documents(passages: Sequence[Passage]) -> list[str]:
    """The passages of each document as one text, with title and headings."""
    texts: dict[tuple[str, str], list[str]] = {}
    for passage in passages:
        key = (passage.knowledge_base_id, passage.document_id)
        texts.setdefault(key, []).extend((passage.title, *passage.headings, passage.text))
    return ["\n".join(parts) for parts in texts.values()]


def _weights(folded: str) -> dict[str, float]:
    return {term: term_weight(term) for term in terms(folded)}


def _share(wanted: dict[str, float], haystack: Haystack) -> float:
    whole = sum(wanted.values())
    return sum(value for term, value in wanted.items() if haystack.contains(term)) / whole if whole else 0.0
