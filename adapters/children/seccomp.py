"""seccomp: a filter of system calls that a process lays over itself and its children for good. See seccomp(2).

The filter is a program of the classic BPF machine: compare the number, perhaps one argument, return a verdict. It is assembled here, for
x86_64 and aarch64: the bindings on PyPI need the library libseccomp on the machine and have had no release since January 2021.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
KILL_PROCESS, ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000  # verdicts
LOAD, EQUALS, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # operations: BPF_LD+W+ABS, BPF_JMP+JEQ+K …
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16  # offsets in struct seccomp_data
X32_NUMBERS = 0x40000000  # system calls of the x32 ABI of x86_64: the same calls under other numbers
INSTRUCTION = struct.Struct("=HBBI")
INSTRUCTIONS_MAX = 4096

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}  # AUDIT_ARCH_*, column of NUMBERS
ABSENT = -1
# as in <asm/unistd.h> of x86_64 and of aarch64
NUMBERS: dict[str, tuple[int, int]] = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "kcmp": (312, 272), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "setsid": (112, 157), "setpgid": (109, 154), "prctl": (157, 167), "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "migrate_pages": (256, 238), "move_pages": (279, 239), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "move_mount": (429, 429), "open_tree": (428, 428),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "swapon": (167, 224), "swapoff": (168, 225), "quotactl": (179, 60), "quotactl_fd": (443, 443), "unshare": (272, 97),
    "setns": (308, 268), "clone": (56, 220), "clone3": (435, 435), "fork": (57, ABSENT), "vfork": (58, ABSENT), "execve": (59, 221),
    "execveat": (322, 281), "bpf": (321, 280), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142), "acct": (163, 89),
    "syslog": (103, 116), "iopl": (172, ABSENT), "ioperm": (173, ABSENT), "personality": (135, 92),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "fanotify_init": (300, 262), "vhangup": (153, 58),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171),
    "sethostname": (170, 161), "setdomainname": (171, 162), "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186),
    "mq_open": (240, 180), "modify_ldt": (154, ABSENT), "ioctl": (16, 29), "landlock_create_ruleset": (444, 444),
}  # fmt: skip

CLONE_THREAD, CLONE_NEW = 0x10000, 0x7E020000  # the flags of a thread, and of every kind of namespace (NEWTIME is clone3's alone)
TIOCSTI, TIOCLINUX = 0x5412, 0x541C  # put characters into the input of a terminal
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Denial:
    """A system call that fails with ``error``; with a ``test`` only when its ``argument`` (its low 32 bits) passes it."""

    call: str
    error: int = errno.EPERM
    argument: int = 0
    test: Literal["", "equals", "differs", "has_any", "lacks"] = ""
    value: int = 0


_ALWAYS = (
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "shmget", "semget", "msgget", "mq_open"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_open", "pidfd_getfd", "pidfd_send_signal"),
    *("setsid", "setpgid", "migrate_pages", "move_pages", "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "quotactl", "quotactl_fd", "unshare", "setns"),
    *("bpf", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key", "request_key", "perf_event_open"),
    *("userfaultfd", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "acct", "syslog"),
    *("iopl", "ioperm", "personality", "open_by_handle_at", "name_to_handle_at", "fanotify_init", "vhangup", "settimeofday"),
    *("clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "modify_ldt", "execveat"),
)
# what no parser needs: the network, other processes, mounts, and the parts of the kernel in which most of its weaknesses were found
PARSER_DENIALS = (
    *map(Denial, _ALWAYS),
    Denial("clone3", errno.ENOSYS),  # its flags are behind a pointer; the C library then calls clone
    Denial("clone", test="has_any", value=CLONE_NEW),
    Denial("ioctl", argument=1, test="equals", value=TIOCSTI),
    Denial("ioctl", argument=1, test="equals", value=TIOCLINUX),
    *(Denial(call, test="differs", value=0) for call in ("prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setparam")),
    *(Denial(call, test="differs", value=0) for call in ("sched_setattr",)),
    *(Denial(call, argument=1, test="differs", value=0) for call in ("setpriority", "ioprio_set")),
)
PROGRAM_DENIALS = (
    *map(Denial, ("fork", "vfork", "execve")),
    Denial("clone", test="lacks", value=CLONE_THREAD),
)
LIFE_DENIALS = (Denial("prctl", test="equals", value=PR_SET_PDEATHSIG),)  # it ends with its parent, whatever it wants


def signal_denials(pid: int) -> tuple[Denial, ...]:
    """Signals to any process but ``pid``."""
    to_others = (Denial(call, test="differs", value=pid) for call in ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"))
    return (Denial("tkill"), *to_others)


def deny(libc: ctypes.CDLL, denials: Iterable[Denial]) -> bool:
    """From now on these calls fail in this thread and in everything it starts.

    Needs PR_SET_NO_NEW_PRIVS. False: another architecture, or a kernel without seccomp.
    """
    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        return False
    program = assemble(denials, machine)
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // INSTRUCTION.size, ctypes.addressof(code))
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(head), 0, 0) == 0)


def assemble(denials: Iterable[Denial], machine: str) -> bytes:
    """The program, as an array of struct sock_filter."""
    architecture, column = ARCHITECTURES[machine]
    program = [(LOAD, 0, 0, ARCHITECTURE_AT), (EQUALS, 1, 0, architecture), (RETURN, 0, 0, KILL_PROCESS), (LOAD, 0, 0, NUMBER_AT)]
    if machine == "x86_64":
        program += [(AT_LEAST, 0, 1, X32_NUMBERS), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
    for denial in denials:
        if (number := NUMBERS[denial.call][column]) != ABSENT:
            program += _compare(denial, number)
    program.append((RETURN, 0, 0, ALLOW))
    assert len(program) <= INSTRUCTIONS_MAX
    return b"".join(INSTRUCTION.pack(*instruction) for instruction in program)


def _compare(denial: Denial, number: int) -> Iterator[tuple[int, int, int, int]]:
    refuse = (RETURN, 0, 0, ERRNO | denial.error)
    if not denial.test:
        yield (EQUALS, 0, 1, number)
        yield refuse
        return
    operation = EQUALS if denial.test in ("equals", "differs") else ANY_BIT
    jumps = (0, 1) if denial.test in ("equals", "has_any") else (1, 0)
    yield (EQUALS, 0, 4, number)
    yield (LOAD, 0, 0, ARGUMENTS_AT + 8 * denial.argument)  # little-endian: the low half comes first
    yield (operation, *jumps, denial.value)
    yield refuse
    yield (LOAD, 0, 0, NUMBER_AT)
