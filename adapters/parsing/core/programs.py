"""Programs that convert a document: found, started without a shell, and bounded in what they may write."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from schemas.errors import Refused

MESSAGE_BYTES_MAX = 2_000  # of what a program says about an error
LIBREOFFICE_FOLDERS = ("/usr/lib/libreoffice/program", "/usr/lib64/libreoffice/program", "/opt/libreoffice/program")
LIBREOFFICE_LIBRARIES = ("libmergedlo.so", "libsofficeapp.so")
LIBREOFFICE_PROFILE = ".libreoffice"  # in the home folder, which is the child's own: as long as the library stays loaded, it needs it
_HEAP_EXHAUSTED = 251  # the exit code of pandoc's runtime


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """What a program wrote, and the end of what it said about errors."""

    code: int
    output: bytes
    message: str


@cache
def find_pandoc() -> str:
    """The path of pandoc, which the package ``pypandoc_binary`` carries; empty when it is not installed."""
    spec = importlib.util.find_spec("pypandoc")
    folders = spec.submodule_search_locations if spec is not None and spec.submodule_search_locations else ()
    carried = next((path for path in (Path(folder, "files", "pandoc") for folder in folders) if os.access(path, os.X_OK)), None)
    found = str(carried) if carried else shutil.which("pandoc")
    return os.path.realpath(found) if found else ""


@cache
def find_libreoffice() -> str:
    """The folder of LibreOffice's libraries; empty when it is not installed."""
    script = shutil.which("soffice") or shutil.which("libreoffice")
    folders = [os.path.dirname(os.path.realpath(script))] if script else []  # noqa: PTH120 - a string, as the others
    for folder in (*folders, *LIBREOFFICE_FOLDERS):
        if any(Path(folder, library).is_file() for library in LIBREOFFICE_LIBRARIES):
            return folder
    return ""


def run_program(
    arguments: Sequence[str], *, data: bytes, output_bytes_max: int, variables: Mapping[str, str] | None = None
) -> ProgramResult:
    """Run a program with ``data`` as its input, in the folder for temporary files.

    Raises Refused("document_too_complex") when it writes more than ``output_bytes_max``, or reaches a limit of this process, which it
    inherits.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(data)
        given.seek(0)
        with subprocess.Popen(  # noqa: S603 - a path of our own, no shell
            arguments,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=tempfile.gettempdir(),
            env={**os.environ, **(variables or {})},
        ) as process:
            assert process.stdout is not None
            output = process.stdout.read(output_bytes_max + 1)
            if len(output) > output_bytes_max:
                with suppress(PermissionError):  # a kernel without Landlock's scopes: closing its output ends it
                    process.kill()
                raise Refused("document_too_complex", f"it converts to more than {output_bytes_max:,} bytes (CLAW_DOCUMENT_TEXT_CHARS_MAX)")
        errors.seek(0)
        message = " ".join(errors.read(MESSAGE_BYTES_MAX).decode("utf-8", "replace").split())
    if process.returncode == -signal.SIGXCPU:
        raise Refused("document_too_complex", "converting it takes too much CPU time (CLAW_DOCUMENT_PARSE_CPU_S)")
    if process.returncode == _HEAP_EXHAUSTED or "out of memory" in message.lower():
        raise Refused("document_too_complex", "converting it takes too much memory (CLAW_DOCUMENT_PARSE_MEMORY_MIB)")
    return ProgramResult(process.returncode, output, message)
