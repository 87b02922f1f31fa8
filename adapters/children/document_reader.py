"""A document to chunks: parsed, split, and encoded when that is cheap here."""

from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from adapters.children.process import chunk_frames
from adapters.children.protocol import ChildMessage, DocumentChunks, ParseBatchResult, ParseSummary, ParseTask, TaskRefusal
from adapters.children.text_encoder import TextEncoder
from adapters.parsing import chunk, parse
from adapters.parsing.chunks.chunking import searchable_text
from schemas.documents import Chunk, Vectors
from schemas.errors import Refused

NO_VECTORS = Vectors(dense="", indices="", values="")


def read_document(task: ParseTask, encoder: TextEncoder | None) -> Iterator[ChildMessage]:
    """The answer to a task. Raises Refused."""
    parsed = parse(task.source, task.bounds)
    title = task.title or parsed.title
    chunks = chunk(parsed, title=title, target_tokens=task.target_tokens, max_tokens=task.max_tokens, chunks_max=task.chunks_max)
    encodes = encoder is not None and task.known is not None and len(chunks) <= task.encoded_max
    vectors = encode_new(title, chunks, task, encoder) if encodes and encoder is not None else []
    yield from chunk_frames(chunks)
    yield ParseSummary(title=title, media_type=parsed.media_type, chars=len(parsed.text), notes=parsed.notes, vectors=vectors)


def read_texts(tasks: Sequence[ParseTask], encoder: TextEncoder, allow: Callable[[], None]) -> ParseBatchResult:
    """The answers to several tasks; the chunks of all of them are encoded at once. ``allow`` resets the CPU limit for the next one."""
    answers: list[DocumentChunks | TaskRefusal] = []
    wanted: dict[str, list[str]] = {}  # texts to be encoded, by embedding
    for task in tasks:
        allow()
        try:
            parsed = parse(task.source, task.bounds)
            title = task.title or parsed.title
            chunks = chunk(parsed, title=title, target_tokens=task.target_tokens, max_tokens=task.max_tokens, chunks_max=task.chunks_max)
        except Refused as refusal:
            answers.append(TaskRefusal(refusal.code, refusal.detail))
            continue
        if task.known is not None and len(chunks) <= task.encoded_max:
            wanted.setdefault(task.embedding, []).extend(searchable_text(title, each) for each in chunks if each.hash not in task.known)
        chunked = ParseSummary(title=title, media_type=parsed.media_type, chars=len(parsed.text), notes=parsed.notes, vectors=[])
        answers.append(DocumentChunks(chunks, chunked))
    made = {embedding: iter(encoder.encode(texts, embedding=embedding)) for embedding, texts in wanted.items()}
    encoded = [_with_vectors(answer, task, made.get(task.embedding, iter(()))) for answer, task in zip(answers, tasks, strict=True)]
    return ParseBatchResult(encoded)


def _with_vectors(answer: DocumentChunks | TaskRefusal, task: ParseTask, made: Iterator[Vectors]) -> DocumentChunks | TaskRefusal:
    if isinstance(answer, TaskRefusal) or task.known is None or len(answer.chunks) > task.encoded_max:
        return answer
    vectors = [NO_VECTORS if each.hash in task.known else next(made) for each in answer.chunks]
    return DocumentChunks(answer.chunks, replace(answer.chunked, vectors=vectors))


def encode_new(title: str, chunks: Sequence[Chunk], task: ParseTask, encoder: TextEncoder) -> list[Vectors]:
    """Vectors of unknown chunks, empty ones for the rest."""
    known = task.known or frozenset()
    made = iter(encoder.encode([searchable_text(title, each) for each in chunks if each.hash not in known], embedding=task.embedding))
    return [NO_VECTORS if each.hash in known else next(made) for each in chunks]
