"""A hyphen at the end of a line: the typesetter's, which goes, or the word's own, which stays.

Only evidence removes it: the joined word elsewhere in the document, a piece that is no word but the end of one, or a document that breaks
its words anyway. In doubt the hyphen stays: a search finds either spelling (``adapters/text/compounds.py``).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

_LINKS = frozenset("a an and as at by for in of on or out the to up with".split())  # state-of-the-art keeps its hyphens
_FIRST_PARTS = frozenset(  # that take a hyphen before a whole word
    "all anti co cost cross current data double eco end ex face fifty first five forty four full half hard high in job know large left "
    "life long low mid middle multi near neo non off old on one open part post pre pro real right risk second self semi short single "
    "sky small so soft state sub task third thirty three time top twelve twenty two ultra under user value water well wide work world "
    "year zero".split()
)
# Ends of words that are no words: what is left of one that was broken, with at most two consonants of its syllable before it.
_TAILS = (
    "able|ably|acy|ade|ages?|aging|ally?|ament|ances?|ancy|ants?|aries|ary|at(?:e|ed|es|ing|ions?|ive|ives|ors?|ory)|"
    "bilit(?:y|ies)|bl(?:e|es|ing|y)|cal(?:ly)?|cess(?:es|ing)?|ci(?:es|al|ally|sm|ent|ency)|cy|dures?|ed|ences?|ency|ent(?:ly|s|ed|ial)?|"
    "er[sy]?|es|est|fully?|fications?|gra(?:m|ms|phy|phic)|g(?:y|ies)|i(?:al|an|ans|ble|bly|c|cal|cally|cs|ed|es|fy|ly|ng|ngs|on|ons|ous|"
    "sh|sm|st|sts|ty|ties|ve|vely|zation|ze|zed|zes|zing|tion|tions)|less|ly|ment(?:al|ally|ation|ations|ed|ing|s)?|ness(?:es)?|"
    "olog(?:y|ies|ical)|om(?:ic|ics|y)|or(?:y|ies|s)|ous(?:ly)?|posed?|sions?|sional|sis|sive|sures?|ten(?:ance|tial)|ter(?:s|ed|ing|nal)?|"
    "sist(?:s|ed|ing|ent|ence)?|tain(?:s|ed|er|ers|ing|ment|able)?|ceiv(?:e|ed|es|ing)|quir(?:e|ed|es|ing)|ferr?(?:ed|ing|ence)|"
    "ti(?:al|ally|c|cal|cally|cs|es|fy|ng|ngs|on|onal|onally|oned|oning|ons|ve|vely|ves|vity)|tors?|tory|tracted|tur(?:e|ed|es|ing)|ty|"
    "ual(?:ly)?|ular|ulat(?:ed|ion|ions)|uments?|"
    "ung(?:en)?|keit(?:en)?|heit(?:en)?|lich(?:e|en|er|es)?|schaft(?:en|lich)?|tements?|[si]sations?|isée?s?|eurs?|ités?"
)
_TAIL = re.compile(rf"[^\W\d_aeiouäöüéè]{{0,2}}(?:{_TAILS})(?![^\W\d_])")
_HEADS = frozenset(  # beginnings of words that are no words and take no hyphen
    "ac ad af ag ap ar at com con cor dif dis ef em im ob oc op per sig sug sup sur sus trans".split()
)
_WHOLE = frozenset(  # words that look like such an end
    "able age all ant art baby bed best better billing bled body bring cable call called chest city coal cooling copy cover dated day "
    "duty entry every fable fall fed filling free full fully gable gate gated grade graded guest hall heating her king late latest led "
    "less level lies lion list listed made mary mates mating nation nest order ordering other over party plate plated poling pose posed "
    "press prize quest rate rated rates rating ration rations ready red ref rest ring rings sale sales sate shed sing singing size "
    "sized sizes sizing sled sling stage stages state stated states stating station stations still string table tables tall ten test "
    "tested testing tests thing things tie tied ties time tory trade trader trading turn type wage wages wall west wing wings wishing "
    "zone".split()
)
_WORD = re.compile(r"[^\W\d_]{3,}+")
_COMPOUND = re.compile(r"(?<![^\W\d_])[^\W\d_]++(?:-[^\W\d_]++)++")
_HYPHENATED = re.compile(r"[^\W\d_]{2}[-\xad]$")
_LAST_WORD = re.compile(r"(?<![^\W\d_-])(?<![^\W\d_-]-)[^\W\d_-]++(?:-[^\W\d_-]++)*+$")  # begins where the word does, and only there
_FIRST_WORD = re.compile(r"[^\W\d_]++(?:-[^\W\d_]++)*+")
_BREAKS_MIN = 3  # words that are certainly broken: then the document breaks words, and in doubt another one was broken, too
_BREAKS_SHARE = 2  # times as many as hyphens that certainly belong to their words


@dataclass(frozen=True, slots=True)
class Hyphenation:
    """The evidence of a document: ``words`` and ``compounds`` (words with hyphens) inside its lines, in lower case."""

    words: frozenset[str] = frozenset()
    compounds: frozenset[str] = frozenset()
    breaks_words: bool = False

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Hyphenation":
        """From the lines of a document in order."""
        lines = [text.strip() for text in texts]
        compounds = frozenset(word.lower() for text in lines if "-" in text for word in _COMPOUND.findall(text))
        words: set[str] = set()
        above = ""
        for text in lines:  # a broken word is no evidence of itself
            inner = text[:-1].rpartition(" ")[0] if _HYPHENATED.search(text[-3:]) else text
            inner = inner.partition(" ")[2] if is_broken(above, text) else inner
            words.update(word.lower() for word in _WORD.findall(inner))
            above = text
        known = cls(frozenset(words), compounds)
        verdicts = [known.judge(before, after) for before, after in pairwise(lines) if is_broken(before, after)]
        broken, whole = verdicts.count(True), verdicts.count(False)
        return cls(known.words, compounds, broken >= _BREAKS_MIN and broken >= _BREAKS_SHARE * whole)

    def is_break(self, before: str, after: str) -> bool:
        """Whether the hyphen at the end of ``before`` goes when the word continues in ``after``."""
        verdict = self.judge(before, after)
        return self.breaks_words if verdict is None else verdict

    def judge(self, before: str, after: str) -> bool | None:
        """The same by evidence alone; None when there is none."""
        word, following = _LAST_WORD.search(before[:-1]), _FIRST_WORD.match(after)
        if word is None or following is None:
            return None
        head, tail = word[0].lower(), following[0].lower()
        last = head.rpartition("-")[2]
        if f"{head}-{tail}" in self.compounds or last in _LINKS:
            return False
        if last + tail.partition("-")[0] in self.words:
            return True
        if last in _HEADS or (tail not in _WHOLE and _TAIL.match(tail)):
            return True
        if last in _FIRST_PARTS or (last in self.words and tail in self.words):
            return False
        return None


def is_broken(before: str, after: str) -> bool:
    """Whether a line ends in a hyphen behind a word that may go on in the next line."""
    return _HYPHENATED.search(before[-3:]) is not None and after[:1].islower()
