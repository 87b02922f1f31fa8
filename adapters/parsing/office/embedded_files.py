"""Files of other kinds that stand in the text of a document (``altChunk``: a page, a mail page, a text), as their own parsers read them."""

import posixpath
from collections.abc import Callable

from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.source import Allowance, Entry, check_depth
from adapters.parsing.office.package import open_package
from schemas.errors import Refused


class EmbeddedFiles:
    """Of the document ``entry``, which is decrypted; ``parse_inner`` reads any file. They count as those of an archive do."""

    def __init__(self, entry: Entry, parse_inner: Callable[[Entry], ParsedText]) -> None:
        self._entry, self._parse_inner = entry, parse_inner
        self._allowance = entry.allowance or Allowance.of(entry.bounds)

    def read(self, name: str) -> ParsedText:
        """The text of the part of this name. Raises Refused as the parsers do, and for a part that is not there."""
        check_depth(self._entry)
        self._allowance.take_entry()
        data = open_package(self._entry, names=(name.lower(),)).parts.get(name.lower(), b"")
        if not data:
            raise Refused("document_unreadable", "it is not in the file")
        self._allowance.take_bytes(len(data))
        inner = Entry(
            data=data,
            bounds=self._entry.bounds,
            filename=posixpath.basename(name),
            password=self._entry.password,
            depth=self._entry.depth + 1,
            allowance=self._allowance,
        )
        return self._parse_inner(inner)
