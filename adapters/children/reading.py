"""From a document to chunks that say what they are: parsed, cut, and encoded when it is cheap to do so here."""

from collections.abc import Iterator, Sequence

from adapters.children.encoding import TextEncoder
from adapters.children.process import parts
from adapters.children.protocol import Chunked, ParseTask, Reply
from adapters.parsing import chunk, parse
from adapters.parsing.chunking import indexed_text
from schemas.documents import Chunk, Vectors

NO_VECTORS = Vectors(dense="", indices="", values="")


def read(task: ParseTask, encoder: TextEncoder | None) -> Iterator[Reply]:
    """The answer to a task. Raises Refused."""
    parsed = parse(task.source, task.bounds)
    title = task.title or parsed.title
    chunks = chunk(parsed, title=title, target_tokens=task.target_tokens, max_tokens=task.max_tokens, chunks_max=task.chunks_max)
    encodes = encoder is not None and task.known is not None and len(chunks) <= task.encoded_max
    vectors = encode_new(title, chunks, task.known or frozenset(), encoder) if encodes and encoder is not None else []
    yield from parts(chunks)
    yield Chunked(title=title, media_type=parsed.media_type, chars=len(parsed.text), notes=parsed.notes, vectors=vectors)


def encode_new(title: str, chunks: Sequence[Chunk], known: frozenset[str], encoder: TextEncoder) -> list[Vectors]:
    """Vectors of what is not known, empty ones for the rest."""
    made = iter(encoder.encode([indexed_text(title, each) for each in chunks if each.hash not in known], dense=True))
    return [NO_VECTORS if each.hash in known else next(made) for each in chunks]
