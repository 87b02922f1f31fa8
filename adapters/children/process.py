"""The main loop of every child: confine itself, load, read tasks and write replies, one at a time, until its input ends.

It dies with its parent whatever happens, and an error that is not a refusal ends it: its parent then knows which document did that.
"""

import os
import select
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import msgspec

from adapters.children import confinement
from adapters.children.guard import Guard
from adapters.children.protocol import (
    CHUNKS_PER_FRAME,
    FRAME_BYTES_MAX,
    HEADER,
    ChildMessage,
    ChildOptions,
    ChunkFrame,
    CrashReport,
    OcrStarted,
    ParseBatch,
    ParseTask,
    Ready,
    Task,
    TaskRefusal,
    encode_frame,
    task_decoder,
)
from adapters.parsing.core.programs import LIBREOFFICE_PROFILE
from schemas.documents import Chunk
from schemas.errors import Refused

IDLE_S = 1.5  # without a task: then the rarely needed modules are loaded, too
CRASH_DETAIL_CHARS_MAX = 300


class TaskHandler(Protocol):
    """The work of one kind of child."""

    def perform(self, task: Task) -> Iterator[ChildMessage]:
        """The answer, parts first. Raises Refused."""
        ...

    def load_more(self) -> None:
        """Load what few tasks need and takes long; called once, in a thread, when the child is idle."""
        ...


def run(load: Callable[[ChildOptions], TaskHandler]) -> None:
    """Run a child; ``load`` is called after confinement and may import vendors' modules."""
    options = msgspec.json.decode(sys.argv[1], type=ChildOptions)
    in_force = confinement.confine(options)
    speaker = _ReplyWriter(os.dup(1))
    os.dup2(2, 1)  # a library that prints must not break the frames
    sys.excepthook = speaker.report_crash
    work = load(options)
    Guard(options.folder, lambda: _begin_ocr(speaker, options), options.tables)
    speaker.write(Ready(in_force))
    with os.fdopen(0, "rb", buffering=0, closefd=False) as tasks:
        _serve(tasks, speaker, work, options)


def chunk_frames(chunks: list[Chunk]) -> Iterator[ChunkFrame]:
    """Chunks as frames of bounded size."""
    for first in range(0, len(chunks), CHUNKS_PER_FRAME):
        yield ChunkFrame(chunks[first : first + CHUNKS_PER_FRAME])


class _ReplyWriter:
    """Writes replies to the pipe; thread-safe, because recognition may begin in any thread."""

    def __init__(self, pipe: int) -> None:
        self._pipe, self._lock = pipe, threading.Lock()

    def write(self, reply: ChildMessage) -> None:
        data = encode_frame(reply)
        if len(data) > FRAME_BYTES_MAX:
            raise Refused("document_too_complex", f"one piece of what came out of it has {len(data):,} bytes")
        with self._lock:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._pipe, rest) :]

    def report_crash(self, kind: type[BaseException], error: BaseException, trace: object) -> None:
        """Report the error that ends this process, to its parent and to the log."""
        self.write(CrashReport(f"{kind.__name__}: {error}"[:CRASH_DETAIL_CHARS_MAX]))
        sys.__excepthook__(kind, error, trace)  # type: ignore[arg-type]


def _serve(tasks: BinaryIO, speaker: _ReplyWriter, work: TaskHandler, options: ChildOptions) -> None:
    loading = False
    while True:
        if not loading and not select.select([tasks], [], [], IDLE_S)[0]:
            # in a thread: a task that arrives meanwhile does not wait for modules that it does not need
            threading.Thread(target=work.load_more, daemon=True).start()
            loading = True
        header = _read_exactly(tasks, HEADER.size)
        if not header:
            return
        _perform(task_decoder.decode(_read_exactly(tasks, HEADER.unpack(header)[0])), speaker, work, options)


def _perform(task: Task, speaker: _ReplyWriter, work: TaskHandler, options: ChildOptions) -> None:
    if isinstance(task, ParseTask | ParseBatch):
        confinement.allow_cpu(options.cpu_s)
        confinement.allow_memory(options.memory_mib)
    answer: ChildMessage
    try:
        for answer in work.perform(task):
            if isinstance(answer, ChunkFrame):
                speaker.write(answer)
    except Refused as refusal:
        answer = TaskRefusal(refusal.code, refusal.detail)
    except MemoryError:
        answer = TaskRefusal("document_too_complex", f"it takes more than {options.memory_mib:,} MiB (CLAW_DOCUMENT_PARSE_MEMORY_MIB)")
    if isinstance(task, ParseTask):
        _empty_folder(options.folder)  # before the answer: after it, the next document may be there
    speaker.write(answer)


def _begin_ocr(speaker: _ReplyWriter, options: ChildOptions) -> None:
    confinement.allow_cpu(options.ocr_cpu_s)
    confinement.allow_memory(max(options.memory_mib, options.ocr_memory_mib))
    speaker.write(OcrStarted())


def _empty_folder(folder: str) -> None:
    """Remove what one document left, so that the next cannot see it. LibreOffice, once loaded, cannot work without its profile."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == LIBREOFFICE_PROFILE:
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)  # noqa: PTH108


def _read_exactly(source: BinaryIO, count: int) -> bytes:
    """Exactly ``count`` bytes, or none when the input has ended."""
    read = bytearray()
    while len(read) < count:
        part = source.read(count - len(read))
        if not part:
            return b""
        read += part
    return bytes(read)
