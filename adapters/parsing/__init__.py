"""Documents as structure: a file or a text in, a title and blocks with heading paths and places out, then chunks.

What a file is says its content (``detect``), who reads it says ``reading``; every format is a function ``Entry -> Parsed`` of its own
module, loaded with the first file that needs it. Plain text and Markdown are read directly: their blocks are spans of the text itself, so
a chunk is literally what its owner wrote and carries offsets into it, and 2 KB take a fraction of a millisecond.
"""

from adapters.parsing.chunks.chunking import chunk
from adapters.parsing.core.blocks import Block, ParsedText
from adapters.parsing.dispatch import parse

__all__ = ["Block", "ParsedText", "chunk", "parse"]
