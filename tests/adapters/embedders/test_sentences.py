"""The full encoder: parts of a passage, and what it knows beyond the table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.embedders import multilingual, package, sentences
from adapters.embedders.local import load_embeddings
from adapters.embedders.sentences import DIMENSIONS, PARTS_MAX, SentenceEncoder, split_parts
from schemas.errors import ConfigurationError
from schemas.settings import RetrievalSettings
from tests.support.translations import PAIRS


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    load_embeddings(RetrievalSettings())  # makes the table, where it is not made
    return sentences.load(multilingual.default_folder())


@given(text=st.text(alphabet="ab。.!？\n 中", max_size=200), count=st.integers(1, 6))
def test_parts_are_the_text(text: str, count: int):
    parts = split_parts(text, count)
    assert "".join(parts) == text
    assert 1 <= len(parts) <= count
    assert all(parts) or parts == [""]


def test_parts_are_cut_between_sentences():
    """Four of nearly the same length out of eight sentences, or lines."""
    for end in ("。", "\n"):
        lines = [f"{number}号楼的电梯由维修公司负责{end}" for number in range(8)]
        assert split_parts("".join(lines), 4) == ["".join(lines[first : first + 2]) for first in range(0, 8, 2)]
    assert split_parts("只有一句话。", 4) == ["只有一句话。"]


def test_a_sentence_finds_its_translation(encoder: SentenceEncoder):
    english, chinese = (encoder.embed([pair[at] for pair in PAIRS]) for at in (0, 1))
    cosines = english @ chinese.T
    assert cosines.argmax(axis=0).tolist() == cosines.argmax(axis=1).tolist() == list(range(len(PAIRS)))
    assert np.allclose(np.linalg.norm(english, axis=1), 1, atol=1e-3)


def test_a_row_is_the_whole_and_a_part(encoder: SentenceEncoder):
    """A product with a row is the mean of two cosines; the part that answers has the greatest."""
    text = "".join(pair[1] for pair in PAIRS)
    (rows,), parts = encoder.embed_passages([text]), split_parts(text, PARTS_MAX)
    asked = encoder.embed([pair[0] for pair in PAIRS])
    means = (asked @ encoder.embed([text]).T + asked @ encoder.embed(parts).T) / 2
    assert rows.shape == (PARTS_MAX, DIMENSIONS)
    assert np.allclose(asked @ rows.T, means, atol=1e-5)
    assert (asked @ rows.T).argmax(axis=1).tolist() == list(range(len(PAIRS)))


def test_any_text_has_rows(encoder: SentenceEncoder):
    """Empty, endless and broken texts too, each as it would alone."""
    texts = ["", "a\ud800b", "word " * 100_000, "\u0000\u200b", "一句话。"]
    together = encoder.embed_passages(texts)
    assert [rows.shape[1] for rows in together] == [DIMENSIONS] * len(texts)
    assert all(np.isfinite(rows).all() and 1 <= len(rows) <= PARTS_MAX for rows in together)
    assert np.allclose(together[-1], encoder.embed_passages(texts[-1:])[0], atol=1e-5)
    assert encoder.embed([]).shape == (0, DIMENSIONS)
    assert encoder.embed_passages([]) == []


def test_other_weights_are_refused():
    with pytest.raises(ConfigurationError, match="not that of the locked version"):
        package.locate_file(package.WEIGHTS, "0" * 64)
