"""Legibility of a page's text layer: fonts that do not map their glyphs to characters give wrong letters."""

import re
from collections.abc import Sequence

_JUDGED_CHARS = 3_000  # of a page: more say the same
_LETTERS_MIN = 40  # fewer are no evidence of a mix
_HAN_MIN = 80
_LATIN_MIN = 200
_STRANGE_MAX = 0.25  # of all characters: private use, control, replacement
_UNMAPPED_MAX = 0.4  # of the glyphs that were asked for
_VOWELS_MIN = 0.16  # of Latin letters; languages have 0.3 and more
_COMMON_HAN_MIN = 0.06  # of Han characters; texts have 0.3 and more
_ACCENTS_MAX = 0.4  # of Latin letters
_SYMBOLS_MAX = 0.7  # of all characters that are no digits

_STRANGE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]")
_BULLETS = re.compile("[\uf020-\uf0ff]")  # symbol fonts: a bullet here and there is no garbage
_HAN = re.compile("[\u4e00-\u9fff\u3400-\u4dbf]")
_KANA = re.compile("[\u3040-\u30ff\uac00-\ud7af]")
_LATIN = re.compile("[A-Za-zÀ-ɏ]")
_ACCENT = re.compile("[¡-ÿ]")
_VOWEL = re.compile("[aeiouyAEIOUYÀ-ÆÈ-ÏÒ-ÖØ-Ýà-æè-ïò-öø-ýÿ]")
_SYMBOL = re.compile(r"[^\w\s.…·_-]")
_DIGIT = re.compile(r"\d")
_COMMON_HAN = frozenset(
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经十三之进着等部度家电"
    "力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看"
    "原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流"
    "路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战先回则任取据处府研质名市价额元务司报东"
    "這為個國來時們對會發動種麼後經產說過學現實還與長開關樣點機業體應從當無沒問間題將統總設條報價務東區電"
)


def is_legible(text: str, unmapped: Sequence[bool] = ()) -> bool:
    """Whether the ``text`` of a page is legible; ``unmapped`` says of a sample of its glyphs whether they map to no character."""
    shown = "".join(text[:_JUDGED_CHARS].split())
    if not shown:
        return False
    strange = len(_STRANGE.findall(shown)) - min(len(_BULLETS.findall(shown)), len(shown) // 10)
    if strange > _STRANGE_MAX * len(shown) or sum(unmapped) > _UNMAPPED_MAX * max(1, len(unmapped)):
        return False
    return _is_plausible(shown)


def _is_plausible(shown: str) -> bool:
    """Whether letters are mixed as in a language; a text too short to tell counts as legible."""
    if len(shown) < _LETTERS_MIN:
        return True
    latin, accents = len(_LATIN.findall(shown)), len(_ACCENT.findall(shown))
    if accents > _ACCENTS_MAX * len(shown):
        return False
    if latin >= _LATIN_MIN and latin > len(shown) / 2 and len(_VOWEL.findall(shown)) < _VOWELS_MIN * latin:
        return False
    han = _HAN.findall(shown)
    if len(han) >= _HAN_MIN and not _KANA.search(shown) and sum(char in _COMMON_HAN for char in han) < _COMMON_HAN_MIN * len(han):
        return False
    others = len(shown) - len(_DIGIT.findall(shown))
    return others < _LETTERS_MIN or len(_SYMBOL.findall(shown)) <= _SYMBOLS_MAX * others
