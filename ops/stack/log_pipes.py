"""The pipes through which the parts of a stack print, and the process at their end that writes the logs."""

import asyncio
import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.stack import log_writer
from schemas.errors import ConfigurationError

PIPE_BYTES = 262_144  # what a part may print while the writer is restarted; then it waits
CLOSE_S = 5.0  # for the writer to write the rest
CLOSE_LOOK_S = 0.02


class LogPipes:
    """A pipe for each log file. This process keeps both ends open: a part may be started again, and when the writer dies its successor
    reads on from the same pipes; no part gets an error, and only what the dead one had in its hands, at most 64 KiB, is lost.
    """

    def __init__(self, paths: Sequence[Path], environ: Mapping[str, str], *, bytes_max: int, older_max: int) -> None:
        self._pipes = {path: os.pipe() for path in paths}
        self._environ, self._limits = environ, (str(bytes_max), str(older_max))
        for read_end, _ in self._pipes.values():
            with contextlib.suppress(AttributeError, OSError):  # only Linux has the command, and it has a limit per user
                fcntl.fcntl(read_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._process = self._start()

    @property
    def pid(self) -> int:
        """The writer's process id."""
        return self._process.pid

    def output(self, path: Path) -> int:
        """The file descriptor to print to."""
        return self._pipes[path][1]

    def ensure_writer(self) -> bool:
        """Start another writer when the last one has died; True if that was so. Raises ConfigurationError when it cannot be started."""
        if self._process.poll() is None:
            return False
        self._process = self._start()
        return True

    async def close(self) -> None:
        """Wait until everything is written, after the last part has ended; bounded, as others may have inherited a pipe."""
        for ends in self._pipes.values():
            for end in ends:
                os.close(end)
        self._pipes.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while self._process.poll() is None:  # noqa: ASYNC110 - a process's end is no event of this loop
                    await asyncio.sleep(CLOSE_LOOK_S)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        """In a session of its own and tied to nobody: it outlives a supervisor that is killed, until everything is written."""
        reads = {read_end: path for path, (read_end, _) in self._pipes.items()}
        try:
            return subprocess.Popen(  # noqa: S603 - our own command line, no shell
                (sys.executable, "-I", "-S", log_writer.__file__, *self._limits, *(f"{end}:{path}" for end, path in reads.items())),
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=tuple(reads),
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigurationError(f"cannot run {sys.executable}: {error.strerror}") from error
