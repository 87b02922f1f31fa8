"""Writes small PDF files by hand: text at places, lines, pictures, fonts that lie, passwords."""

import hashlib
import zlib
from dataclasses import dataclass, field

PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
FONTS = (
    b"/F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
    b"/F2<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold/Encoding/WinAnsiEncoding>>"
    b"/C1<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-H/DescendantFonts[<</Type/Font/Subtype/CIDFontType0"
    b"/BaseFont/STSong-Light/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>/DW 1000>>]>>"
    b"/P1<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</Type/Encoding/Differences[33/g1/g2/g3/g4/g5/g6/g7/g8]>>"
    b"/ToUnicode 3 0 R>>"
    # a font that is not in the file and whose glyphs nobody can name
    b"/N1<</Type/Font/Subtype/Type0/BaseFont/Nowhere/Encoding/Identity-H/DescendantFonts[<</Type/Font/Subtype/CIDFontType2"
    b"/BaseFont/Nowhere/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/DW 1000>>]>>"
    # the same for signs
    b"/M1<</Type/Font/Subtype/Type0/BaseFont/ABCDEF+CMEX10/Encoding/Identity-H/DescendantFonts[<</Type/Font/Subtype/CIDFontType2"
    b"/BaseFont/ABCDEF+CMEX10/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/DW 1000>>]>>"
    # a font whose letters have no outlines, as the layers under scans have
    b"/E1<</Type/Font/Subtype/Type3/FontBBox[0 0 0 0]/FontMatrix[.001 0 0 .001 0 0]/Resources<<>>/CharProcs<<"
    + b"".join(b"/%c 4 0 R" % code for code in range(97, 123))
    + b">>/Encoding<</Type/Encoding/Differences[97"
    + b"".join(b"/%c" % code for code in range(97, 123))
    + b"]>>/FirstChar 97/LastChar 122/Widths["
    + b"600 " * 26
    + b"]>>"
    # a font drawn by programs: A is 十, B is 一, C is 日
    b"/T1<</Type/Font/Subtype/Type3/FontBBox[0 -120 1000 880]/FontMatrix[.001 0 0 .001 0 0]/Resources<<>>"
    b"/CharProcs<</full 5 0 R/flat 6 0 R>>/Encoding<</Type/Encoding/Differences[65/full/flat/full]>>/ToUnicode 7 0 R"
    b"/FirstChar 65/LastChar 67/Widths[1000 1000 1000]>>"
)
FULL, FLAT = b"1000 0 50 -80 950 840 d1 50 -80 900 920 re f", b"1000 0 40 350 960 430 d1 40 350 920 80 re f"
CHINESE_MAP = (
    b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Y def /CMapType 2 def\n1 begincodespacerange <00> <ff> "
    b"endcodespacerange\n3 beginbfchar <41> <5341> <42> <4e00> <43> <65e5> endbfchar\nendcmap end end"
)
GLYPH = b"600 0 0 0 0 0 d1"
GARBAGE_MAP = (
    b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n1 begincodespacerange <00> <ff> "
    b"endcodespacerange\n1 beginbfrange <20> <7e> <e020> endbfrange\nendcmap end end"
)


@dataclass
class Page:
    """What is drawn on a page, as PDF operators."""

    width: int = 595
    height: int = 842
    rotate: int = 0
    operators: list[bytes] = field(default_factory=list)
    images: list[tuple[int, int, bytes]] = field(default_factory=list)
    annotations: list[tuple[int, int, str]] = field(default_factory=list)  # fields that are filled in
    fields: list[bytes] = field(default_factory=list)  # of the document's form: entries of their dictionaries
    broken: bool = False

    def text(self, x: float, y: float, text: str, size: float = 10, font: str = "F1", matrix: str = "1 0 0 1") -> "Page":
        """``y`` from the bottom of the page."""
        if font in ("C1", "N1", "M1"):
            shown = b"<" + text.encode("utf-16-be").hex().encode() + b">"
        else:
            shown = b"(" + text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)") + b")"
        self.operators.append(f"BT /{font} {size} Tf {matrix} {x} {y} Tm ".encode() + shown + b" Tj ET")
        return self

    def actual_text(self, x: float, y: float, glyphs: list[tuple[str, str]], size: float = 10, font: str = "T1") -> "Page":
        """Glyphs one after another, each with the text that the file says it stands for."""
        shown = b"".join(
            b"/Span<</ActualText<feff%s>>>BDC (%s) Tj EMC " % (text.encode("utf-16-be").hex().encode(), glyph.encode())
            for glyph, text in glyphs
        )
        self.operators.append(f"BT /{font} {size} Tf 1 0 0 1 {x} {y} Tm ".encode() + shown + b" ET")
        return self

    def lines(self, x: float, y: float, texts: list[str], size: float = 10, font: str = "F1", leading: float = 12) -> "Page":
        for index, text in enumerate(texts):
            self.text(x, y - index * leading, text, size, font)
        return self

    def rule(self, x0: float, y0: float, x1: float, y1: float) -> "Page":
        self.operators.append(f"0.5 w {x0} {y0} m {x1} {y1} l S".encode())
        return self

    def field(self, place: tuple[int, int, int, int], entries: bytes) -> "Page":
        """A form field; ``entries`` without its place."""
        self.fields.append(b"/Type/Annot/Subtype/Widget/F 4/Rect[%d %d %d %d]" % place + entries)
        return self

    def image(self, width: int, height: int, grey: bytes) -> "Page":
        """A picture over the whole page."""
        self.images.append((width, height, grey))
        self.operators.append(f"q {self.width} 0 0 {self.height} 0 0 cm /I{len(self.images) - 1} Do Q".encode())
        return self


def pdf(*pages: Page, user: str = "", owner: str = "", title: str = "", may_copy: bool = True) -> bytes:
    """The file; with ``user`` or ``owner`` it is encrypted (RC4, 128 bits)."""
    objects: list[tuple[bytes, bytes | None]] = [
        (b"<</Type/Catalog/Pages 2 0 R>>", None),
        (b"", None),
        (b"<<", GARBAGE_MAP),
        (b"<<", GLYPH),
        (b"<<", FULL),
        (b"<<", FLAT),
        (b"<<", CHINESE_MAP),
    ]
    kids = []
    form = b""
    for page in pages:
        names = b""
        for index, (width, height, grey) in enumerate(page.images):
            head = b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode" % (
                width,
                height,
            )
            objects.append((head, zlib.compress(grey)))
            names += b"/I%d %d 0 R" % (index, len(objects))
        fields = b""
        for x, y, text in page.annotations:
            look = b"<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Resources<</Font<<" + FONTS + b">>>>"
            objects.append((look, b"BT /F1 10 Tf 2 4 Td (" + text.encode() + b") Tj ET"))
            place = (x, y, x + 200, y + 20, len(objects))
            fields += b"<</Type/Annot/Subtype/Widget/FT/Tx/T(one)/F 4/Rect[%d %d %d %d]/AP<</N %d 0 R>>>>" % place
        for entries in page.fields:
            objects.append((b"<<%s>>" % entries, None))
            form += b"%d 0 R " % len(objects)
            fields += b" %d 0 R " % len(objects)
        objects.append((b"<<", b"\n".join(page.operators)))
        content = len(objects)
        resources = b"<</Font<<" + FONTS + b">>/XObject<<" + names + b">>>>"
        body = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Rotate %d/Contents %d 0 R/Resources%s/Annots[%s]>>"
        objects.append((body % (page.width, page.height, page.rotate, content, resources, fields), None))
        kids.append(b"%d 0 R" % (len(objects) if not page.broken else 9999))
    if form:
        head = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[%s]/NeedAppearances true/DA(/F1 10 Tf 0 g)/DR<</Font<<%s>>>>>>>>"
        objects[0] = head % (form, FONTS), None
    objects[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(kids), len(pages)), None
    if title:
        objects.append((b"<</Title<feff%s>>>" % title.encode("utf-16-be").hex().encode(), None))
    return _file(objects, user, owner, title, may_copy=may_copy)


def _file(objects: list[tuple[bytes, bytes | None]], user: str, owner: str, title: str, *, may_copy: bool) -> bytes:
    key, encryption = _encryption(user, owner, may_copy=may_copy) if user or owner else (b"", b"")
    out, offsets = bytearray(b"%PDF-1.6\n"), []
    for number, (head, stream) in enumerate(objects, 1):
        offsets.append(len(out))
        if stream is not None:
            body = _rc4(_object_key(key, number), stream) if key else stream
            out += b"%d 0 obj\n%s/Length %d>>\nstream\n%s\nendstream\nendobj\n" % (number, head, len(body), body)
        else:
            out += b"%d 0 obj\n%s\nendobj\n" % (number, head)
    info = b"/Info %d 0 R" % len(objects) if title else b""
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer<</Size %d/Root 1 0 R%s%s/ID[<%s><%s>]>>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        info,
        encryption,
        b"00" * 16,
        b"00" * 16,
        start,
    )
    return bytes(out)


def _encryption(user: str, owner: str, *, may_copy: bool) -> tuple[bytes, bytes]:
    """Key and dictionary of the standard security handler, revision 3."""
    permissions = -4 if may_copy else -4 & ~(1 << 4)
    digest = _padded(owner or user)
    for _ in range(51):
        digest = hashlib.md5(digest).digest()
    hidden = _padded(user)
    for turn in range(20):
        hidden = _rc4(bytes(byte ^ turn for byte in digest), hidden)
    key = hashlib.md5(_padded(user) + hidden + permissions.to_bytes(4, "little", signed=True) + bytes(16)).digest()
    for _ in range(50):
        key = hashlib.md5(key).digest()
    check = hashlib.md5(PADDING + bytes(16)).digest()
    for turn in range(20):
        check = _rc4(bytes(byte ^ turn for byte in key), check)
    shown = b"/Encrypt<</Filter/Standard/V 2/R 3/Length 128/P %d/O<%s>/U<%s>>>"
    return key, shown % (permissions, hidden.hex().encode(), check.ljust(32, b"\0").hex().encode())


def _padded(password: str) -> bytes:
    return (password.encode() + PADDING)[:32]


def _object_key(key: bytes, number: int) -> bytes:
    return hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
