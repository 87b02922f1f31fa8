"""Files of a ZIP archive under WinZip's AES encryption, which the standard library cannot open and most packers write.

https://www.winzip.com/en/support/aes-encryption/: salt, two bytes that check the password, the content under AES in counter mode (the
counter little-endian, from 1), ten bytes of HMAC-SHA1. The packing method stands in an extra field.
"""

import hashlib
import hmac
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from schemas.errors import Refused

PIECE_BYTES = 65_536
BLOCK_BYTES = 16
ITERATIONS = 1_000
CHECK_BYTES = 2
SIGNATURE_BYTES = 10
LOCAL_HEADER_BYTES = 30
EXTRA_ID = 0x9901
_KEY_BYTES = {1: 16, 2: 24, 3: 32}  # by the strength that the extra field names; the salt is half of it


class _EncryptionInfo(NamedTuple):
    key_bytes: int
    method: int


def decrypt_pieces(data: bytes, info: zipfile.ZipInfo, password: bytes) -> Iterator[bytes]:
    """The file's content as it unpacks. Raises Refused("password_wrong"), zipfile.BadZipFile, zlib.error, NotImplementedError."""
    sealing = _parse_extra(info.extra)
    salt_bytes = sealing.key_bytes // 2
    body = _read_body(data, info)
    if len(body) < salt_bytes + CHECK_BYTES + SIGNATURE_BYTES:
        raise zipfile.BadZipFile("too short for its encryption")
    salt, check = body[:salt_bytes], body[salt_bytes : salt_bytes + CHECK_BYTES]
    sealed, signature = body[salt_bytes + CHECK_BYTES : -SIGNATURE_BYTES], body[-SIGNATURE_BYTES:]
    derived = hashlib.pbkdf2_hmac("sha1", password, salt, ITERATIONS, 2 * sealing.key_bytes + CHECK_BYTES)
    key, signing = derived[: sealing.key_bytes], derived[sealing.key_bytes : -CHECK_BYTES]
    if derived[-CHECK_BYTES:] != check:
        raise Refused("password_wrong", "the password does not open it")
    if not hmac.compare_digest(hmac.digest(signing, sealed, "sha1")[:SIGNATURE_BYTES], signature):
        raise zipfile.BadZipFile("its signature does not match")
    if sealing.method == zipfile.ZIP_STORED:
        yield from _decrypt_body(sealed, key)
    elif sealing.method == zipfile.ZIP_DEFLATED:
        yield from _inflate(_decrypt_body(sealed, key))
    else:
        raise NotImplementedError(f"packing method {sealing.method} under encryption")


def _parse_extra(extra: bytes) -> _EncryptionInfo:
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == EXTRA_ID and size >= 7 and at + 11 <= len(extra):  # noqa: PLR2004 - the field's own layout
            strength, method = struct.unpack_from("<BH", extra, at + 8)
            if strength in _KEY_BYTES:
                return _EncryptionInfo(_KEY_BYTES[strength], method)
        at += 4 + size
    raise zipfile.BadZipFile("it does not say how it is encrypted")


def _read_body(data: bytes, info: zipfile.ZipInfo) -> bytes:
    at = info.header_offset
    if not data.startswith(b"PK\x03\x04", at) or at + LOCAL_HEADER_BYTES > len(data):
        raise zipfile.BadZipFile("its header is not where the list says")
    name_bytes, extra_bytes = struct.unpack_from("<HH", data, at + 26)
    start = at + LOCAL_HEADER_BYTES + name_bytes + extra_bytes
    return data[start : start + info.compress_size]


def _decrypt_body(sealed: bytes, key: bytes) -> Iterator[bytes]:
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - of counters: that is counter mode, with WinZip's byte order
    for start in range(0, len(sealed), PIECE_BYTES):
        piece = np.frombuffer(sealed, np.uint8, min(PIECE_BYTES, len(sealed) - start), start)
        blocks = -(-len(piece) // BLOCK_BYTES)
        counters = np.zeros((blocks, 2), "<u8")
        counters[:, 0] = np.arange(1, blocks + 1) + start // BLOCK_BYTES
        stream = np.frombuffer(cipher.update(counters.tobytes()), np.uint8, len(piece))
        yield (piece ^ stream).tobytes()


def _inflate(packed: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for piece in packed:
        rest = piece
        while rest and not inflater.eof:
            yield inflater.decompress(rest, PIECE_BYTES)
            rest = inflater.unconsumed_tail
    if not inflater.eof:
        raise zlib.error("the packed content ends early")
