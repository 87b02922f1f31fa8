"""The smaller static embeddings are the package's own, and take any text."""

import subprocess
import sys

import msgspec
import numpy as np

from adapters.embedders import wordllama

ORACLE = """
import json, sys, pathlib, wordllama
folder = pathlib.Path(wordllama.__file__).parent
model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
print(json.dumps(model.embed(sys.argv[1:], norm=True).tolist()))
"""


def test_the_model_is_the_packages_own():
    """Same vectors as ``wordllama`` itself (whose import would configure our loggers: hence another process)."""
    texts = ["static embeddings of a passage", "数据库连接池"]  # already folded
    oracle = subprocess.run([sys.executable, "-c", ORACLE, *texts], capture_output=True, check=True, timeout=60)
    expected = np.array(msgspec.json.decode(oracle.stdout), np.float32)
    assert np.allclose(wordllama.load().embed(texts), expected, atol=1e-5)


def test_the_model_takes_any_text():
    """Empty, endless and broken texts have finite vectors; traditional characters have those of the simplified ones."""
    vectors = wordllama.load().embed(["", "a\ud800b", "word " * 100_000, "數據庫", "数据库"])
    assert vectors.shape == (5, wordllama.DIMENSIONS)
    assert np.isfinite(vectors).all()
    assert not vectors[0].any()
    assert np.array_equal(vectors[3], vectors[4])
