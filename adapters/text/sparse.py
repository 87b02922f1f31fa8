"""BM25: text to sparse vectors, and the content words of a question.

Terms are those of the index engine's own multilingual tokenizer (it segments Chinese, stems English, drops English stop words), so the
same encoding serves the embedded engine and the server; pairs of neighbours (``bigrams.py``), names and numbers (``identifiers.py``) are
terms, too. Traditional characters
are folded to simplified first: measured on DRCD, hit@1 of a simplified question on traditional passages goes from 0.68 to 0.90, and
simplified sets do not change. IDF is the index's to apply.
"""

import base64
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import Bm25, Bm25Config, TokenizerType

from adapters.text.bigrams import document_bigrams, question_bigrams
from adapters.text.identifiers import DASHES, document_identifiers, identifier_terms, split_codes
from adapters.text.language import fold
from schemas.documents import Vectors

NAME = "bm25.3"  # part of the index's name: another encoding needs another index

BIGRAM_WEIGHT = 0.5  # of a pair of neighbours in a question, where a word has 1
IDENTIFIER_WEIGHT = 1.0  # of a name or number in a question
BACKGROUND_SHARE_MAX = 0.8  # of the question's own weight
BACKGROUND_CHARS_MAX = 2_000  # of each text that only colours a question

KEYWORD_CHARS_MAX = 8  # a longer run of Chinese content words is shown as its words
TERM_CHARS_MAX = 6  # the segmenter's dictionary has hardly any longer Chinese word
QUESTION_CHARS_MAX = 2_000  # keywords come from the first part of a longer question

SURROGATES = re.compile("[\ud800-\udfff]")
_HAN = "㐀-䶿一-鿿豈-﫿"
_RUN = re.compile(
    rf"(?P<han>[{_HAN}]+)|"
    rf"(?P<word>[^\W_{_HAN}]+(?:[._'’@/+{DASHES}][^\W_{_HAN}]+)*)"
)
_HAN_STOP = frozenset(
    "的 了 是 在 和 与 及 或 而 并 且 也 都 又 就 才 还 很 更 最 太 被 把 将 让 给 向 对 对于 关于 从 由 自 到 至 于 以 为 因 "
    "因为 所以 由于 如果 若 则 但 但是 不过 然而 虽然 我 你 您 他 她 它 我们 你们 他们 它们 自己 这 那 这个 那个 这些 那些 "
    "这样 那样 这里 那里 此 该 其 之 所 者 吗 呢 吧 啊 呀 哦 嘛 么 有 没有 没 不 不是 无 会 能 能够 可以 可 应 应该 要 需要 "
    "想 想要 请 请问 告诉 一下 一个 一种 一些 个 种 些 什么 甚么 哪 哪个 哪些 哪里 哪儿 哪位 哪一 谁 谁的 怎 怎么 怎样 怎么样 "
    "如何 为何 为什么 多少 多 几 几个 何 何时 何地 何处 何种 是否 时候 叫 叫做 称 称为 指 来 去 上 下 中 里 时 后 前 等 等等 "
    "第 得 地 着 过 使 用 做 吧 呗 即 只 只有 所有 进行".split()
)
_LATIN_STOP = frozenset(
    "a an and are as at be been but by can could did do does for from had has have how i if in into is it its me my of on or "
    "our shall should so some such than that the their them then there these they this those to was we were what when where "
    "which who whom whose why will with would you your please tell about".split()
)


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
        return _merge((_to_sparse(self._bm25.embed_document(split)), SparseVector(*document_bigrams(split)), names))

    def encode_query(self, text: str, background: Background = ()) -> SparseVector:
        """Each distinct word once with weight 1, each pair with ``BIGRAM_WEIGHT``, each name and number with ``IDENTIFIER_WEIGHT``.

        ``background`` are texts with weights below 1: earlier texts add to the question, and cannot outweigh it: all of them together
        weigh at most ``BACKGROUND_SHARE_MAX`` of the question. A word counts where it weighs most.
        """
        folded = normalise(text)
        split = split_codes(folded)
        pairs, (names, _) = question_bigrams(split), identifier_terms(folded)
        vectors = [
            _to_sparse(self._bm25.embed_query(split)),
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
        """At most ``limit`` content words in order of appearance, as the reader wrote them.

        Chinese words between two stop words are shown as one (the segmenter is fine-grained: 数据 + 库 + 连接 + 池).
        """
        question = SURROGATES.sub(" ", question)[:QUESTION_CHARS_MAX]
        folded = normalise(question)
        shown = question if len(question) == len(folded) else folded
        found: dict[str, str] = {}
        for run in _RUN.finditer(folded):
            if run["word"]:
                word = run["word"]
                if word.lower() not in _LATIN_STOP and (len(word) > 1 or word.isdigit()):
                    found.setdefault(word.lower(), shown[run.start() : run.end()])
            else:
                for start, end in self._phrases(run["han"]):
                    found.setdefault(run["han"][start:end], shown[run.start() + start : run.start() + end])
            if len(found) >= limit:
                break
        return tuple(found.values())[:limit]

    def _phrases(self, run: str) -> list[tuple[int, int]]:
        """Spans of consecutive content words of a run of Chinese characters."""
        spans: list[tuple[int, int]] = []
        words: list[tuple[int, int]] = []

        def close() -> None:
            if words and words[-1][1] - words[0][0] <= KEYWORD_CHARS_MAX:
                spans.append((words[0][0], words[-1][1]))
            else:
                spans.extend(words)
            words.clear()

        for start, end in self._segments(run):
            if run[start:end] in _HAN_STOP:
                close()
            else:
                words.append((start, end))
        close()
        return [(start, end) for start, end in spans if end - start > 1 or len(run) == 1]

    def _segments(self, run: str) -> list[tuple[int, int]]:
        """The tokenizer's words, recovered from term ids: the engine tells only those. Longest stop word or known term first."""
        known = set(self._bm25.embed_query(run).indices)
        spans: list[tuple[int, int]] = []
        at = 0
        while at < len(run):
            for size in range(min(TERM_CHARS_MAX, len(run) - at), 0, -1):
                piece = run[at : at + size]
                terms = self._bm25.embed_query(piece).indices
                if size == 1 or (len(terms) == 1 and terms[0] in known):
                    spans.append((at, at + size))
                    at += size
                    break
        return spans


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
