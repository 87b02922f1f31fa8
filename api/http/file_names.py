"""Names of uploaded files as clients write them, into the name that a person sees.

Browsers, curl and httpx send UTF-8; old Windows programs their code page; aiohttp percent-encodes; .NET and Java write encoded words of
RFC 2047 and ``filename*`` of RFC 5987. A name that nothing here can read stays as it was sent.
"""

import html
import re
from email.errors import HeaderParseError
from email.header import decode_header
from urllib.parse import unquote_to_bytes

_PARAMETER = re.compile(r";\s*+([A-Za-z0-9_-]++(?:\*[0-9]{1,2})?\*?)\s*+=\s*+(\"(?:[^\"\\]|\\.)*+\"|\"[^\"]*+\"|[^;]*+)")
_ESCAPES = re.compile(r"(?:[!-$&-~]|%[0-9A-Fa-f]{2})++")  # no blank, nothing beyond ASCII, no % that begins no escape
_ENTITY = re.compile(r"&#(?:[0-9]{2,7}|[xX][0-9A-Fa-f]{2,6});")  # a form in an encoding that lacks the character
_ENCODED_WORD = re.compile(r"=\?[A-Za-z0-9_.:+-]{2,40}\?[bBqQ]\?")
_HIGH_RUN = re.compile(rb"[\x80-\xff]++")
_PRIVATE_USE = re.compile("[\ue000-\uf8ff]")
CHARSETS = frozenset(  # text encodings that a client may name; Python knows others, such as zlib
    "utf-8 utf8 us-ascii ascii iso-8859-1 iso-8859-15 latin1 latin-1 windows-1250 windows-1251 windows-1252 gb2312 gbk gb18030 cp936 big5"
    " big5-hkscs cp950 shift_jis cp932 euc-jp euc-kr cp949".split()
)


def parse_disposition(raw: str) -> tuple[str, str]:
    """Name of the field and of the file in a Content-Disposition whose bytes were read as Latin-1; "" for what it does not say."""
    said: dict[str, str] = {}
    for key, value in _PARAMETER.findall(decode_name(raw.encode("latin-1", "replace"))):
        said.setdefault(key.lower(), _unquote(value.strip()))
    return _percent_escapes(said.get("name", "")), _extended(said) or _readable(said.get("filename", ""))


def decode_name(raw: bytes) -> str:
    """UTF-8, else the code page it most likely is: Chinese characters have two high bytes, a letter with an accent has one."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    western = all(len(run) == 1 for run in _HIGH_RUN.findall(raw))
    for encoding in ("cp1252", "gb18030") if western else ("gb18030", "big5", "cp1252"):
        try:
            name = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _PRIVATE_USE.search(name):  # there Big5 would end up
            return name
    return raw.decode("latin-1")


def _unquote(value: str) -> str:
    if len(value) < 2 or not value[0] == value[-1] == '"':  # noqa: PLR2004 - two quotes
        return value
    inner = value[1:-1]
    return inner.replace('\\"', '"') if '\\"' in inner else inner  # any other backslash is a folder's


def _percent_escapes(value: str) -> str:
    """What browsers escape in a name that stands in quotes."""
    return value.replace("%0D", "\r").replace("%0A", "\n").replace("%22", '"')


def _extended(said: dict[str, str]) -> str:
    """``filename*`` of RFC 5987, also in the numbered pieces of RFC 2231."""
    if "filename*" in said:
        return _decode_extended(said["filename*"])
    pieces, escaped = [], False
    for number in range(100):
        if (key := f"filename*{number}*") in said:
            pieces.append(said[key])
            escaped = True
        elif (key := f"filename*{number}") in said:
            pieces.append(said[key])
        else:
            break
    joined = "".join(pieces)
    return _decode_extended(joined) if escaped else joined


def _decode_extended(value: str) -> str:
    charset, quote, rest = value.partition("'")
    language, second, encoded = rest.partition("'")
    if not (quote and second and len(language) < 20):  # noqa: PLR2004 - a language's tag
        charset, encoded = "", value
    raw = unquote_to_bytes(encoded)
    if charset.strip().lower() in CHARSETS:
        try:
            return raw.decode(charset.strip())
        except UnicodeDecodeError:
            pass
    return decode_name(raw)


def _readable(name: str) -> str:
    """A plain ``filename``, freed of what its client wrapped it in."""
    if _ENCODED_WORD.search(name):
        name = _decode_words(name)
    if "%" in name and _ESCAPES.fullmatch(name):
        try:
            name = unquote_to_bytes(name).decode()
        except UnicodeDecodeError:
            name = _percent_escapes(name)
    else:
        name = _percent_escapes(name)
    name = _ENTITY.sub(lambda entity: html.unescape(entity.group()), name)
    return _undo_double_encoding(name)


def _decode_words(name: str) -> str:
    """Encoded words of RFC 2047; the name itself when one of them cannot be read."""
    try:
        found = decode_header(name)
        read = [
            piece if isinstance(piece, str) else piece.decode(charset) if charset in CHARSETS else decode_name(piece)
            for piece, charset in found
        ]
    except (HeaderParseError, UnicodeDecodeError):
        return name
    return "".join(read)


def _undo_double_encoding(name: str) -> str:
    """UTF-8 that a server in between took for Latin-1 and encoded again."""
    try:
        raw = name.encode("latin-1")
        return name if raw.isascii() else raw.decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return name
