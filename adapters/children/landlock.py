"""Landlock: the kernel's own sandbox for processes without privileges (Linux 5.13; TCP since 6.7). See landlock(7).

Python has no binding for it. What this kernel does not know is left out: the rest of the confinement then stands alone.
"""

import ctypes
import os
from contextlib import suppress
from dataclasses import dataclass

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system call numbers, the same on every architecture
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE, MAKE = 1 << 4 | 1 << 5, sum(1 << bit for bit in range(6, 13))
REFER, TRUNCATE = 1 << 13, 1 << 14  # since ABI 2 and 3
REFER_ABI, TRUNCATE_ABI, NETWORK_ABI = 2, 3, 4
BIND_TCP_CONNECT_TCP = 1 << 0 | 1 << 1
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE  # the rights that apply to a path that is not a folder


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedPaths:
    """Allowed paths, with everything beneath a folder. ``listed`` folders may be listed and no more.

    ``executed`` paths are readable as well: to start a program is to read it.
    """

    read: tuple[str, ...]
    listed: tuple[str, ...]
    written: tuple[str, ...]
    executed: tuple[str, ...]


def restrict(libc: ctypes.CDLL, allowed: AllowedPaths) -> bool:
    """From now on this thread and its children use no TCP and no other files.

    Needs PR_SET_NO_NEW_PRIVS. False: this kernel has no Landlock, or it is off.
    """
    abi = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION)
    if abi < 1:
        return False
    write = WRITE_FILE | REMOVE | MAKE
    write |= (REFER if abi >= REFER_ABI else 0) | (TRUNCATE if abi >= TRUNCATE_ABI else 0)
    read = READ_FILE | READ_DIR
    wanted = _Ruleset(read | write | EXECUTE, BIND_TCP_CONNECT_TCP)
    size = ctypes.sizeof(wanted) if abi >= NETWORK_ABI else ctypes.sizeof(ctypes.c_uint64)
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    rights = ((allowed.read, read), (allowed.listed, READ_DIR), (allowed.written, read | write), (allowed.executed, EXECUTE | READ_FILE))
    try:
        for paths, right in rights:
            for path in paths:
                _allow(libc, ruleset, path, right)
        return bool(libc.syscall(RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    with suppress(OSError):  # the path does not exist here
        folder = os.path.isdir(path)  # noqa: PTH112
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = _PathBeneath(rights if folder else rights & OF_FILES, descriptor)
            libc.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(descriptor)
