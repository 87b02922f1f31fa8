"""Bytes to text in any encoding.

What cannot be mistaken goes first: a byte order mark, then UTF-8, which other encodings hardly ever look like. Everything else is a guess,
well made: what was declared gets a head start, and the reading with the most ordinary characters wins. So a wrong label does no harm,
and two words of GBK are not taken for Korean.
"""

import codecs
import re
from typing import NamedTuple

from adapters.parsing.core.characters import LANGUAGES, Language, likelihood

SAMPLE_BYTES = 16_384  # enough to tell; bounds the work
UNMARKED_WIDE_BYTES_MAX = 4_096  # more than this in UTF-16 has a line end or a space, thus a NUL
SURE_BYTES = 12  # so many bytes beyond ASCII, all of them valid UTF-8, are no accident
PROLOGUE_BYTES = 4_096  # a page must say its encoding early

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_SUPERSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "iso8859-1": "cp1252",
    "utf-16": "utf-16-le",
    "utf-32": "utf-32-le",
    "utf-8-sig": "utf-8",
}
_ALIASES = {
    "x-gbk": "gb18030",
    "windows-936": "gb18030",
    "gb18030-2000": "gb18030",
    "gb18030-2005": "gb18030",
    "gb18030-2022": "gb18030",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "x-euc-jp": "euc_jp",
    "x-x-big5": "big5hkscs",
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "iso-8859-8-i": "iso8859-8",
}
_NO_LABELS = {"ascii", "idna", "punycode", "unicode_escape", "raw-unicode-escape", "unicode-escape", "raw_unicode_escape", "undefined"}
_SEVEN_BIT = ("hz", "utf-7", "iso2022")

_HIGH = re.compile(rb"[\x80-\xff]")
_LONG_SEQUENCE = re.compile(rb"[\xe0-\xf4]")
_XML_LABEL = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:+-]{1,40})""")
_META_LABEL = re.compile(rb"""<meta\s[^>]{0,400}?charset\s*+=\s*+(?:["']\s*+)?+([\w.:+-]{1,40})""", re.IGNORECASE)


class _EncodingCandidate(NamedTuple):
    """A way to read bytes; ``head_start`` is the logarithm of how much likelier than UTF-8 it is before they are seen."""

    codec: str
    languages: tuple[Language, ...]
    head_start: float


_CANDIDATES = (
    _EncodingCandidate("utf-8", LANGUAGES, 0.0),
    _EncodingCandidate("gb18030", ("simplified",), -1.0),
    _EncodingCandidate("gb18030", ("traditional",), -4.0),
    _EncodingCandidate("cp1252", ("latin",), -2.0),
    _EncodingCandidate("big5hkscs", ("traditional",), -2.0),
    _EncodingCandidate("cp932", ("japanese",), -3.0),
    _EncodingCandidate("euc_jp", ("japanese",), -4.0),
    _EncodingCandidate("cp949", ("korean",), -4.0),
    _EncodingCandidate("cp1250", ("latin",), -5.0),
    _EncodingCandidate("cp1251", ("other",), -6.0),
    *(_EncodingCandidate(codec, ("other",), -10.0) for codec in ("koi8_r", "cp1253", "cp1255", "cp1256", "cp874")),
)
ONE_BYTE = frozenset(("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874"))
_WIDE_CANDIDATES = tuple(_EncodingCandidate(codec, LANGUAGES, -6.0) for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"))
DECLARED, DECLARED_INSIDE = 12.0, 14.0  # what the content itself says goes first


def decode(data: bytes, declared: str = "", *, html: bool = False) -> str:
    """The text; what cannot be read is U+FFFD, except a character cut off at the end, which is dropped. Never raises.

    ``declared`` is a charset's name as somebody gave it, empty or unknown names included. ``html``: the page may name one itself.
    """
    return _decode(data, encoding_of(data, declared, html=html)).removeprefix("\ufeff")


def encoding_of(data: bytes, declared: str = "", *, html: bool = False) -> str:
    """Python's name of the encoding ``data`` is most likely written in."""
    for mark, codec in _MARKS:
        if data.startswith(mark) and not (codec == "utf-32-le" and len(data) % 4):
            return codec
    outside, inside = _codec_for(declared), _codec_for(_find_label(data)) if html else ""
    if data.isascii() and b"\0" not in data:
        return _detect_seven_bit(data, outside or inside)
    if b"\0" not in data and _is_surely_utf8(data):
        return "utf-8"
    return _most_likely(data, outside, inside)


def _find_label(data: bytes) -> str:
    prologue = data[:PROLOGUE_BYTES]
    match = _XML_LABEL.search(prologue) or _META_LABEL.search(prologue)
    # a label that can be read byte by byte is not in UTF-16, whatever it says
    return match[1].decode("ascii", "ignore") if match and b"utf-16" not in match[1].lower() else ""


def _codec_for(label: str) -> str:
    """Python's codec for a label, the widest of its family; empty when it is none that makes text."""
    name = label.strip(" \t\r\n\"'").lower()
    name = _ALIASES.get(name, name)
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError, UnicodeError):
        return ""
    if not getattr(found, "_is_text_encoding", True) or found.name in _NO_LABELS:
        return ""
    return _SUPERSETS.get(found.name, found.name)


def _detect_seven_bit(data: bytes, declared: str) -> str:
    """ASCII, or one of the encodings that hide in it."""
    names = [declared] if declared.startswith(_SEVEN_BIT) else []
    if b"\x1b$" in data:
        names.append("iso2022_jp_2")
    return next((name for name in names if _is_valid(data, name)), "ascii")


def _is_surely_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        cut_off = error.reason == "unexpected end of data" and error.end == len(data)
        if not cut_off:
            return False
        data = data[: error.start]
    return _LONG_SEQUENCE.search(data) is not None or len(_HIGH.findall(data[:SAMPLE_BYTES])) >= SURE_BYTES


def _most_likely(data: bytes, outside: str, inside: str) -> str:
    wide = b"\0" in data[:SAMPLE_BYTES] or len(data) <= UNMARKED_WIDE_BYTES_MAX
    sample = data[:SAMPLE_BYTES] if wide else _sample(data)
    readings = [*_CANDIDATES, *(reading for reading in _WIDE_CANDIDATES if wide and _is_valid(sample, reading.codec))]
    known = {reading.codec for reading in readings}
    readings += [_EncodingCandidate(codec, LANGUAGES, -2.0) for codec in dict.fromkeys((outside, inside)) if codec and codec not in known]
    best, best_score = "utf-8", float("-inf")
    for codec, languages, head_start in readings:
        text = _decode(sample, codec, cut_off="\ufffd")
        score = head_start + max(likelihood(text, language) for language in languages)
        score += DECLARED_INSIDE if codec == inside else DECLARED if codec == outside else 0
        if score > best_score:
            best, best_score = codec, score
    return best


def _is_valid(data: bytes, codec: str) -> bool:
    """But for a character that is cut off at the end."""
    try:
        codecs.getincrementaldecoder(codec)().decode(data, False)  # noqa: FBT003 - vendor signature
    except UnicodeError:
        return False
    return True


def _sample(data: bytes) -> bytes:
    """The lines that are not ASCII, from their first such character or a little before; line feeds are never inside a character."""
    parts: list[bytes] = []
    budget = SAMPLE_BYTES
    position = 0
    while budget > 0 and (match := _HIGH.search(data, position)):
        start = max(data.rfind(b"\n", position, match.start()) + 1, position, match.start() - 64)
        end = data.find(b"\n", match.start(), start + budget)
        end = end if end >= 0 else start + budget
        parts.append(data[start:end])
        budget -= end - start + 1
        position = end
    return b"\n".join(parts)


def _decode(data: bytes, codec: str, *, cut_off: str = "") -> str:
    """``cut_off`` stands for a character that ``data`` ends within."""
    decoder = codecs.getincrementaldecoder(codec)("replace")
    text = decoder.decode(data, False)  # noqa: FBT003 - vendor signature
    return text + cut_off if cut_off and decoder.getstate()[0] else text
