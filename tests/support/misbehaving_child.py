"""A heavy child whose documents are orders to do harm: what a hostile file would make a parser do. Started by tests only."""

import ctypes
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec.structs import replace

from adapters.children import confinement, process, seccomp
from adapters.children.protocol import ChildMessage, ChildOptions, ChunkFrame, ParseSummary, ParseTask, Task
from adapters.parsing.core.source import OCR_EVENT
from schemas.documents import Chunk

MIB = 1024 * 1024
AF_INET, SOCK_STREAM = 2, 1
DENIED = "DENIED_CALLS"


class Misbehaving:
    """Does what ``source.text`` says with ``source.filename``, and answers with what came of it."""

    def __init__(self, options: ChildOptions) -> None:
        self._folder = Path(options.folder)
        self._is_damaged = False
        self._does: dict[str, Callable[[str], object]] = {
            "answer": lambda word: word,
            "hog": lambda mib: len([bytearray(MIB) for _ in range(int(mib))]),
            "hog_outside_the_interpreter": _hog_natively,
            "burn": lambda _: next(n for n in iter(int, 1) if n),
            "sleep": lambda seconds: time.sleep(float(seconds)),
            "segfault": lambda _: ctypes.string_at(0),
            "raise": lambda word: dict[str, str]()[word],
            "damage": lambda _: setattr(self, "_is_damaged", True),
            "connect": lambda port: socket.create_connection(("127.0.0.1", int(port)), 2),
            "connect_natively": _connect_natively,
            "resolve": lambda name: socket.getaddrinfo(name, 80),
            "read": lambda path: Path(path).read_text(),
            "read_natively": lambda path: ctypes.CDLL(None).open(path.encode(), os.O_RDONLY),
            "write": lambda path: Path(path).write_text("escaped"),
            "write_natively": _write_natively,
            "write_inside": lambda name: (self._folder / name).write_text("fine"),
            "remove": lambda path: Path(path).unlink(),
            "start": lambda program: subprocess.run([program], check=False),
            "start_natively": lambda command: ctypes.CDLL(None).system(command.encode()),
            "left_behind": lambda _: sorted(self._folder.iterdir()),
            "spin": _spin,
            "call_natively": _call_natively,
            "fork_natively": _fork_natively,
            "signal": lambda pid: os.kill(int(pid), 0),
            "signal_natively": lambda pid: ctypes.CDLL(None).kill(int(pid), 0),
            "status": lambda name: next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)),
            "recognise": lambda seconds: self._recognise(float(seconds)),
            "read_pictures": lambda seconds: _begin_ocr(lambda: time.sleep(float(seconds))),
            "hog_for_pictures": lambda mib: _begin_ocr(lambda: len([bytearray(MIB) for _ in range(int(mib))])),
        }

    def perform(self, task: Task) -> Iterator[ChildMessage]:
        assert isinstance(task, ParseTask)
        if self._is_damaged:
            ctypes.string_at(0)
        if task.source.text == "flood":
            yield from (ChunkFrame([Chunk(ordinal=n, text="x" * MIB)]) for n in range(1_000_000))
        if task.source.path:
            task = replace(task, source=replace(task.source, text="answer", filename=Path(task.source.path).read_text()))
        text = str(self._does[task.source.text](task.source.filename))
        yield from process.chunk_frames([Chunk(ordinal=0, text=text)])
        yield ParseSummary(title="", media_type="text/plain", chars=len(text), notes=(), vectors=[])

    def load_more(self) -> None:
        pass

    @staticmethod
    def _recognise(seconds: float) -> str:
        try:
            subprocess.run(["tesseract", "--version"], check=True, capture_output=True)
        finally:
            time.sleep(seconds)
        return "recognised"


def _begin_ocr(then: Callable[[], object]) -> object:
    sys.audit(OCR_EVENT)
    return then()


def _spin(seconds: str) -> float:
    until = time.process_time() + float(seconds)
    while time.process_time() < until:
        pass
    return until


def _hog_natively(mib: str) -> int:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    taken = 0
    for _ in range(int(mib)):
        block = libc.malloc(ctypes.c_size_t(MIB))
        if not block:
            os.abort()  # as a native library does that cannot go on
        ctypes.memset(block, 1, MIB)
        taken += 1
    return taken


def _connect_natively(port: str) -> int:
    """Around Python: what the kernel itself must refuse. 0 is a connection."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.socket(AF_INET, SOCK_STREAM, 0)
    address = AF_INET.to_bytes(2, sys.byteorder) + int(port).to_bytes(2, "big") + bytes((127, 0, 0, 1)) + bytes(8)
    return int(libc.connect(descriptor, address, len(address)))


def _call_natively(name: str) -> str:
    """The error of a system call with arguments that do nothing where it is allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = seccomp.NUMBERS[name][seccomp.ARCHITECTURES[os.uname().machine][1]]
    done = libc.syscall(number, *map(ctypes.c_long, (-1,) * 6))
    return errno.errorcode[ctypes.get_errno()] if done == -1 else "done"


def _fork_natively(count: str) -> int:
    """Processes that do nothing, and the time to notice them."""
    libc = ctypes.CDLL(None, use_errno=True)
    for made in range(int(count)):
        if (pid := libc.fork()) < 0:
            return made
        if pid == 0:
            time.sleep(60)
            os._exit(0)
    time.sleep(5)
    return int(count)


def _deny_before_confinement(names: str) -> None:
    """The machine as another kernel or a container's seccomp profile has it: these calls fail before the child confines itself."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(confinement.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    denials = [seccomp.Denial(name) for name in names.split() if name != "seccomp"]
    if "seccomp" in names.split():
        denials.append(seccomp.Denial("prctl", errno.EINVAL, test="equals", value=seccomp.PR_SET_SECCOMP))
    assert seccomp.deny(libc, denials)


def _write_natively(path: str) -> int:
    """Around Python. Below 0: refused."""
    return int(ctypes.CDLL(None).open(path.encode(), os.O_WRONLY | os.O_CREAT, 0o600))


if __name__ == "__main__":
    if denied := os.environ.get(DENIED):
        _deny_before_confinement(denied)
    process.run(Misbehaving)
