"""BM25: text to sparse vectors, and the content words of a question.

Terms are those of the index engine's own multilingual tokenizer (it segments Chinese, stems English, drops English stop words), so the
same encoding serves the embedded engine and the server; pairs of neighbours (``bigrams.py``), names and numbers (``identifiers.py``) and
joined words (``compounds.py``) are terms, too. Traditional characters are folded to simplified first: measured on DRCD, hit@1 of a
simplified question on traditional passages goes from 0.68 to 0.90, and simplified sets do not change. IDF is the index's to apply.
"""

import base64
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import Bm25, Bm25Config, TokenizerType

from adapters.text.bigrams import document_bigrams, question_bigrams
from adapters.text.compounds import add_joined_words
from adapters.text.identifiers import document_identifiers, identifier_terms, split_codes
from adapters.text.keywords import find_keywords
from adapters.text.language import fold
from schemas.documents import Vectors

NAME = "bm25.4"  # part of the index's name: another encoding needs another index

BIGRAM_WEIGHT = 0.5  # of a pair of neighbours in a question, where a word has 1
IDENTIFIER_WEIGHT = 1.0  # of a name or number in a question
BACKGROUND_SHARE_MAX = 0.8  # of the question's own weight
BACKGROUND_CHARS_MAX = 2_000  # of each text that only colours a question

SURROGATES = re.compile("[\ud800-\udfff]")
Background = tuple[tuple[str, float], ...]  # earlier texts of the conversation, and the weight of their words


class SparseVector(NamedTuple):
    """A sparse vector: term ids (uint32, ascending) and weights (float32) of equal length."""

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]


def normalise(text: str) -> str:
    """``text`` as documents and questions are encoded: folded; lone surrogates, which no engine takes, as spaces."""
    return fold(SURROGATES.sub(" ", text))


class Bm25Encoder:
    """Encodes documents and queries; not for two threads at once. Its first Chinese text loads a dictionary, about 0.3 s."""

    def __init__(self) -> None:
        self._bm25 = Bm25(Bm25Config(tokenizer=TokenizerType.Multilingual))

    def encode_document(self, text: str) -> SparseVector:
        """Saturated term frequencies; empty for text without words."""
        folded = normalise(text)
        names, split = SparseVector(*document_identifiers(folded)), split_codes(folded)
        return _merge((_to_sparse(self._bm25.embed_document(add_joined_words(split))), SparseVector(*document_bigrams(split)), names))

    def encode_query(self, text: str, background: Background = ()) -> SparseVector:
        """Each distinct word once with weight 1, each pair with ``BIGRAM_WEIGHT``, each name and number with ``IDENTIFIER_WEIGHT``.

        ``background`` are texts with weights below 1: earlier texts add to the question, and cannot outweigh it: all of them together
        weigh at most ``BACKGROUND_SHARE_MAX`` of the question. A word counts where it weighs most.
        """
        folded = normalise(text)
        split = split_codes(folded)
        pairs, (names, _) = question_bigrams(split), identifier_terms(folded)
        vectors = [
            _to_sparse(self._bm25.embed_query(add_joined_words(split))),
            SparseVector(pairs, np.full(len(pairs), BIGRAM_WEIGHT, np.float32)),
            SparseVector(names, np.full(len(names), IDENTIFIER_WEIGHT, np.float32)),
        ]
        asked = _merge(vectors)
        if not background:
            return asked
        earlier = _merge([self._encode_background(text, weight) for text, weight in background])
        new = ~np.isin(earlier.indices, asked.indices)
        share = BACKGROUND_SHARE_MAX * float(asked.values.sum()) / max(float(earlier.values[new].sum()), 1e-9)
        return _merge((asked, SparseVector(earlier.indices, earlier.values * np.float32(min(1.0, share)))))

    def _encode_background(self, text: str, weight: float) -> SparseVector:
        words = _to_sparse(self._bm25.embed_query(split_codes(normalise(text[:BACKGROUND_CHARS_MAX]))))
        return SparseVector(words.indices, words.values * np.float32(weight))

    def keywords(self, question: str, limit: int) -> tuple[str, ...]:
        """At most ``limit`` content words in order of appearance, as the reader wrote them."""
        return find_keywords(SURROGATES.sub(" ", question), limit)


def _to_sparse(vector: object) -> SparseVector:
    indices = np.asarray(vector.indices, dtype=np.uint32)  # type: ignore[attr-defined]
    values = np.asarray(vector.values, dtype=np.float32)  # type: ignore[attr-defined]
    return SparseVector(indices, values)


def _merge(vectors: Iterable[SparseVector]) -> SparseVector:
    """One vector, its ids ascending; of an id that several have, the greatest weight."""
    indices, values = (np.concatenate(column) for column in zip(*vectors, strict=True))
    order = np.lexsort((-values, indices))
    indices, values = indices[order], values[order]
    first = np.ones(len(indices), np.bool_)
    first[1:] = indices[1:] != indices[:-1]
    return SparseVector(indices[first], values[first])


def pack(sparse: SparseVector, dense: NDArray[np.float32]) -> Vectors:
    """As it travels: base64 of little-endian arrays."""
    return Vectors(
        dense=encode_dense(dense),
        indices=_encode_array(sparse.indices.astype("<u4", copy=False)),
        values=_encode_array(sparse.values.astype("<f4", copy=False)),
    )


def encode_dense(dense: NDArray[np.float32]) -> str:
    """The dense vector as it travels."""
    return _encode_array(dense.astype("<f4", copy=False))


def unpack(vectors: Vectors) -> tuple[SparseVector, NDArray[np.float32]]:
    """The reverse of ``pack``; raises ValueError on anything else."""
    indices = np.frombuffer(_decode_bytes(vectors.indices), dtype="<u4")
    values = np.frombuffer(_decode_bytes(vectors.values), dtype="<f4")
    if len(indices) != len(values):
        raise ValueError(f"{len(indices)} indices for {len(values)} values")
    return SparseVector(indices, values), np.frombuffer(_decode_bytes(vectors.dense), dtype="<f4")


def _encode_array(array: NDArray[np.generic]) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")


def _decode_bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
