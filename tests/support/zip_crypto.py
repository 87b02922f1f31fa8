"""ZIP archives as hostile or ordinary packers write them, which the standard library does not."""

import base64
import io
import struct
import zipfile
import zlib

# secret.txt with "机密 words" under AES-256 and the password "open", as libarchive 3.6 packs it
AES = base64.b64decode(
    "UEsDBBQACQBjAAAAIQAAAAAAAAAAAAwAAAAKAB8Ac2VjcmV0LnR4dFVUAQAAdXgLAAEEAAAAAAQAAAAAAZkHAAIAQUUDCAB6HgcOWzvYmByTEko4lKw1fF0l"
    "4/J/fur2qlBtgVJnGHegI4lM2EcW5/JQSwcIAAAAACoAAAAMAAAAUEsBAhQDFAAJAGMAAAAhAAAAAAAqAAAADAAAAAoAHwAAAAAAAAAAAKSBAAAAAHNlY3Jl"
    "dC50eHRVVAEAAHV4CwABBAAAAAAEAAAAAAGZBwACAEFFAwgAUEsFBgAAAAABAAEAVwAAAIEAAAAAAA=="
)


def zipped(files, **options) -> bytes:
    """An archive of ``files``: name -> content, deflated."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def named(archive: bytes, name: str, raw: bytes) -> bytes:
    """The same archive with an ASCII name replaced by raw bytes of its length, as packers without UTF-8 write names."""
    assert len(raw) == len(name)
    return archive.replace(name.encode(), raw)


def encrypted(name: str, content: bytes, password: bytes) -> bytes:
    """One stored file under the classic encryption."""
    crc = zlib.crc32(content)
    body = _enciphered(bytes(11) + bytes([crc >> 24]) + content, password)
    fields = (20, 1, 0, 0, 0, crc, len(body), len(content), len(name), 0)
    local = b"PK\x03\x04" + struct.pack("<5H3L2H", *fields) + name.encode() + body
    listed = b"PK\x01\x02" + struct.pack("<6H3L5H2L", 20, *fields, 0, 0, 0, 0, 0) + name.encode()
    return local + listed + b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 1, 1, len(listed), len(local), 0)


def _enciphered(data: bytes, password: bytes) -> bytes:
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte: int) -> None:
        keys[0] = _crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = _crc(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    made = bytearray()
    for byte in data:
        low = (keys[2] | 2) & 0xFFFF
        made.append(byte ^ ((low * (low ^ 1)) >> 8) & 0xFF)
        update(byte)
    return bytes(made)


def _crc(value: int, byte: int) -> int:
    return zlib.crc32(bytes([byte]), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
