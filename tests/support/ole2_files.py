"""OLE2 containers made in code, and Outlook messages in them: [MS-CFB] and [MS-OXMSG], as little of both as a reader needs."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SECTOR, MINI_SECTOR, MINI_BYTES_MAX, ENTRY = 512, 64, 4096, 128
FREE, END, FAT_SECTOR, NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
STORAGE, STREAM, ROOT = 1, 2, 5

Tree = Mapping[str, "bytes | Tree"]

BINARY, STRING, STRING8, INTEGER, TIME = 0x0102, 0x001F, 0x001E, 0x0003, 0x0040
SUBJECT, SENT, SENDER_NAME, SENDER_ADDRESS, TO, CC, BODY, RICH, HTML = (
    0x0037,
    0x0039,
    0x0C1A,
    0x0C1F,
    0x0E04,
    0x0E03,
    0x1000,
    0x1009,
    0x1013,
)
CODEPAGE, DATA, FILE_NAME, METHOD, LONG_FILE_NAME, MESSAGE_CLASS = 0x3FFD, 0x3701, 0x3704, 0x3705, 0x3707, 0x001A
EMBEDDED = f"__substg1.0_{DATA:04X}000D"


def ole2(tree: Tree) -> bytes:
    """A container with these streams and storages."""
    return _Container().build(tree)


@dataclass
class _Container:
    fat: list[int] = field(default_factory=list)
    sectors: list[bytes] = field(default_factory=list)
    mini_fat: list[int] = field(default_factory=list)
    mini: bytearray = field(default_factory=bytearray)
    entries: list[list[Any]] = field(default_factory=list)

    def build(self, tree: Tree) -> bytes:
        self.entries.append(["Root Entry", ROOT, NONE, NONE, NONE, END, 0])
        self.entries[0][4] = self._add_level(tree)
        self.entries[0][5], self.entries[0][6] = self._store(bytes(self.mini)), len(self.mini)
        mini_fat = self._store(struct.pack(f"<{len(self.mini_fat)}L", *self.mini_fat), b"\xff")
        directory = self._store(b"".join(map(_directory_entry, self.entries)))
        mini_fat_sectors = -(-len(self.mini_fat) * 4 // SECTOR)
        count = 1
        while (len(self.fat) + count) * 4 > count * SECTOR:
            count += 1
        assert count <= 109
        places = list(range(len(self.fat), len(self.fat) + count))
        table = self.fat + [FAT_SECTOR] * count
        packed = struct.pack(f"<{len(table)}L", *table).ljust(count * SECTOR, b"\xff")
        header = struct.pack("<8s16sHHHHH6sLLLLLLLLL", *(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(16), 0x3E, 3, 0xFFFE, 9, 6, bytes(6)),
                             *(0, count, directory, 0, MINI_BYTES_MAX, mini_fat, mini_fat_sectors, END, 0))  # fmt: skip
        header += struct.pack("<109L", *places, *[FREE] * (109 - count))
        return header + b"".join(self.sectors) + packed

    def _add_level(self, tree: Tree) -> int:
        """The entries of one storage as a list that leans to the right; returns its first."""
        first = previous = NONE
        for name in sorted(tree, key=lambda name: (len(name), name.upper())):
            content = tree[name]
            place = len(self.entries)
            if isinstance(content, bytes):
                start = self._store_small(content) if len(content) < MINI_BYTES_MAX else self._store(content)
                self.entries.append([name, STREAM, NONE, NONE, NONE, start, len(content)])
            else:
                self.entries.append([name, STORAGE, NONE, NONE, NONE, 0, 0])
                self.entries[place][4] = self._add_level(content)
            if previous == NONE:
                first = place
            else:
                self.entries[previous][3] = place
            previous = place
        return first

    def _store(self, content: bytes, padding: bytes = b"\0") -> int:
        if not content:
            return END
        first, count = len(self.sectors), -(-len(content) // SECTOR)
        content = content.ljust(count * SECTOR, padding)
        self.sectors += [content[at : at + SECTOR] for at in range(0, len(content), SECTOR)]
        self.fat += [*range(first + 1, first + count), END]
        return first

    def _store_small(self, content: bytes) -> int:
        if not content:
            return END
        first, count = len(self.mini_fat), -(-len(content) // MINI_SECTOR)
        self.mini += content.ljust(count * MINI_SECTOR, b"\0")
        self.mini_fat += [*range(first + 1, first + count), END]
        return first


def _directory_entry(entry: list[Any]) -> bytes:
    name, kind, left, right, child, start, size = entry
    encoded = name.encode("utf-16-le") + b"\0\0"
    return struct.pack("<64sHBBLLL16sLQQLQ", encoded, len(encoded), kind, 1, left, right, child, bytes(16), 0, 0, 0, start, size)


def properties(values: Mapping[tuple[int, int], bytes | int], header_bytes: int) -> dict[str, bytes]:
    """The streams of one property set: by (id, type) bytes of a string or binary, or the number itself."""
    listed, streams = bytearray(header_bytes), {}
    for (identity, kind), value in values.items():
        if isinstance(value, bytes):
            streams[f"__substg1.0_{identity:04X}{kind:04X}"] = value
            listed += struct.pack("<HHLLL", kind, identity, 6, len(value), 0)
        else:
            listed += struct.pack("<HHLQ", kind, identity, 6, value)
    return streams | {"__properties_version1.0": bytes(listed)}


def message_tree(
    texts: Mapping[int, str],
    attachments: Mapping[str, "bytes | Tree"],
    *,
    html: bytes = b"",
    rich: bytes = b"",
    codepage: int = 0,
    embedded: bool = False,
) -> dict[str, "bytes | Tree"]:
    """The storage of a message; an attachment is a file's bytes, or the storage of another message."""
    kind, codec = (STRING8, f"cp{codepage}") if codepage else (STRING, "utf-16-le")
    values: dict[tuple[int, int], bytes | int] = {(identity, kind): text.encode(codec) for identity, text in texts.items()}
    values |= {(SENT, TIME): 133_800_000_000_000_000, (MESSAGE_CLASS, STRING): "IPM.Note".encode("utf-16-le")}
    values |= {(HTML, BINARY): html} if html else {}
    values |= {(RICH, BINARY): rich} if rich else {}
    values |= {(CODEPAGE, INTEGER): codepage} if codepage else {}
    made: dict[str, bytes | Tree] = {**properties(values, 24 if embedded else 32)}
    if not embedded:
        made["__nameid_version1.0"] = {"__substg1.0_00020102": b"", "__substg1.0_00030102": b"", "__substg1.0_00040102": b""}
    for number, (name, content) in enumerate(attachments.items()):
        held: dict[tuple[int, int], bytes | int] = {(LONG_FILE_NAME, STRING): name.encode("utf-16-le")}
        if isinstance(content, bytes):
            made[f"__attach_version1.0_#{number:08X}"] = properties(held | {(DATA, BINARY): content, (METHOD, INTEGER): 1}, 8)
        else:
            made[f"__attach_version1.0_#{number:08X}"] = properties(held | {(METHOD, INTEGER): 5}, 8) | {EMBEDDED: content}
    return made


def outlook_message(texts: Mapping[int, str], attachments: Mapping[str, "bytes | Tree"] = {}, **more) -> bytes:
    """A message as a file."""
    return ole2(message_tree(texts, attachments, **more))
