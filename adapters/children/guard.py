"""Confinement by Python: an audit hook that refuses, with a name, what a parser may not do.

It covers what the kernel's part (``confinement``) covers, and stands alone where the kernel does not play along; native code is beyond it.
"""

import errno
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from adapters.children.confinement import find_programs, find_tesseract, parser_paths
from adapters.parsing.core.source import OCR_EVENT
from schemas.errors import Refused

_CHANGE_EVENTS = frozenset(
    "os.remove os.rename os.rmdir os.mkdir os.link os.symlink os.truncate os.chmod os.chown os.utime os.setxattr os.removexattr "
    "shutil.rmtree shutil.move".split()
)
_PROGRAM_EVENTS = frozenset("os.exec os.posix_spawn os.spawn os.system os.fork os.forkpty os.startfile os.startfile/2 pty.spawn".split())
_HARMLESS_EVENTS = frozenset({"socket.gethostname"})
_TWO_PATH_EVENTS = frozenset({"os.rename", "os.link", "os.symlink", "shutil.move"})
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class SandboxViolation(Refused, PermissionError):
    """The parser tried to reach outside. As a PermissionError it lets a library go on that is prepared for a denied permission."""

    def __init__(self, what: str) -> None:
        super().__init__("document_unreadable", f"parsing it wanted to {what}, which a parser may not")
        self.errno = errno.EPERM


class Guard:
    """Python's part: an audit hook, which cannot be removed again. ``recognising`` is called when scanned pages are read."""

    def __init__(self, folder: str, recognising: Callable[[], None], tables: str = "") -> None:
        self._folder, self._recognising = folder, recognising
        self._programs, self._tesseract = find_programs(), find_tesseract()
        self._readable = tuple({os.path.realpath(path) for path in parser_paths(folder, tables).read})
        sys.addaudithook(self._check_event)

    def _check_event(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & _WRITE_FLAGS
            if not self._is_inside(path) and (writes or not self._may_read(path)):
                raise SandboxViolation(f"{'write to' if writes else 'read'} {_path_repr(path)}")
        elif event in _CHANGE_EVENTS:
            paths = arguments[:2] if event in _TWO_PATH_EVENTS else arguments[:1]
            if not all(map(self._is_inside, paths)):
                raise SandboxViolation(f"change {_path_repr(arguments[0])}")
        elif event == "subprocess.Popen":
            self._check_program(arguments[0])
        elif event.startswith("socket.") and event not in _HARMLESS_EVENTS:
            raise SandboxViolation("use the network")
        elif event in _PROGRAM_EVENTS:
            raise SandboxViolation("start a program")
        elif event == "os.killpg" or (event == "os.kill" and not _is_own_child(arguments[0])):
            raise SandboxViolation("send a signal to another process")
        elif event == OCR_EVENT:
            self._recognising()

    def _check_program(self, program: object) -> None:
        found = os.path.realpath(shutil.which(_path_text(program)) or "")
        if found not in self._programs:
            raise SandboxViolation(f"start {_path_repr(program)}")
        if found == self._tesseract:
            self._recognising()

    def _is_inside(self, path: object) -> bool:
        if isinstance(path, int):
            return True  # open already, and checked then
        real = os.path.realpath(_path_text(path))
        return real == os.devnull or _is_beneath(real, self._folder)

    def _may_read(self, path: object) -> bool:
        real = os.path.realpath(_path_text(path))
        return any(_is_beneath(real, root) for root in self._readable)


def _is_beneath(path: str, root: str) -> bool:
    return path == root or path.startswith(root + os.sep)


def _is_own_child(pid: object) -> bool:
    """A program that it started, and ends when it takes too long."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == os.getpid()
    except (OSError, ValueError, IndexError):
        return False


def _path_text(path: object) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""


def _path_repr(path: object) -> str:
    return repr(_path_text(path)[-100:])
