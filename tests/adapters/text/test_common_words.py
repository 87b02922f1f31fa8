"""How little common English words say."""

import pytest

from adapters.text.common_words import WEIGHT_MIN, word_weight
from adapters.text.language import terms


def test_a_word_says_less_the_commoner_it_is() -> None:
    assert word_weight("one") == WEIGHT_MIN < word_weight("policy") < 1.0


@pytest.mark.parametrize("word", ["normandy", "kafka", "1066", "oxygen"])
def test_a_name_or_number_says_all_it_can(word: str) -> None:
    assert word_weight(word) == 1.0


def test_forms_of_a_word_weigh_the_same() -> None:
    assert {word_weight(term) for term in terms("school schools")} == {word_weight("school")}
    assert word_weight("school") < 1.0
