"""Characters of symbol fonts: what Wingdings and Symbol draw at a code is a character of its own, and often the answer (☑, ±, Ω).

Programs write such a code as U+F000 and the byte; without the font nobody sees what it says. Codes that only decorate are left out.
"""

import re

_PRIVATE = re.compile("[\uf020-\uf0ff]")
_CODES = re.compile("[\x20-\xff\uf020-\uf0ff]")
_FIRST = 0xF000

_CIRCLED, _FILLED = "⓪①②③④⑤⑥⑦⑧⑨⑩", "⓿❶❷❸❹❺❻❼❽❾❿"
_WINGDINGS = {
    0x28: "☎", 0x2A: "✉", 0x6C: "●", 0x6E: "■", 0x6F: "☐", 0x71: "☐", 0x72: "☐", 0x75: "◆", 0x76: "❖", 0x78: "☒", 0xA1: "○", 0xA4: "◉",
    0xA7: "▪", 0xA8: "☐", 0xAB: "★", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE1: "↑", 0xE2: "↓", 0xE8: "→", 0xF0: "⇨", 0xFB: "✗", 0xFC: "✓",
    0xFD: "☒", 0xFE: "☑",
    **{0x80 + at: one for at, one in enumerate(_CIRCLED)},
    **{0x8B + at: one for at, one in enumerate(_FILLED)},
}  # fmt: skip
_WINGDINGS_2 = {
    0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0x98: "●", 0xA2: "■", 0xA3: "☐", 0xA4: "☐",
    **{0x69 + at: one for at, one in enumerate(_CIRCLED)},
    **{0x74 + at: one for at, one in enumerate(_FILLED)},
}  # fmt: skip
_SYMBOL = {
    **dict(enumerate("ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", 0x41)), **dict(enumerate("αβχδεφγηιϕκλμνοπθρστυϖωξψζ", 0x61)),
    **dict(enumerate("ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…", 0xA1)),
    0x22: "∀", 0x24: "∃", 0x27: "∋", 0x2A: "∗", 0x2D: "−", 0x40: "≅", 0x5C: "∴", 0x5E: "⊥", 0x7E: "∼", 0xC5: "⊕", 0xC6: "∅", 0xC7: "∩",
    0xC8: "∪", 0xCC: "⊂", 0xCE: "∈", 0xCF: "∉", 0xD0: "∠", 0xD1: "∇", 0xD2: "®", 0xD3: "©", 0xD4: "™", 0xD5: "∏", 0xD6: "√", 0xD7: "⋅",
    0xD9: "∧", 0xDA: "∨", 0xDB: "⇔", 0xDC: "⇐", 0xDE: "⇒", 0xE5: "∑", 0xF2: "∫",
    **{ord(one): one for one in " !#%&()+,./0123456789:;<=>?[]_{|}"},
}  # fmt: skip
_FONTS = {"wingdings": _WINGDINGS, "wingdings 2": _WINGDINGS_2, "symbol": _SYMBOL}


def is_symbol_font(font: str) -> bool:
    """Whether the letters of a font are symbols."""
    return font.strip().lower() in _FONTS


def name_symbol(font: str, code: int) -> str:
    """The character that a symbol font draws at a code; "" for one that says nothing, or of a font that is not known."""
    return _FONTS.get(font.strip().lower(), {}).get(code - _FIRST if code >= _FIRST else code, "")


def name_symbols(text: str, font: str = "") -> str:
    """A text without private codes of symbol fonts. Of a font that nobody names they are taken for Wingdings', the font of boxes."""
    if is_symbol_font(font):
        return _CODES.sub(lambda found: name_symbol(font, ord(found.group())), text)
    return _PRIVATE.sub(lambda found: _WINGDINGS.get(ord(found.group()) - _FIRST, ""), text) if _PRIVATE.search(text) else text
