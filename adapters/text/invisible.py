"""Characters that show nothing: which of them a text is written with, and which only hide something.

Zero-width characters between others give a text two readings: one for people, one for programs. But the same characters join the persons
of a family into one picture, choose the coloured form of a sign, and separate letters of Persian words. They stay where they have such an
effect, and nowhere else. Sources: Unicode Technical Standard 51 (emoji), the Unicode Standard 23.4 (variation selectors), 9.2 (joiners).
"""

import re

from adapters.text.language import HAN

# Also those that turn the reading direction.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e01ef"
)

_EMOJI = (  # with the arrows, signs and pictures that have a coloured form
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff]"
)
_FORM = "[\ufe0e\ufe0f]"
_JOINED_MAX = 9  # pictures in one; people use up to 4, with skin tones 7
_JOINING = "[\u0620-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u17b3\u17b6-\u17ff]"  # letters from Arabic to Sinhala, Myanmar, Khmer

# England, Scotland and Wales, whose flags are a black flag and the letters of the region as tags; no others are drawn anywhere.
_REGIONS = ("gbeng", "gbsct", "gbwls")
REGION_FLAG = "\U0001f3f4(?:" + "|".join("".join(chr(0xE0000 + ord(letter)) for letter in each) for each in _REGIONS) + ")\U000e007f"

_EFFECTIVE = "|".join(
    (
        REGION_FLAG,
        f"{_EMOJI}{_FORM}?(?:\u200d{_EMOJI}{_FORM}?){{0,{_JOINED_MAX}}}",
        "[0-9#*]\ufe0f(?=\u20e3)",  # a keycap: 1️⃣
        f"[{HAN}][\ufe00-\ufe02\U000e0100-\U000e01ef]",  # the form of a Chinese or Japanese character
        "[\u1820-\u18aa][\u180b-\u180d\u180f]",  # of a Mongolian letter
        f"{_JOINING}[\u200c\u200d](?={_JOINING})",
    )
)
_CLEANED = re.compile(f"({_EFFECTIVE})|[{INVISIBLE}]")
_ANY = re.compile(f"[{INVISIBLE}]")
_CUT_OFF = "\u200d\u200c"


def strip_invisible(text: str) -> str:
    """``text`` without invisible characters that have no effect on what is shown."""
    return _CLEANED.sub(lambda found: found.group(1) or "", text) if _ANY.search(text) else text


def strip_joiners(cut: str) -> str:
    """The beginning of a text that was cut, without joiners at its end: what they joined is cut off."""
    return cut.rstrip(_CUT_OFF)
