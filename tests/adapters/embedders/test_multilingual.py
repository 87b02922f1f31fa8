"""The multilingual table: one folder for all processes, made once, intact or refused; and what it knows."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from adapters.embedders import multilingual
from adapters.embedders.local import load_embeddings
from adapters.embedders.static import StaticEmbeddings
from schemas.errors import ConfigurationError
from schemas.settings import RetrievalSettings
from tests.support.translations import PAIRS


@pytest.fixture(scope="module")
def model() -> StaticEmbeddings:
    return load_embeddings(RetrievalSettings())


def test_a_sentence_finds_its_translation(model: StaticEmbeddings):
    """Each is nearer to its own translation than to any other, in both directions."""
    english, chinese = (model.embed([pair[at] for pair in PAIRS]) for at in (0, 1))
    cosines = english @ chinese.T
    assert cosines.argmax(axis=0).tolist() == cosines.argmax(axis=1).tolist() == list(range(len(PAIRS)))


def test_any_text_has_a_vector(model: StaticEmbeddings):
    """Empty, endless and broken texts have finite vectors of length 1 or 0; widths of characters make no difference."""
    vectors = model.embed(["", "a\ud800b", "word " * 100_000, "ＡＢＣ　１２３", "ABC 123", "\u0000\u200b"])
    assert vectors.shape == (6, multilingual.DIMENSIONS)
    assert np.isfinite(vectors).all()
    assert set(np.linalg.norm(vectors, axis=1).round(4).tolist()) <= {0.0, 1.0}
    assert not vectors[0].any()
    assert np.array_equal(vectors[3], vectors[4])


def test_a_damaged_table_is_not_loaded(tmp_path: Path, model: StaticEmbeddings):
    """A flipped byte is a named error, not another index."""
    folder = tmp_path / multilingual.NAME
    folder.mkdir()
    for name in (multilingual.TABLE, multilingual.SCALES, multilingual.TOKENIZER):
        (folder / name).write_bytes((multilingual.default_folder() / multilingual.NAME / name).read_bytes())
    multilingual.write_manifest(folder)
    assert multilingual.damage(folder) == ""
    assert np.array_equal(multilingual.load(tmp_path).embed(["数据"]), model.embed(["数据"]))
    with (folder / multilingual.TABLE).open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"\x55\x55")
    with pytest.raises(ConfigurationError, match=r"damaged \(table.npy\)"):
        multilingual.load(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="CLAW_RETRIEVAL_EMBEDDING_FOLDER"):
        multilingual.ensure(tmp_path / "file" / "tables")


TWO_AT_ONCE = """
import sys, pathlib
from adapters.embedders import multilingual
def make(root, folder):
    with (root / "made").open("a") as log:
        log.write("x")
    folder.mkdir()
    for name in (multilingual.TABLE, multilingual.SCALES, multilingual.TOKENIZER):
        (folder / name).write_text(name)
    multilingual.write_manifest(folder)
multilingual._make = make
multilingual.ensure(pathlib.Path(sys.argv[1]))
"""


def test_processes_that_need_it_at_once_make_it_once(tmp_path: Path):
    """A start has two processes that embed."""
    processes = [subprocess.Popen([sys.executable, "-c", TWO_AT_ONCE, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(30) for process in processes] == [0, 0, 0]
    assert (tmp_path / "made").read_text() == "x"
