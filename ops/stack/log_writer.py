"""The process that writes the logs of a stack: it reads what the parts print from pipes, and is the only writer of the files.

So a full file is renamed between two writes, and no line is lost; copying a file that somebody else appends to, and truncating it, loses
what comes in between. It lives longer than a supervisor that is killed: it ends when the last part has closed its pipe, and everything is
written. Run by path, with the standard library alone, because it stays in memory beside the parts.
"""

import contextlib
import os
import selectors
import signal
import sys
from pathlib import Path

READ_BYTES = 65_536  # of one pipe at a time


class RotatingLog:
    """A log file of at most ``bytes_max``, and at most ``older_max`` full ones before it: ``name.log.1`` is the newest of them.

    Files end with a whole line, except where one line is longer than a file. What cannot be written is counted, and the log says so as
    soon as it can be written again: a full disk must not stop the part that prints.
    """

    def __init__(self, path: Path, bytes_max: int, older_max: int) -> None:
        self._path, self._bytes_max, self._older_max = path, bytes_max, older_max
        self._file = -1
        self._size = 0
        self._is_line_start = True
        self._lost_bytes = 0

    def write(self, data: bytes) -> None:
        """Append; starts another file where this one is full."""
        if self._lost_bytes:
            notice = f"claw: {self._lost_bytes} bytes of this log could not be written\n".encode()
            if self._append(notice) == len(notice):
                self._lost_bytes = 0
        while data:
            cut = self._fitting(data)
            if cut == 0 and not self._rotate():
                cut = len(data)  # rather a file too large than lines that are lost
            written = self._append(data[:cut])
            if written < cut:
                self._lost_bytes += len(data) - written
                return
            data = data[cut:]

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _fitting(self, data: bytes) -> int:
        """How many of these bytes belong into the present file."""
        if self._file < 0 and not self._open():
            return len(data)
        room = max(0, self._bytes_max - self._size)
        if len(data) <= room:
            return len(data)
        lines = data.rfind(b"\n", 0, room) + 1
        if lines or (self._is_line_start and self._size):
            return lines
        return room  # the line began in this file, or is longer than one

    def _open(self) -> bool:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._size = os.fstat(self._file).st_size
        except OSError:
            return False
        return True

    def _append(self, data: bytes) -> int:
        """The number of bytes that were written."""
        done = 0
        if self._file >= 0 or self._open():
            with contextlib.suppress(OSError):
                while done < len(data):
                    done += os.write(self._file, memoryview(data)[done:])
        if done:
            self._size += done
            self._is_line_start = data[done - 1] == ord("\n")
        return done

    def _rotate(self) -> bool:
        """Rename the files; False when that fails, and the present one goes on."""
        try:
            for number in range(self._older_max, 0, -1):
                source = self._numbered(number - 1) if number > 1 else self._path
                with contextlib.suppress(FileNotFoundError):
                    source.replace(self._numbered(number))
            self._remove_beyond()
        except OSError:
            return False
        self.close()
        self._size, self._is_line_start = 0, True
        return True

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _remove_beyond(self) -> None:
        """Older files that a smaller limit leaves."""
        for path in self._path.parent.glob(f"{self._path.name}.*"):
            number = path.suffix.removeprefix(".")
            if number.isdecimal() and int(number) > self._older_max:
                path.unlink(missing_ok=True)


def write_logs(pipes: dict[int, RotatingLog]) -> None:
    """Write what comes through each pipe, until all are closed."""
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                if data := os.read(key.fd, READ_BYTES):
                    pipes[key.fd].write(data)
                else:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    pipes[key.fd].close()


def main(arguments: list[str]) -> None:
    """``BYTES_MAX OLDER_MAX FD:PATH ...``."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with the parts, never before them
    bytes_max, older_max, *logs = arguments
    pairs = (each.split(":", 1) for each in logs)
    write_logs({int(pipe): RotatingLog(Path(path), int(bytes_max), int(older_max)) for pipe, path in pairs})


if __name__ == "__main__":
    main(sys.argv[1:])
