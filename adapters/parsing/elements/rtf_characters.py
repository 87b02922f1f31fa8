"""The characters of an RTF file written out: pandoc knows no code page but Western European, and drops what most fields show.

Bytes are decoded by the code page of their font, else of the document; numbered characters lose their replacements. All of it stands in
UTF-8 afterwards, which pandoc reads as it is. The words ``field`` and ``fldrslt`` go, so that the result of a field is text like any other.
"""

import codecs
import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    rb"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})?(?P<space> )?"
    rb"|\\'(?P<hex>[0-9a-fA-F]{2})|\\(?P<symbol>.)|(?P<brace>[{}])|(?P<text>[^\\{}]+)",
    re.DOTALL,
)
_CODEPAGES = {  # by the charset of a font
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "gb18030",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
}
_WESTERN = "cp1252"
_DROPPED = (b"field", b"fldrslt")
_FOOTNOTE = b"\\footnote"
_HIGH_SURROGATE, _LOW_SURROGATE, _SURROGATE_END = 0xD800, 0xDC00, 0xE000
GROUPS_MAX = 10_000  # in each other; real files have a few dozen


@dataclass(slots=True)
class _Writer:
    """Writes tokens anew; ``chosen`` and ``replaced`` (bytes after a numbered character) belong to the open group."""

    chosen: str = ""  # the codec of the font of this text; empty: of the document's own font
    replaced: int = 1
    default: str = _WESTERN  # of the document
    default_font: int = 0
    parts: list[str] = field(default_factory=list)
    groups: list[tuple[str, int]] = field(default_factory=list)
    fonts: dict[int, str] = field(default_factory=dict)
    font: int = 0
    pending: bytearray = field(default_factory=bytearray)  # bytes of characters that may not be whole yet
    skipped: int = 0  # replacements still to come
    high: int = 0  # the first half of a character beyond 16 bits
    is_word_open: bool = False  # the last word written ends at the next character

    @property
    def codec(self) -> str:
        """The codec of bytes that come now."""
        return self.chosen or self.fonts.get(self.default_font, self.default)

    def add_text(self, text: bytes) -> None:
        """Plain text; it may begin with the second byte of a character."""
        passed = text.lstrip(b"\r\n") if self.skipped else text
        taken = min(self.skipped, len(passed))
        passed, self.skipped = passed[taken:], self.skipped - taken
        if self.pending and passed and not self._is_whole():
            self.pending += passed[:1]
            passed = passed[1:]
        self.flush()
        if not passed.isascii():
            self.write(_escape(_decode_bytes(passed, self.codec)))
        elif passed:
            self.write(passed.decode("ascii"))

    def add_byte(self, byte: int) -> None:
        if self.skipped:
            self.skipped -= 1
        else:
            self.pending.append(byte)

    def add_number(self, number: int) -> None:
        """A character by its number in 16 bits, negative from 32,768 on."""
        self.flush()
        code = number & 0xFFFF
        self.skipped = self.replaced
        if _HIGH_SURROGATE <= code < _LOW_SURROGATE:
            self.high = code
        elif _LOW_SURROGATE <= code < _SURROGATE_END:
            if self.high:
                self.write(chr(0x10000 + ((self.high - _HIGH_SURROGATE) << 10) + code - _LOW_SURROGATE))
            self.high = 0
        elif code:
            self.write(_escape(chr(code)))

    def add_brace(self, brace: bytes) -> None:
        self.flush()
        self.skipped = 0
        if brace == b"{":
            if len(self.groups) >= GROUPS_MAX:
                raise ValueError(f"its groups nest deeper than {GROUPS_MAX:,} levels")
            self.groups.append((self.chosen, self.replaced))
        elif self.groups:
            self.chosen, self.replaced = self.groups.pop()
        else:
            return  # it closes nothing
        self.parts.append(brace.decode())
        self.is_word_open = False

    def add_word(self, word: bytes, number: int | None, token: str) -> None:
        """A control word: those about characters change the state, those about fields go, all others stay."""
        self.flush()
        self.skipped = 0
        if word in _DROPPED:
            return
        if word == b"ansicpg" and number is not None:
            self.default = _find_codec(f"cp{number}")
        elif word == b"uc" and number is not None:
            self.replaced = max(0, number)
        elif word == b"deff" and number is not None:
            self.default_font = number
        elif word == b"f" and number is not None:
            self.font, self.chosen = number, self.fonts.get(number, "")
        elif word == b"fcharset" and number is not None:
            self.fonts[self.font] = self.chosen = _CODEPAGES.get(number, self.default)
        elif word == b"plain":
            self.chosen = ""
        self.parts.append(token)
        self.is_word_open = not token.endswith(" ")

    def add_symbol(self, symbol: bytes) -> None:
        self.flush()
        if self.skipped:
            self.skipped -= 1
            return
        self.parts.append("\\" + symbol.decode("latin-1"))
        self.is_word_open = False

    def flush(self) -> None:
        """Write the characters of the bytes collected so far."""
        if self.pending:
            self.write(_escape(_decode_bytes(bytes(self.pending), self.codec)))
            self.pending.clear()

    def write(self, text: str) -> None:
        self.parts.append(" " + text if self.is_word_open else text)
        self.is_word_open = False

    def _is_whole(self) -> bool:
        decoder = codecs.getincrementaldecoder(self.codec)("replace")
        decoder.decode(bytes(self.pending), False)  # noqa: FBT003 - vendor signature
        return not decoder.getstate()[0]


def spell_out_characters(data: bytes) -> bytes:
    """The same document with its characters in UTF-8. Raises ValueError when groups nest too deep."""
    writer = _Writer()
    at = 0
    while match := _TOKEN.match(data, at):
        at = match.end()
        if (text := match["text"]) is not None:
            if writer.is_word_open and text[:1] not in b"\r\n":
                writer.is_word_open = False  # it stood like this before
            writer.add_text(text)
        elif match["hex"] is not None:
            writer.add_byte(int(match["hex"], 16))
        elif match["brace"] is not None:
            writer.add_brace(match["brace"])
        elif match["symbol"] is not None:
            if not (match["symbol"] == b"*" and data.startswith(_FOOTNOTE, at)):  # some writers mark it as what may be left out
                writer.add_symbol(match["symbol"])
        else:
            word, number = match["word"], int(match["number"]) if match["number"] is not None else None
            if word == b"u" and number is not None:
                writer.add_number(number)
            elif word == b"bin" and number is not None:
                at += max(0, number)  # a picture
            else:
                writer.add_word(word, number, match[0].decode("ascii"))
    writer.flush()
    writer.parts.append("}" * len(writer.groups))  # of a file that was cut off
    return "".join(writer.parts).encode("utf-8", "replace")


def _decode_bytes(data: bytes, codec: str) -> str:
    if len(data) > 1 and not data.isascii():
        try:
            return data.decode("utf-8") if codec == _WESTERN else data.decode(codec)
        except UnicodeDecodeError:
            pass
    return data.decode(codec, "replace")


def _find_codec(name: str) -> str:
    try:
        return "gb18030" if name == "cp936" else codecs.lookup(name).name
    except LookupError:
        return _WESTERN


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("{", "\\{").replace("}", "\\}")
