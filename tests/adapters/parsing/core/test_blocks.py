"""What every text loses on its way out of a parser: what nobody sees."""

from adapters.parsing.core.blocks import clean


def test_places_where_a_word_may_be_broken_are_no_part_of_it():
    """Else nobody finds it."""
    assert clean("Donau\u00addampf\u00adschiff") == "Donaudampfschiff"


def test_joiners_of_letters_stay():
    assert clean("می\u200cخواهم\r\nx\u200b\x01") == "می\u200cخواهم\nx"
