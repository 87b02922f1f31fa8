"""Tools for Node.js that others keep, such as the AsyncAPI parser: installed once into the user's cache, as ``package-lock.json`` pins.

Without Node.js, or without a network at the first time, the tests that need them are skipped and say so.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).with_name("node")
INSTALL_S_MAX = 240.0
RUN_S_MAX = 200.0  # on a busy machine; alone 3 to 5 s


def run_node(script: str, documents: Sequence[bytes]) -> list[Any]:
    """The JSON that a script of ``tests/support/node`` writes about each document; skips the test where it cannot be run."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not installed: the tools of others are not run")
    # a module is found from the folder of its script
    ran = subprocess.run(
        [node, str(_installed() / script)],
        input=json.dumps([each.decode() for each in documents]).encode(),
        capture_output=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    answers: list[Any] = json.loads(ran.stdout)
    return answers


def _installed() -> Path:
    """The folder with the scripts and the packages of this lock file."""
    content = b"".join(path.read_bytes() for path in sorted(FILES.iterdir()))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "claw"
    folder = cache / f"node-{hashlib.sha256(content).hexdigest()[:16]}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=cache)) / folder.name
        try:
            _install(shutil.copytree(FILES, made))
            with suppress(OSError):  # another run was faster
                made.rename(folder)
        finally:
            shutil.rmtree(made.parent)
    return folder


def _install(folder: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, timeout=INSTALL_S_MAX, check=False)
    if ran.returncode:
        pytest.skip(f"npm could not install the tools of others: {ran.stderr.decode()[-300:].strip()}")
