"""Names that end alike: 李晓明 and 王晓明, "John Smith" and "Jane Smith" share most of their letters and are two people.

Where a question names one, a row of a table about the other is no answer, however many words of the question it has.
"""

import re
from collections.abc import Sequence

from adapters.text.language import fold, phrases

NAME_CHARS_MAX = 24
_ENDING_MIN = 2  # Chinese characters that two names share
_HAN = re.compile("[㐀-鿿豈-﫿]{3,24}")
_CAPITALISED = re.compile(r"\b[A-Z][a-z]{1,30}(?: [A-Z][a-z]{1,30}){1,3}\b")


def find_names(question: str) -> tuple[str, ...]:
    """What a question may name, folded: its Chinese phrases, and words that begin with capitals and follow each other."""
    chinese = [fold(phrase) for phrase in phrases(question)]
    return (*(each for each in chinese if _HAN.fullmatch(each)), *(fold(found) for found in _CAPITALISED.findall(question)))


def is_namesake(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a row has a name that ends as one of ``names`` does and begins otherwise, and nothing that is named itself."""
    if not names:
        return False
    folded = [fold(cell) for cell in cells if cell and len(cell) <= NAME_CHARS_MAX]
    if any(cell in name or name in cell for cell in folded if len(cell) >= _ENDING_MIN for name in names):
        return False
    return any(_end_alike(cell, name) for cell in folded for name in names)


def _end_alike(cell: str, name: str) -> bool:
    if name.isascii():
        first, last = cell.split(), name.split()
        return len(first) > 1 and first[-1] == last[-1] and first[0] != last[0]
    shared = 0
    while shared < min(len(cell), len(name)) and cell[-1 - shared] == name[-1 - shared]:
        shared += 1
    return _HAN.fullmatch(cell) is not None and shared >= _ENDING_MIN and shared < min(len(cell), len(name))
