"""The commonest words of English besides function words: how little a word says of what a question is about.

A question about something that a text does not know shares its common words with the text, but not its names. Chinese has the same by
character, in ``adapters/models/grounding/answerability.py``.
"""

from functools import cache

from adapters.text.language import stem_word

WEIGHT_MIN, WEIGHT_SPAN = 0.3, 0.6  # of the commonest, and from there to the least common of the list

# Commonest first.
_COMMON = (
    "one all more other new time some two first also year only people over after most make like even back use any good three way work"
    " day man get through come go well own still before between same world take such another life last person say place great old know"
    " part here because under against give need feel become find high small different think look important number name long call"
    " during set off again next large must big group end point few country early change help home house show young around public very"
    " act follow however city state form play include live second main local best often less lead power since war company school"
    " government start open case begin story party family problem service water system program turn move right provide type kind lot"
    " word order hand side each eye thing woman child fact month book study business issue head friend area hour money night member"
    " law car community team president mind idea body information face level office door health history result reason research moment"
    " air force education age policy process market sense nation plan effect interest death experience rate job university college"
    " major total control term common period record field single view particular model example position land late town street describe"
    " produce develop allow cause believe consider serve build create receive refer contain occur bring grow keep increase hold write"
    " run offer remain appear meet pay continue learn lose add spend stand understand win happen speak read carry support base event"
    " list size amount percent source popular century population language human original available current similar various several"
    " present recent special international general social political economic north south east west million thousand hundred four five"
    " six ten"
).split()


@cache
def _weights() -> dict[str, float]:
    stems = list(dict.fromkeys(map(stem_word, _COMMON)))
    return {stem: WEIGHT_MIN + WEIGHT_SPAN * rank / len(stems) for rank, stem in enumerate(stems)}


def word_weight(stem: str) -> float:
    """The weight of a stemmed word: 1 for all but the common ones, down to 0.3 for the commonest."""
    return _weights().get(stem, 1.0)
