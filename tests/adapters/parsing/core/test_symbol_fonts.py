"""Codes of symbol fonts are the characters that they show."""

from adapters.parsing.core.symbol_fonts import is_symbol_font, name_symbol, name_symbols


def test_codes_are_named_with_and_without_the_private_area() -> None:
    assert name_symbol("Wingdings", 0xF0FE) == name_symbol("wingdings", 0xFE) == "☑"
    assert name_symbol("Symbol", ord("m")) == "μ"
    assert name_symbol("Symbol", 0xF0A3) == "≤"
    assert name_symbol("Wingdings 2", 0x52) == "☑"
    assert [name_symbol("Wingdings", 0x81), name_symbol("Wingdings", 0x8C)] == ["①", "❶"]
    assert name_symbol("Arial", 0xF0FE) == name_symbol("Wingdings", 0x20) == ""


def test_a_text_keeps_what_is_no_symbol() -> None:
    assert name_symbols("费用 \uf0b1 5%", "Symbol") == "费用 ± 5%"
    assert name_symbols("已选 \uf0fe，未选 \uf0a8") == "已选 ☑，未选 ☐"
    assert name_symbols("plain") == "plain"
    assert is_symbol_font(" Symbol")
    assert not is_symbol_font("Segoe UI Symbol")
