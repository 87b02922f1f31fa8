"""A child for files and HTML: ``python -m adapters.children.heavy ORDERS``. Starts when it is first needed."""

from collections.abc import Iterator

from adapters.children import process
from adapters.children.protocol import Orders, ParseTask, Reply, Task


class Heavy:
    """Parses; vectors are the light children's."""

    def __init__(self, _orders: Orders) -> None:
        from adapters.children.reading import read  # noqa: PLC0415 - starts threads: after the confinement

        self._read = read

    def perform(self, task: Task) -> Iterator[Reply]:
        """Part of process.Work."""
        assert isinstance(task, ParseTask)
        yield from self._read(task, None)

    def load_more(self) -> None:
        """Part of process.Work: every format, so that the next file does not wait for its own."""
        from adapters.parsing import archive, html, mail, ocr, office, pdf, sheets, slides, tables, word  # noqa: F401, PLC0415


if __name__ == "__main__":
    process.run(Heavy)
