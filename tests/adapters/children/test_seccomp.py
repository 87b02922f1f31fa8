"""The filter of system calls, run on a machine of our own: the verdict on each call, on both architectures."""

import errno

import pytest

from adapters.children import seccomp
from adapters.children.seccomp import Denial

X86, ARM = "x86_64", "aarch64"


def verdict(program: bytes, machine: str, number: int, *arguments: int) -> int:
    """What the kernel would do: the error, 0 for allowed, -1 for the end of the process."""
    data = {seccomp.NUMBER_AT: number, seccomp.ARCHITECTURE_AT: seccomp.ARCHITECTURES[machine][0]}
    data |= {seccomp.ARGUMENTS_AT + 8 * at: value & 0xFFFFFFFF for at, value in enumerate(arguments)}
    code = list(seccomp.INSTRUCTION.iter_unpack(program))
    at = register = 0
    while True:
        operation, yes, no, value = code[at]
        at += 1
        if operation == seccomp.LOAD:
            register = data[value]
        elif operation == seccomp.RETURN:
            return {seccomp.ALLOW: 0, seccomp.KILL_PROCESS: -1}.get(int(value), int(value) & 0xFFFF)
        else:
            tests = {seccomp.EQUALS: register == value, seccomp.AT_LEAST: register >= value, seccomp.ANY_BIT: bool(register & value)}
            at += yes if tests[operation] else no


@pytest.mark.parametrize("machine", [X86, ARM])
def test_a_parser_has_no_calls_that_reach_outside(machine):
    """Neither with other arguments; what it needs passes."""
    column = seccomp.ARCHITECTURES[machine][1]
    program = seccomp.assemble(seccomp.PARSER_DENIALS, machine)
    for name in ("socket", "ptrace", "mount", "bpf", "io_uring_setup", "keyctl", "perf_event_open", "userfaultfd", "unshare", "setns"):
        assert verdict(program, machine, seccomp.NUMBERS[name][column]) == errno.EPERM
    assert verdict(program, machine, seccomp.NUMBERS["clone3"][column]) == errno.ENOSYS
    clone, limit = seccomp.NUMBERS["clone"][column], seccomp.NUMBERS["prlimit64"][column]
    assert verdict(program, machine, clone, 0x10000000) == errno.EPERM  # CLONE_NEWUSER
    assert verdict(program, machine, clone, seccomp.CLONE_THREAD) == verdict(program, machine, clone, 17) == 0
    assert [verdict(program, machine, limit, pid) for pid in (0, 1)] == [0, errno.EPERM]
    assert verdict(program, machine, {X86: 0, ARM: 63}[machine], 0, 0, 1) == 0  # read


@pytest.mark.parametrize("machine", [X86, ARM])
def test_a_child_without_programs_starts_threads_only(machine):
    """No process by fork, by vfork or by clone, and no program."""
    column = seccomp.ARCHITECTURES[machine][1]
    program = seccomp.assemble(seccomp.PROGRAM_DENIALS, machine)
    clone = seccomp.NUMBERS["clone"][column]
    assert verdict(program, machine, clone, 17) == errno.EPERM
    assert verdict(program, machine, clone, seccomp.CLONE_THREAD | 0x100) == 0
    assert verdict(program, machine, seccomp.NUMBERS["execve"][column]) == errno.EPERM


def test_signals_reach_nobody_else():
    """The process itself may abort."""
    program = seccomp.assemble(seccomp.signal_denials(77), X86)
    for name in ("kill", "tgkill"):
        assert [verdict(program, X86, seccomp.NUMBERS[name][0], pid) for pid in (77, 78, -1)] == [0, errno.EPERM, errno.EPERM]


def test_calls_under_other_numbers_do_not_pass():
    """The x32 ABI repeats every call; another architecture has other numbers."""
    program = seccomp.assemble([Denial("socket")], X86)
    assert verdict(program, X86, seccomp.X32_NUMBERS | 41) == errno.ENOSYS
    foreign = program[: 2 * seccomp.INSTRUCTION.size] + program[2 * seccomp.INSTRUCTION.size :]
    arm = seccomp.assemble([Denial("socket")], ARM)
    assert verdict(foreign, ARM, 41) == verdict(arm, X86, 198) == -1
