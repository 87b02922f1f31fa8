"""Form fields and symbols of Word: what is chosen or ticked is no text in the file, and the prompt of an empty field is nobody's text."""

from typing import Any

from adapters.parsing.core.symbol_fonts import is_symbol_font, name_symbol, name_symbols
from adapters.parsing.office.word_styles import W, child_value, parse_number

CHECKED, UNCHECKED = "☑", "☐"
OPTIONS_MAX = 1_000  # of one list
_ON = ("1", "true", "on")
_PLACEHOLDER = f"{W}sdtPr/{W}showingPlcHdr"


def is_placeholder(control: Any) -> bool:
    """Whether a content control is empty: then it holds its prompt."""
    return control.tag == W + "sdt" and control.find(_PLACEHOLDER) is not None


def field_state(begin: Any) -> str:
    """What a form field says where it begins: the state of a check box, the chosen entry of a list; "" of other fields."""
    box = begin.find(f"{W}ffData/{W}checkBox")
    if box is not None:
        mark = next((found for name in ("checked", "default") if (found := box.find(W + name)) is not None), None)
        return CHECKED if mark is not None and mark.get(W + "val", "1") in _ON else UNCHECKED
    options = begin.find(f"{W}ffData/{W}ddList")
    if options is None:
        return ""
    entries = [entry.get(W + "val", "") for entry in options.iterchildren(W + "listEntry")][:OPTIONS_MAX]
    chosen = parse_number(child_value(options, "result") or child_value(options, "default"), 0, OPTIONS_MAX)
    return entries[chosen] if chosen < len(entries) else ""


def symbol_text(symbol: Any) -> str:
    """The character of a ``w:sym``."""
    try:
        code = int(symbol.get(W + "char", ""), 16)
    except ValueError:
        return ""
    return name_symbol(symbol.get(W + "font", ""), code)


def run_text(text: str, run: Any) -> str:
    """A text of a run; in a symbol font as the characters that it shows."""
    fonts = run.find(f"{W}rPr/{W}rFonts")
    font = "" if fonts is None else fonts.get(W + "ascii", "")
    return name_symbols(text, font) if is_symbol_font(font) or not text.isascii() else text
