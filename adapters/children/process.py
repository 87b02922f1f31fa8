"""The program of every child: confine itself, load, and fork a child per tenant (``fork_server``), which reads tasks and writes replies.

A child dies with its parents whatever happens, and an error that is not a refusal ends it: then it is known which document did that.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import msgspec

from adapters.children import confinement
from adapters.children.folders import empty_folder
from adapters.children.fork_server import ForkServer
from adapters.children.guard import Guard
from adapters.children.protocol import (
    CHUNKS_PER_FRAME,
    FRAME_BYTES_MAX,
    HEADER,
    ChildMessage,
    ChildOptions,
    ChunkFrame,
    CrashReport,
    FileTask,
    OcrStarted,
    ParseBatch,
    Ready,
    Task,
    TaskRefusal,
    encode_frame,
    task_decoder,
)
from adapters.parsing.core.programs import LIBREOFFICE_PROFILE
from schemas.documents import Chunk
from schemas.errors import Refused

CRASH_DETAIL_CHARS_MAX = 300


class TaskHandler(Protocol):
    """The work of one kind of child."""

    def perform(self, task: Task) -> Iterator[ChildMessage]:
        """The answer, parts first. Raises Refused."""
        ...

    def load_more(self) -> Iterator[None]:
        """Load what few tasks need and takes long, a part at a step; the fork server does when it is idle."""
        ...


def run(load: Callable[[ChildOptions], TaskHandler]) -> None:
    """Run a child; ``load`` is called after confinement and may import vendors' modules."""
    options = msgspec.json.decode(sys.argv[1], type=ChildOptions)
    confined = confinement.confine(options)
    os.dup2(2, 1)  # nothing reads the standard output
    work = load(options)
    guard = Guard(options.folder, options.tables)

    def serve(tasks: int, replies: int) -> int:
        confined.narrow()
        speaker = _ReplyWriter(replies)
        guard.install(lambda: _begin_ocr(speaker, options))
        try:
            with os.fdopen(tasks, "rb", buffering=0) as source:
                _serve(source, speaker, work, options)
        except BaseException as error:  # noqa: BLE001 - whatever it is ends this process
            speaker.report_crash(error)
            return 1
        return 0

    ForkServer(options.folder, serve, work.load_more()).run(Ready(confined.measures))


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

    def report_crash(self, error: BaseException) -> None:
        """Report the error that ends this process, to its parent and to the log."""
        self.write(CrashReport(f"{type(error).__name__}: {error}"[:CRASH_DETAIL_CHARS_MAX]))
        traceback.print_exception(error)


def _serve(tasks: BinaryIO, speaker: _ReplyWriter, work: TaskHandler, options: ChildOptions) -> None:
    while header := _read_exactly(tasks, HEADER.size):
        _perform(task_decoder.decode(_read_exactly(tasks, HEADER.unpack(header)[0])), speaker, work, options)


def _perform(task: Task, speaker: _ReplyWriter, work: TaskHandler, options: ChildOptions) -> None:
    if isinstance(task, FileTask | ParseBatch):
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
    if isinstance(task, FileTask):
        # before the answer: after it, the next document may be there. LibreOffice, once loaded, cannot work without its profile
        empty_folder(options.folder, keep=LIBREOFFICE_PROFILE)
    speaker.write(answer)


def _begin_ocr(speaker: _ReplyWriter, options: ChildOptions) -> None:
    confinement.allow_cpu(options.ocr_cpu_s)
    confinement.allow_memory(max(options.memory_mib, options.ocr_memory_mib))
    speaker.write(OcrStarted())


def _read_exactly(source: BinaryIO, count: int) -> bytes:
    """Exactly ``count`` bytes, or none when the input has ended."""
    read = bytearray()
    while len(read) < count:
        part = source.read(count - len(read))
        if not part:
            return b""
        read += part
    return bytes(read)
