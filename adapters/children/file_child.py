"""A child for files and HTML: ``python -m adapters.children.file_child ORDERS``. Starts when it is first needed."""

import importlib
from collections.abc import Iterator

from adapters.children import process
from adapters.children.protocol import Orders, ParseTask, Reply, Task

FORMATS = (
    *("containers.archive", "containers.mail", "markup.delimited", "markup.html"),
    *("office.slides", "office.word", "office.workbook", "pdf.document"),
)


class Heavy:
    """Parses; vectors are the light children's."""

    def __init__(self, _orders: Orders) -> None:
        from adapters.children.document_reader import read  # noqa: PLC0415 - starts threads: after the confinement

        self._read = read

    def perform(self, task: Task) -> Iterator[Reply]:
        """Part of process.Work."""
        assert isinstance(task, ParseTask)
        yield from self._read(task, None)

    def load_more(self) -> None:
        """Part of process.Work: every format, so that the next file does not wait for its own."""
        for name in FORMATS:
            importlib.import_module(f"adapters.parsing.{name}")


if __name__ == "__main__":
    process.run(Heavy)
