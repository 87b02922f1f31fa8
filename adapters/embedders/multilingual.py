"""The multilingual static table: the keyless default. A question in English finds a passage in Chinese.

The table is made once per user from a package (``making.py``) and kept in a folder, from which every process maps it: its 33 MB are in the
machine's memory once. Its vectors are those of Google's Universal Sentence Encoder (multilingual, v3), of every piece of its vocabulary
alone: what the encoder says of words in context is lost, and so are 15 ms a chunk.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from adapters.embedders.static import StaticEmbeddings
from adapters.text.language import simplify
from adapters.text.sparse import SURROGATES
from schemas.errors import ConfigurationError

NAME = "use-multilingual-v3-256.1"  # whatever changes the vectors changes this name
DIMENSIONS = 256
MAKING_S_MAX = 600.0  # 23 s of one core; a machine that needs this long is of no use
TABLE, SCALES, TOKENIZER, MANIFEST = "table.npy", "scales.npy", "tokenizer.json", "manifest.json"
OTHERWISE = "or set CLAW_RETRIEVAL_EMBEDDING=wordllama, which knows little but English"


class TableManifest(Struct, frozen=True, kw_only=True):
    """What the folder holds: SHA-256 by file name."""

    name: str
    files: dict[str, str]


def default_folder() -> Path:
    """The user's cache: ``$XDG_CACHE_HOME/claw/embeddings`` or ``~/.cache/claw/embeddings``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "claw" / "embeddings"


def is_made(root: Path) -> bool:
    """Whether a start finds the table; its content is checked when it is loaded."""
    return (root / NAME / MANIFEST).exists()


def ensure(root: Path) -> Path:
    """The folder of an intact table below ``root``, which is made first where it is missing or damaged. Blocks, up to half a minute.

    Two processes that need it at once make it once. Raises ConfigurationError when it cannot be made.
    """
    folder = root / NAME
    if damage(folder) == "":
        return folder
    try:
        root.mkdir(parents=True, exist_ok=True)
        guard = (root / ".lock").open("w")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {root} for the embedding table: {error.strerror}; set CLAW_RETRIEVAL_EMBEDDING_FOLDER to a writable folder, "
            + OTHERWISE
        ) from error
    with guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if damage(folder) != "":  # the other process may have made it meanwhile
            _make(root, folder)
    return folder


def load(root: Path) -> StaticEmbeddings:
    """The embeddings of an intact table. Raises ConfigurationError when ``ensure`` did not make one, or it is damaged."""
    tokenizer, folder = load_tokenizer(root), root / NAME
    table = np.load(folder / TABLE, mmap_mode="r", allow_pickle=False)
    return StaticEmbeddings(tokenizer, table, np.load(folder / SCALES, allow_pickle=False), prepare=normalise)


def load_tokenizer(root: Path) -> Any:
    """The tokenizer of an intact table, for texts that are normalised. Raises what ``load`` raises."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - only where texts are embedded

    folder = root / NAME
    if why := damage(folder):
        raise ConfigurationError(f"the embedding table in {folder} {why}: remove that folder, and the next start makes it again")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread: children are one per core already
    return Tokenizer.from_file(str(folder / TOKENIZER))


def normalise(text: str) -> str:
    """As pieces of the vocabulary are spelled: compatible characters (full width, ligatures) as plain ones, white space as one space.

    Traditional characters are simplified (a simplified question on traditional passages: hit@1 .28 -> .39); capitals stay, because the
    vocabulary has them (English on Chinese without them: .43 -> .38).
    """
    return simplify(" ".join(unicodedata.normalize("NFKC", SURROGATES.sub(" ", text)).split()))


def damage(folder: Path) -> str:
    """What is wrong with a table, for people; empty when it is intact. Reads it whole: 0.1 s."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=TableManifest)
        if manifest.name != NAME or set(manifest.files) != {TABLE, SCALES, TOKENIZER}:
            return "is another one"
        for name, digest in manifest.files.items():
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                    return f"is damaged ({name})"
    except FileNotFoundError:
        return "is missing"
    except (OSError, msgspec.DecodeError) as error:
        return f"cannot be read ({error})"
    return ""


def _make(root: Path, folder: Path) -> None:
    """Make it in a process of its own, whose half gigabyte ends with it; a folder under the final name is always a whole one."""
    unfinished = root / f"{NAME}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = (sys.executable, "-P", "-m", "adapters.embedders.making", str(unfinished))
    try:
        made = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True, timeout=MAKING_S_MAX, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"cannot make the embedding table: {error}; {OTHERWISE.removeprefix('or ')}") from error
    if made.returncode:
        reason = made.stderr.strip().rpartition("\n")[2] or f"status {made.returncode}"
        raise ConfigurationError(
            f"cannot make the embedding table: {reason}; install the locked packages with `uv sync --frozen`, {OTHERWISE}"
        )
    write_manifest(unfinished)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def write_manifest(folder: Path) -> None:
    """Name and checksums of what ``folder`` holds."""
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (TABLE, SCALES, TOKENIZER)}
    (folder / MANIFEST).write_bytes(msgspec.json.encode(TableManifest(name=NAME, files=files)))
