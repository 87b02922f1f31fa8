"""Open documents made by hand, for tests of the formats that pandoc reads."""

import io
import zipfile


def open_document(content: str, mimetype: str = "application/vnd.oasis.opendocument.text", **parts: bytes) -> bytes:
    """An ODT file with this ``content.xml``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", mimetype, zipfile.ZIP_STORED)
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
