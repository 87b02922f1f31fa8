"""Confinement by the kernel: the rights a child gives up before it parses an untrusted document.

No network, no capabilities, no system calls that no parser needs, no files but those of Python, of the system's libraries and of one
folder, no programs but two, limits on CPU time, memory, files and processes. ``guard`` does the same again in Python, with a name for each
refusal. Not every kernel and container offers every measure: ``measures`` has their names, and a child reports which are in force.
"""

import ctypes
import mimetypes
import os
import resource
import shutil
import signal
import struct
import sys
from functools import cache
from pathlib import Path

from adapters.children import landlock, measures, seccomp
from adapters.children.protocol import ChildOptions
from adapters.parsing.core.programs import find_pandoc

PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 1, 24, 38, 47, 4
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
CAPABILITY_VERSION_3 = 0x20080522
CAPABILITIES_MAX = 64  # more than any kernel has; the first that it does not know ends the loop
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")
OOM_SCORE = "500"  # when the machine runs out of memory, the kernel ends a parser first
MIB = 1024 * 1024
FILE_BYTES_MAX = 512 * MIB  # of a file it writes: page images for Tesseract
FILES_MAX = 256  # open at once
THREADS_MAX = 256  # of a child and its programs, where it has a user namespace: elsewhere all processes of the user would count
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


def confine(options: ChildOptions) -> tuple[str, ...]:
    """Give up every right that this kernel lets a process give up, and return the measures in force.

    Call it before a thread is started. The process ends with its parent. With ``off`` only the limits are set.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    sys.dont_write_bytecode = True
    os.nice(options.niceness)
    in_force: list[str] = []
    if sys.platform == "linux":
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
        if options.batch or options.idle:
            os.sched_setscheduler(0, os.SCHED_IDLE if options.idle else os.SCHED_BATCH, os.sched_param(0))
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if options.confinement != "off":
            in_force += _take_measures(libc, options)
    if os.getppid() != options.parent:
        sys.exit(1)
    lower_limit(resource.RLIMIT_CORE, 0)
    lower_limit(resource.RLIMIT_FSIZE, FILE_BYTES_MAX)
    lower_limit(resource.RLIMIT_NOFILE, FILES_MAX)
    lower_limit(resource.RLIMIT_AS, max(ADDRESS_SPACE_MIB_MIN, 4 * max(options.memory_mib, options.ocr_memory_mib)) * MIB)
    if measures.NAMESPACES in in_force:
        lower_limit(resource.RLIMIT_NPROC, THREADS_MAX)
    return (*in_force, *((measures.LIMITS,) if sys.platform == "linux" else ()))


def _take_measures(libc: ctypes.CDLL, options: ChildOptions) -> list[str]:
    """The kernel's measures, in an order in which none forbids the next; those in force."""
    in_force = []
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0:  # a container may forbid it
        in_force.append(measures.NAMESPACES)
    if _drop_capabilities(libc):  # within a new user namespace a process has all of them
        in_force.append(measures.CAPABILITIES)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        in_force.append(measures.NO_NEW_PRIVS)
    ruleset = landlock.create_ruleset(libc, parser_paths(options.folder, options.tables, programs=options.programs))
    if ruleset is not None:
        if ruleset.enforce(libc):
            in_force.append(measures.LANDLOCK)
            in_force += [measures.LANDLOCK_NETWORK] if ruleset.covers_network else []
            in_force += [measures.LANDLOCK_SCOPES] if ruleset.covers_scopes else []
        os.close(ruleset.descriptor)
    denials = [*seccomp.PARSER_DENIALS, *seccomp.LIFE_DENIALS]
    denials += () if options.programs else seccomp.PROGRAM_DENIALS
    denials += () if measures.LANDLOCK_SCOPES in in_force else seccomp.signal_denials(os.getpid())
    if seccomp.deny(libc, denials):
        in_force.append(measures.SECCOMP)
    return in_force


def _drop_capabilities(libc: ctypes.CDLL) -> bool:
    """Whether none is left, as the kernel says."""
    for number in range(CAPABILITIES_MAX):
        if libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            break
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    libc.capset(struct.pack("=Ii", CAPABILITY_VERSION_3, 0), bytes(24))
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return all(int(status[name], 16) == 0 for name in CAPABILITY_SETS)


def parser_paths(folder: str, tables: str = "", *, programs: bool = True) -> landlock.AllowedPaths:
    """The paths that a parser needs; ``tables`` is the folder of static embeddings, for a child that encodes."""
    packages = [module for name, module in tuple(sys.modules.items()) if "." not in name]
    imported = [os.path.realpath(path) for package in packages for path in getattr(package, "__path__", ())]
    given = [path for name in FOLDER_VARIABLES for path in os.environ.get(name, "").split(os.pathsep) if path]
    executed = find_programs() if programs else ()
    return landlock.AllowedPaths(
        read=(sys.prefix, sys.base_prefix, *imported, *given, *filter(None, (tables,)), *SYSTEM_PATHS, *map(str, mimetypes.knownfiles)),
        listed=tuple(path for path in sys.path if path),
        written=(folder, os.devnull),
        executed=(*executed, *LIBRARY_FOLDERS) if executed else (),
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


def find_programs() -> tuple[str, ...]:
    """The paths of the programs that a parser may start."""
    return tuple(filter(None, (find_tesseract(), find_pandoc())))


def find_tesseract() -> str:
    """The path of Tesseract; empty when it is not installed."""
    found = shutil.which(TESSERACT)
    return os.path.realpath(found) if found else ""
