"""A child: ``python -m adapters.children.main PARENT_PID DENSE NICE``. Reads tasks, writes replies, one at a time, until its input ends.

It dies with its parent whatever happens, and an error that is not a refusal ends it: its parent then knows which document did that.
"""

import ctypes
import os
import resource
import select
import signal
import sys
import threading
from typing import BinaryIO

import numpy as np

from adapters.children.protocol import HEADER, Chunked, Declined, Encoded, EncodeTask, ParseTask, Ready, Reply, Task, frame, task_decoder
from adapters.embedders.local import LocalModel
from adapters.parsing import chunk, parse
from adapters.parsing import html as html_parsing
from adapters.sparse import Bm25Encoder, pack
from schemas.errors import Refused

ADDRESS_SPACE_BYTES_MAX = 8 * 1024**3  # a bomb ends this child, not the machine
IDLE_S = 1.5  # then the HTML parser is loaded, so that the first page does not wait for it
PR_SET_PDEATHSIG = 1


class TextEncoder:
    """Vectors of texts as this child makes them."""

    def __init__(self, *, dense: bool) -> None:
        self._bm25 = Bm25Encoder()
        self._model = LocalModel() if dense else None

    def encode(self, task: EncodeTask) -> Encoded:
        dense = self._model.embed(task.texts) if self._model else np.empty((len(task.texts), 0), np.float32)
        return Encoded([pack(self._bm25.encode_document(text), vector) for text, vector in zip(task.texts, dense, strict=True)])


def main() -> None:
    parent, dense, nice = int(sys.argv[1]), sys.argv[2] == "dense", int(sys.argv[3])
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    os.nice(nice)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES_MAX, ADDRESS_SPACE_BYTES_MAX))
    with os.fdopen(0, "rb", buffering=0, closefd=False) as tasks, os.fdopen(os.dup(1), "wb", buffering=0) as replies:
        os.dup2(2, 1)  # a library that prints must not break the frames
        encoder = TextEncoder(dense=dense)
        encoder.encode(EncodeTask(["warm up 预热"]))
        _write(replies, Ready())
        _serve(tasks, replies, encoder)


def _serve(tasks: BinaryIO, replies: BinaryIO, encoder: TextEncoder) -> None:
    loading = False
    while True:
        if not loading and not select.select([tasks], [], [], IDLE_S)[0]:
            # beside the work: a text that comes meanwhile must not wait seconds for a parser it does not need
            threading.Thread(target=html_parsing.load, daemon=True).start()
            loading = True
        header = _read(tasks, HEADER.size)
        if not header:
            return
        body = _read(tasks, HEADER.unpack(header)[0])
        _write(replies, _perform(task_decoder.decode(body), encoder))


def _perform(task: Task, encoder: TextEncoder) -> Reply:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        if isinstance(task, ParseTask):
            parsed = parse(task.media_type, task.text)
            chunks = chunk(
                parsed, title=parsed.title, target_tokens=task.target_tokens, max_tokens=task.max_tokens, chunks_max=task.chunks_max
            )
            return Chunked(parsed.title, chunks, peak)
        return Encoded(encoder.encode(task).vectors, peak)
    except Refused as refusal:
        return Declined(refusal.code, refusal.detail, peak)


def _die_with(parent: int) -> None:
    """The kernel kills this process when its parent ends; a parent that ended before this call is seen by its id."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def _read(source: BinaryIO, count: int) -> bytes:
    """Exactly ``count`` bytes, or nothing when the input ended."""
    parts = bytearray()
    while len(parts) < count:
        part = source.read(count - len(parts))
        if not part:
            return b""
        parts += part
    return bytes(parts)


def _write(target: BinaryIO, reply: Reply) -> None:
    rest = memoryview(frame(reply))
    while rest:
        rest = rest[target.write(rest) :]


if __name__ == "__main__":
    main()
