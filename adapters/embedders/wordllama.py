"""The static embeddings of the ``wordllama`` wheel: English, and little Chinese. 17 MB, 0.1 s to load."""

import importlib.util
from pathlib import Path

import numpy as np

from adapters.embedders.static import StaticEmbeddings
from adapters.text.sparse import normalise
from schemas.errors import ConfigurationError

NAME = "wordllama-l2-256.1"
DIMENSIONS = 256


def load() -> StaticEmbeddings:
    """The package itself is not imported: it configures the root logger and pads a whole batch to its longest text (four times slower)."""
    from safetensors.numpy import load_file  # noqa: PLC0415 - only where texts are embedded
    from tokenizers import Tokenizer  # noqa: PLC0415

    folder = _wheel_folder()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    (weights,) = load_file(folder / "weights" / f"l2_supercat_{DIMENSIONS}.safetensors").values()
    return StaticEmbeddings(tokenizer, np.ascontiguousarray(weights, dtype=np.float32), prepare=normalise)


def _wheel_folder() -> Path:
    found = importlib.util.find_spec("wordllama")
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError("the package wordllama is not installed: run `uv sync --frozen`")
    return Path(found.submodule_search_locations[0])
