"""Measures of confinement: their names, and which of them the full set has."""

from collections.abc import Collection

import structlog
from prometheus_client import Gauge

log = structlog.get_logger(__name__)

NAMESPACES = "namespaces"  # own user, network and IPC namespaces
CAPABILITIES = "capabilities"  # none is left
NO_NEW_PRIVS = "no_new_privs"  # a program that it starts gains none either
SECCOMP = "seccomp"  # system calls that no parser needs fail
LANDLOCK = "landlock"  # files: those of Python, of the system's libraries, of one folder
LANDLOCK_NETWORK = "landlock_network"  # no TCP
LANDLOCK_SCOPES = "landlock_scopes"  # no abstract Unix sockets, no signals to others
LIMITS = "limits"  # CPU time, memory, file sizes, open files, processes

MEASURES = (NAMESPACES, CAPABILITIES, NO_NEW_PRIVS, SECCOMP, LANDLOCK, LANDLOCK_NETWORK, LANDLOCK_SCOPES, LIMITS)
NEWER = frozenset({LANDLOCK_NETWORK, LANDLOCK_SCOPES})  # where the kernel has them; seccomp refuses sockets and signals without them
FULL_SET = tuple(measure for measure in MEASURES if measure not in NEWER)
SETTING = "CLAW_PARSE_CONFINEMENT"
# what a child could do without the measure, and what to change
RISKS = {
    NAMESPACES: "it shares the machine's network (allow unprivileged user namespaces: sysctl user.max_user_namespaces, "
    "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns; in a container, a seccomp profile with unshare)",
    CAPABILITIES: "it keeps the privileges of its user (run the worker as another user than root)",
    NO_NEW_PRIVS: "a program with the set-user-ID bit would gain privileges (use Linux)",
    SECCOMP: "it may use every system call (use a kernel with CONFIG_SECCOMP_FILTER on x86_64 or aarch64)",
    LANDLOCK: "native code can read the files of the worker's user (use Linux from 5.13 with landlock in /sys/kernel/security/lsm; in a "
    "container, a seccomp profile with landlock_create_ruleset)",
    LIMITS: "one document can take all memory or CPU time (use Linux)",
}

IN_FORCE = Gauge("claw_parser_confinement", "Measures that confine the parsers of this worker: 1 in force, 0 not.", ("measure",))


def report_confinement(mode: str, in_force: Collection[str]) -> None:
    """Say in log and metrics what confines the parsers of this process."""
    for measure in MEASURES:
        IN_FORCE.labels(measure).set(measure in in_force)
    lacking = missing(in_force)
    said = {"mode": mode, "in_force": " ".join(in_force), "missing": " ".join(each for each in MEASURES if each not in in_force)}
    if mode == "off":
        log.warning("parser_confinement", **said, risk=f"the kernel does not confine parsers ({SETTING}=off)")
    elif lacking:
        log.warning("parser_confinement", **said, risk=describe_risks(lacking))
    else:
        log.info("parser_confinement", **said)


def missing(in_force: Collection[str]) -> tuple[str, ...]:
    """The measures of the full set that are not in force."""
    return tuple(measure for measure in FULL_SET if measure not in in_force)


def describe_risks(lacking: Collection[str]) -> str:
    """What a child could do without these measures."""
    return "; ".join(f"without {measure} {RISKS[measure]}" for measure in lacking)
