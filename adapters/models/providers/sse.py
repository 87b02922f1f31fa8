"""Server-sent events, cut out of a byte stream by hand.

Only what model providers use: ``data`` lines (several of one event are joined by a line feed), LF or CRLF; comments and other fields are
skipped. Bytes are split at line feeds before anything is decoded, so a character cut in two by the network is whole again here.
"""

EVENT_BYTES_MAX = 1_048_576  # a chunk of an answer is under 1 KB; this only stops a stream without line ends


class EventTooLarge(ValueError):
    """An event grew past EVENT_BYTES_MAX."""


class EventSplitter:
    """Feed bytes as they come, get the data of the events that are complete."""

    __slots__ = ("_data", "_held", "_size")

    def __init__(self) -> None:
        self._held = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of each event that ended in ``chunk``; raises EventTooLarge."""
        lines = (self._held + chunk if self._held else chunk).split(b"\n")
        self._held = lines.pop()
        events: list[bytes] = []
        for line in lines:
            self._parse_line(line, events)
        if self._size + len(self._held) > EVENT_BYTES_MAX:
            raise EventTooLarge
        return events

    def finish(self) -> list[bytes]:
        """The last event when the stream ended without its blank line."""
        events: list[bytes] = []
        self._parse_line(self._held, events)
        self._parse_line(b"", events)
        self._held = b""
        return events

    def _parse_line(self, line: bytes, events: list[bytes]) -> None:
        line = line.removesuffix(b"\r")
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            self._size += len(line)
        elif not line and self._data:
            events.append(b"\n".join(self._data))
            self._data.clear()
            self._size = 0
