"""Parsing: a file or a text becomes a title and blocks with heading paths and places, and these become chunks.

``core.detect`` finds the type of a file from its content, ``dispatch`` selects the parser of a type. Each format is a function
``Entry -> ParsedText`` in a module of its own, loaded with the first file that needs it; the parsers of archives and mail get the parser of
the files inside as an argument. The blocks of plain text and Markdown are spans of the text itself, so that a chunk is literally a part of
it and carries offsets into it; 2 KB take a fraction of a millisecond.
"""

from adapters.parsing.chunks.chunking import chunk
from adapters.parsing.core.blocks import Block, ParsedText
from adapters.parsing.dispatch import parse

__all__ = ["Block", "ParsedText", "chunk", "parse"]
