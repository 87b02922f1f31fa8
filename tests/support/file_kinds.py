"""Small files of every kind, made here: each says its own name somewhere, or cannot be read and must be told why."""

import io
import zipfile
import zlib
from dataclasses import dataclass
from email.message import EmailMessage

import docx
import openpyxl
import pptx


@dataclass(frozen=True)
class File:
    """``says`` is a phrase that must be found in it; ``code`` is the failure that must be named instead."""

    name: str
    data: bytes
    says: str = ""
    code: str = ""


def word(says: str) -> bytes:
    document = docx.Document()
    document.add_heading("Report", 1)
    document.add_paragraph(says)
    return _saved(document)


def slides(says: str) -> bytes:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Plan"
    slide.placeholders[1].text = says
    return _saved(deck)


def workbook(says: str) -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["名称", "说明"])
    book.active.append(["甲", says])
    return _saved(book)


def pdf(says: str) -> bytes:
    content = f"BT /F1 14 Tf 72 700 Td ({says}) Tj ET".encode("latin-1")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n" % len(content) + content + b"\nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def mail(says: str) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "上线安排", "a@example.org", "b@example.org"
    message.set_content(says)
    return bytes(message)


def archive(entries: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in entries.items():
            target.writestr(name, data)
    return packed.getvalue()


def bomb() -> bytes:
    return archive({"a.txt": b"0" * 400_000_000})


def mixed(each: int) -> list[File]:
    """``each`` of ten kinds: eight that can be read, two that cannot."""
    files = []
    for n in range(each):
        say = f"The lighthouse number {n} of kind"
        files += [
            File(f"a{n}.docx", word(f"{say} docx."), f"{say} docx."),
            File(f"b{n}.pptx", slides(f"{say} pptx."), f"{say} pptx."),
            File(f"c{n}.xlsx", workbook(f"{say} xlsx."), f"{say} xlsx."),
            File(f"d{n}.pdf", pdf(f"{say} pdf."), f"{say} pdf."),
            File(f"e{n}.eml", mail(f"{say} eml."), f"{say} eml."),
            File(f"f{n}.zip", archive({"x/内.txt": f"{say} zip.".encode()}), f"{say} zip."),
            File(f"g{n}.csv", f"编号,说明\n{n},第{n}号灯塔的表格\n".encode("gb18030"), f"第{n}号灯塔的表格"),
            File(f"h{n}.html", f"<meta charset=gbk><h1>灯塔</h1><p>第{n}号灯塔的网页</p>".encode("gbk"), f"第{n}号灯塔的网页"),
            File(f"i{n}.docx", word("never seen")[:700], code="document_unreadable"),
            File(f"j{n}.pdf", b"8BPS\0\1" + zlib.compress(b"picture" * 9), code="document_type_unsupported"),
        ]
    return files


def _saved(thing: object) -> bytes:
    out = io.BytesIO()
    thing.save(out)  # type: ignore[attr-defined]
    return out.getvalue()
