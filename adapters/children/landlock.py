"""Landlock: the kernel's own sandbox for processes without privileges (Linux 5.13; TCP since 6.7, scopes since 6.12). See landlock(7).

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
REFER, TRUNCATE, IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
REFER_ABI, TRUNCATE_ABI, NETWORK_ABI, IOCTL_ABI, SCOPES_ABI = 2, 3, 4, 5, 6
BIND_TCP_CONNECT_TCP = 1 << 0 | 1 << 1
SCOPE_ABSTRACT_SOCKETS_SIGNALS = 1 << 0 | 1 << 1
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE  # the rights that apply to a path that is not a folder


class _Attributes(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


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


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A ruleset of the kernel, an open descriptor; ``abi`` says what it covers. Each ``enforce`` makes a domain within the present one."""

    descriptor: int
    abi: int

    @property
    def covers_network(self) -> bool:
        """No TCP."""
        return self.abi >= NETWORK_ABI

    @property
    def covers_scopes(self) -> bool:
        """No abstract Unix sockets and no signals to processes outside of the domain."""
        return self.abi >= SCOPES_ABI

    def enforce(self, libc: ctypes.CDLL) -> bool:
        """From now on this thread and its children use nothing else. Needs PR_SET_NO_NEW_PRIVS."""
        return bool(libc.syscall(RESTRICT_SELF, self.descriptor, 0) == 0)


def create_ruleset(libc: ctypes.CDLL, allowed: AllowedPaths) -> Ruleset | None:
    """The rules for these paths; None where the kernel has no Landlock, or it is off."""
    abi = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION)
    if abi < 1:
        return None
    write = WRITE_FILE | REMOVE | MAKE
    write |= (REFER if abi >= REFER_ABI else 0) | (TRUNCATE if abi >= TRUNCATE_ABI else 0)
    read = READ_FILE | READ_DIR
    device = IOCTL_DEVICE if abi >= IOCTL_ABI else 0  # of no path: nothing here is a device but /dev/null and the like
    attributes = _Attributes(read | write | EXECUTE | device, BIND_TCP_CONNECT_TCP, SCOPE_ABSTRACT_SOCKETS_SIGNALS)
    fields = 3 if abi >= SCOPES_ABI else 2 if abi >= NETWORK_ABI else 1
    descriptor = libc.syscall(CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(fields * ctypes.sizeof(ctypes.c_uint64)), 0)
    if descriptor < 0:
        return None
    rights = ((allowed.read, read), (allowed.listed, READ_DIR), (allowed.written, read | write), (allowed.executed, EXECUTE | READ_FILE))
    for paths, right in rights:
        for path in paths:
            _allow(libc, descriptor, path, right)
    return Ruleset(descriptor, abi)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    with suppress(OSError):  # the path does not exist here
        folder = os.path.isdir(path)  # noqa: PTH112
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = _PathBeneath(rights if folder else rights & OF_FILES, descriptor)
            libc.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(descriptor)
