"""Where a quote stands in the pieces of a document: chunks of text, or the text of its pages. Pure functions.

Compared are letters and digits alone, without case and in compatible forms: a line break, a hyphen at the end of a line, full-width forms
and ligatures make no difference, so that a quote is found over lines, columns and pages. Traditional and simplified characters stay two.
A quote that is not found as it is may be found in parts, in whatever order a page has them. The time is linear in the text.
"""

import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

FOUND_SHARE_MIN = 0.5  # of a quote: with less of it, nothing is highlighted
_GRAM = 4  # letters that a part has at least
_POSITIONS_MAX = 8  # of the same letters in a quote that are tried
_STRONG_WEIGHT = 12  # letters that stand together by no accident: two English words, or four Chinese characters
_HAN_WEIGHT, _HAN_FROM = 3, "\u2e80"
_SPREAD, _SPREAD_MORE = 4, 400  # times a quote's letters, and more: the parts of one quote lie no further apart
_NEAR = 40  # letters between a short part and the long ones beside it
_OCCURRENCES_MAX = 64  # of a quote inside of words that are passed over


class QuotePart(NamedTuple):
    """Characters ``start`` to before ``end`` of a piece."""

    piece: int
    start: int
    end: int


class QuoteMatch(NamedTuple):
    """The share of the quote that was found, 0 to 1, and where, in the order of the text; nowhere with less than ``FOUND_SHARE_MIN``."""

    share: float = 0.0
    parts: tuple[QuotePart, ...] = ()


class _Run(NamedTuple):
    """Letters that text and quote have in common: ``length`` from ``at`` in the text and ``quoted`` in the quote on."""

    at: int
    quoted: int
    length: int


class _Letters(NamedTuple):
    """The letters of some pieces, and of each the piece and the character that it comes from."""

    text: str
    pieces: Sequence[int]
    origins: Sequence[int]


def find_quote(pieces: Sequence[str], quote: str, context: str = "") -> QuoteMatch:
    """Where ``quote`` stands in ``pieces``. Of several places the one where ``context`` stands, the text around it, comes first."""
    letters, sought = _read_letters(pieces), _letters_of(quote)
    if not sought:
        return QuoteMatch()
    whole = (0, len(letters.text))
    regions = [whole]
    if context and len(around := _letters_of(context)) > len(sought):
        runs = _match(letters, around, whole)
        if _share(runs, around) >= FOUND_SHARE_MIN:
            regions.insert(0, (runs[0].at, runs[-1].at + runs[-1].length))
    best = max((_match(letters, sought, region) for region in regions), key=lambda runs: _share(runs, sought))  # the first of equals
    share = _share(best, sought)
    return QuoteMatch(share, _parts_of(pieces, letters, best) if share >= FOUND_SHARE_MIN else ())


def _match(letters: _Letters, quote: str, region: tuple[int, int]) -> list[_Run]:
    """The parts of the quote in a region, in the order of the text; no letter of the quote is in two."""
    whole = _find_whole(letters, quote, region)
    if whole is not None:
        return [whole]
    runs = _densest(_common_runs(letters.text, quote, region), _SPREAD * len(quote) + _SPREAD_MORE)
    return sorted(_without_repeats(letters.text, runs, len(quote)))


def _find_whole(letters: _Letters, quote: str, region: tuple[int, int]) -> _Run | None:
    """The first place where all of the quote stands, and not inside of words."""
    at, end = region
    for _ in range(_OCCURRENCES_MAX):
        at = letters.text.find(quote, at, end)
        if at < 0:
            return None
        if not _is_inside_word(letters, at) and not _is_inside_word(letters, at + len(quote)):
            return _Run(at, 0, len(quote))
        at += 1
    return None


def _is_inside_word(letters: _Letters, at: int) -> bool:
    """Whether the letter at ``at`` goes on a word of the letter before it."""
    if not 0 < at < len(letters.text) or letters.pieces[at - 1] != letters.pieces[at]:
        return False
    return letters.origins[at] - letters.origins[at - 1] <= 1 and max(letters.text[at - 1 : at + 1]) < _HAN_FROM


def _common_runs(text: str, quote: str, region: tuple[int, int]) -> list[_Run]:
    """The longest common letters from each place on, one behind the other."""
    grams: dict[str, list[int]] = defaultdict(list)
    for place in range(len(quote) - _GRAM + 1):
        known = grams[quote[place : place + _GRAM]]
        if len(known) < _POSITIONS_MAX:
            known.append(place)
    runs: list[_Run] = []
    at, end = region
    while at <= end - _GRAM:
        found = grams.get(text[at : at + _GRAM])
        if found is None:
            at += 1
            continue
        run = max((_Run(at, place, _common_length(text, at, end, quote, place)) for place in found), key=lambda run: run.length)
        runs.append(run)
        at += run.length  # each try is at most as long, so that no letter is compared more than _POSITIONS_MAX times
    return runs


def _common_length(text: str, at: int, end: int, quote: str, place: int) -> int:
    length, most = _GRAM, min(end - at, len(quote) - place)
    while length < most and text[at + length] == quote[place + length]:
        length += 1
    return length


def _densest(runs: Sequence[_Run], spread: int) -> Sequence[_Run]:
    """Those within ``spread`` letters that have the most letters together."""
    first = best_first = best_last = held = best = 0
    for last, run in enumerate(runs):
        held += run.length
        while run.at + run.length - runs[first].at > spread:
            held -= runs[first].length
            first += 1
        if held > best:
            best, best_first, best_last = held, first, last + 1
    return runs[best_first:best_last]


def _without_repeats(text: str, runs: Sequence[_Run], quote_length: int) -> list[_Run]:
    """Long ones first, then short ones beside them, as far as their letters of the quote are in none before."""
    taken = bytearray(quote_length)
    chosen: list[_Run] = []
    strong: list[_Run] = []
    short: list[_Run] = []
    for run in runs:
        (strong if _weight(text[run.at : run.at + run.length]) >= _STRONG_WEIGHT else short).append(run)
    if not strong:
        return []
    low, high = strong[0].at - _NEAR, strong[-1].at + strong[-1].length + _NEAR
    for some in (strong, [run for run in short if low <= run.at <= high]):
        for run in sorted(some, key=lambda run: -run.length):
            if not any(taken[run.quoted : run.quoted + run.length]):
                taken[run.quoted : run.quoted + run.length] = b"\1" * run.length
                chosen.append(run)
    return chosen


def _weight(letters: str) -> int:
    return sum(_HAN_WEIGHT if letter >= _HAN_FROM else 1 for letter in letters)


def _share(runs: Sequence[_Run], quote: str) -> float:
    return sum(run.length for run in runs) / len(quote)


def _parts_of(pieces: Sequence[str], letters: _Letters, runs: Sequence[_Run]) -> tuple[QuotePart, ...]:
    parts: list[QuotePart] = []
    for run in runs:
        at, end = run.at, run.at + run.length
        while at < end:
            piece = letters.pieces[at]
            behind = next((place for place in range(at, end) if letters.pieces[place] != piece), end)
            parts.append(QuotePart(piece, letters.origins[at], _end_of_character(pieces[piece], letters.origins[behind - 1])))
            at = behind
    return tuple(parts)


def _end_of_character(text: str, at: int) -> int:
    """Behind the character and its combining marks."""
    at += 1
    while at < len(text) and unicodedata.combining(text[at]):
        at += 1
    return at


def _read_letters(pieces: Sequence[str]) -> _Letters:
    text: list[str] = []
    numbers, origins = array("l"), array("l")
    for number, piece in enumerate(pieces):
        for place, character in enumerate(piece):
            for letter in _letters_of_character(character):
                text.append(letter)
                numbers.append(number)
                origins.append(place)
    return _Letters("".join(text), numbers, origins)


def _letters_of(text: str) -> str:
    return "".join(map(_letters_of_character, text))


@lru_cache(maxsize=65_536)
def _letters_of_character(character: str) -> str:
    """Letters and digits as they are compared: none for white space, punctuation and combining marks."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())))
