"""OpenDocument files made by hand."""

import io
import zipfile

SPREADSHEET, PRESENTATION = (f"application/vnd.oasis.opendocument.{kind}" for kind in ("spreadsheet", "presentation"))
NAMESPACES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in {
        "office": "office",
        "table": "table",
        "text": "text",
        "draw": "drawing",
        "style": "style",
        "svg": "svg-compatible",
        "presentation": "presentation",
    }.items()
)


def open_document(content: str, mimetype: str = "application/vnd.oasis.opendocument.text", **parts: bytes) -> bytes:
    """An ODT file, or another one, with this ``content.xml``; ``parts`` may replace its manifest."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", mimetype, zipfile.ZIP_STORED)
        if "META-INF/manifest.xml" not in parts:
            archive.writestr(
                "META-INF/manifest.xml", '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
            )
        archive.writestr("content.xml", content)
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def text_document(body: str, doctype: str = "") -> str:
    """``content.xml`` of an ODT file with this body."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>{doctype}<office:document-content office:version="1.2"
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<office:body><office:text>{body}</office:text></office:body></office:document-content>"""


def office_document(body: str, styles: str = "") -> str:
    """``content.xml`` of a spreadsheet or a presentation."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {NAMESPACES} office:version="1.2">'
        f"<office:automatic-styles>{styles}</office:automatic-styles><office:body>{body}</office:body></office:document-content>"
    )
