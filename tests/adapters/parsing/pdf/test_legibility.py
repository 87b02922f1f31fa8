"""Text that nobody can read is told from text."""

import pytest

from adapters.parsing.pdf.legibility import is_legible
from tests.support.pdf_reading import CHINESE, PROSE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PROSE, True),
        (CHINESE, True),
        ("Total 45", True),
        ("4,755,785.11 5,699,227.63 -16.55% " * 20, True),
        ("Überraschung: für große Höhen müssen Bürger äußerst geübt sein. " * 5, True),
        ("".join(chr(ord(char) - 29) if char.isalpha() else char for char in PROSE * 2), False),  # letters shifted by a font
        ("\ue001\ue002\ue003 \ue004\ue005", False),
        ("\x01\x02\x03\x04 a", False),
        ("\ufffd" * 50 + "abc", False),
        (CHINESE.encode("gbk").decode("latin-1") * 2, False),
        ("".join(chr(0x4E00 + 97 * index % 20_000) for index in range(300)), False),
        ("", False),
    ],
)
def test_garbage_is_told_from_text(text: str, expected: bool) -> None:
    assert is_legible(text) is expected


def test_glyphs_that_nobody_can_name_are_garbage() -> None:
    assert not is_legible(PROSE, [True] * 6 + [False] * 4)
    assert is_legible(PROSE, [True] + [False] * 9)
