"""Confinement: the rights a child gives up before it parses an untrusted document.

The kernel's part, as far as it plays along (``isolate``): no network, no new privileges, no files but those of Python, of the system's
libraries and of one folder, no programs but two, limits on CPU time, memory, files. Python's part (``Guard``): the same again where the
kernel cannot, and with a name for the refusal. The document comes as a copy in that folder, so other people's files are out of reach.
"""

import ctypes
import errno
import mimetypes
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from adapters.children import landlock
from adapters.children.protocol import ChildOptions
from adapters.parsing.core.programs import find_pandoc
from adapters.parsing.core.source import OCR_EVENT
from schemas.errors import Refused

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
OOM_SCORE = "500"  # when the machine runs out of memory, the kernel ends a parser first
MIB = 1024 * 1024
FILE_BYTES_MAX = 512 * MIB  # of a file it writes: page images for Tesseract
FILES_MAX = 256  # open at once
ADDRESS_SPACE_MIB_MIN = 8 * 1024  # address space is cheap; memory has limits of its own
TESSERACT = "tesseract"

FOLDER_VARIABLES = ("LD_LIBRARY_PATH", "PYTHONPATH", "TESSDATA_PREFIX")
LIBRARY_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")  # the dynamic loader is there and counts as a program
SYSTEM_PATHS = (
    *LIBRARY_FOLDERS,
    "/usr",
    "/proc",
    "/sys",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/fonts",
    "/etc/libreoffice",
    "/var/spool/libreoffice",
)

_CHANGE_EVENTS = frozenset(
    "os.remove os.rename os.rmdir os.mkdir os.link os.symlink os.truncate os.chmod os.chown os.utime os.setxattr os.removexattr "
    "shutil.rmtree shutil.move".split()
)
_PROGRAM_EVENTS = frozenset("os.exec os.posix_spawn os.spawn os.system os.fork os.forkpty os.startfile os.startfile/2 pty.spawn".split())
_HARMLESS_EVENTS = frozenset({"socket.gethostname"})
_TWO_PATH_EVENTS = frozenset({"os.rename", "os.link", "os.symlink", "shutil.move"})
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


KERNEL_PROTECTIONS: list[str] = []  # the kernel protections in force in this process: network, landlock


class SandboxViolation(Refused, PermissionError):
    """The parser tried to reach outside. As a PermissionError it lets a library go on that is prepared for a denied permission."""

    def __init__(self, what: str) -> None:
        super().__init__("document_unreadable", f"parsing it wanted to {what}, which a parser may not")
        self.errno = errno.EPERM


def isolate(options: ChildOptions) -> None:
    """The kernel's part; call it before a thread is started. The process ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    sys.dont_write_bytecode = True
    os.nice(options.niceness)
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
        if options.batch or options.idle:
            os.sched_setscheduler(0, os.SCHED_IDLE if options.idle else os.SCHED_BATCH, os.sched_param(0))
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0:  # a container may forbid it: the other protections remain
            KERNEL_PROTECTIONS.append("network")
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if landlock.restrict(libc, parser_paths(options.folder, options.tables)):
            KERNEL_PROTECTIONS.append("landlock")
    if os.getppid() != options.parent:
        sys.exit(1)
    lower_limit(resource.RLIMIT_CORE, 0)
    lower_limit(resource.RLIMIT_FSIZE, FILE_BYTES_MAX)
    lower_limit(resource.RLIMIT_NOFILE, FILES_MAX)
    lower_limit(resource.RLIMIT_AS, max(ADDRESS_SPACE_MIB_MIN, 4 * max(options.memory_mib, options.ocr_memory_mib)) * MIB)


def parser_paths(folder: str, tables: str = "") -> landlock.AllowedPaths:
    """The paths that a parser needs; ``tables`` is the folder of static embeddings, for a child that encodes."""
    packages = [module for name, module in tuple(sys.modules.items()) if "." not in name]
    imported = [os.path.realpath(path) for package in packages for path in getattr(package, "__path__", ())]
    given = [path for name in FOLDER_VARIABLES for path in os.environ.get(name, "").split(os.pathsep) if path]
    programs = _find_programs()
    return landlock.AllowedPaths(
        read=(sys.prefix, sys.base_prefix, *imported, *given, *filter(None, (tables,)), *SYSTEM_PATHS, *map(str, mimetypes.knownfiles)),
        listed=tuple(path for path in sys.path if path),
        written=(folder, os.devnull),
        executed=(*programs, *LIBRARY_FOLDERS) if programs else (),
    )


def lower_limit(which: int, value: int) -> None:
    """Set a limit that cannot be raised again; never above the present one."""
    _, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def allow_cpu(seconds: int) -> None:
    """Allow so much CPU time from now on; more ends the process with SIGXCPU. Its children are counted separately."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def allow_memory(mib: int) -> None:
    """Make an allocation beyond ``mib`` fail. Reserved but untouched memory (stacks, arenas) does not count."""
    if sys.platform != "linux":
        return  # its limits do not cover this
    pages = os.pread(_open_statm(), 100, 0).split()
    resident, data = int(pages[1]), int(pages[5])
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (mib * MIB + (data - resident) * resource.getpagesize(), hard))


@cache
def _open_statm() -> int:
    """The open statm file; each document reads it."""
    return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)


class Guard:
    """Python's part: an audit hook, which cannot be removed again. ``recognising`` is called when scanned pages are read."""

    def __init__(self, folder: str, recognising: Callable[[], None], tables: str = "") -> None:
        self._folder, self._recognising = folder, recognising
        self._programs, self._tesseract = _find_programs(), _find_tesseract()
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


def _path_text(path: object) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""


def _path_repr(path: object) -> str:
    return repr(_path_text(path)[-100:])


def _find_programs() -> tuple[str, ...]:
    """The paths of the programs that a parser may start."""
    return tuple(filter(None, (_find_tesseract(), find_pandoc())))


def _find_tesseract() -> str:
    """The path of Tesseract; empty when it is not installed."""
    found = shutil.which(TESSERACT)
    return os.path.realpath(found) if found else ""
