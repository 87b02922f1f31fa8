"""A child for files and HTML: ``python -m adapters.children.file_child ORDERS``. Starts when it is first needed."""

import importlib
from collections.abc import Iterator

from adapters.children import process
from adapters.children.protocol import ChildMessage, ChildOptions, ParseTask, Task

FORMATS = (
    *("containers.archive", "containers.mail", "markup.delimited", "markup.html"),
    *("office.slides", "office.word", "office.workbook", "pdf.document"),
)


class FileChild:
    """Parses; vectors are the light children's."""

    def __init__(self, _orders: ChildOptions) -> None:
        from adapters.children.document_reader import read_document  # noqa: PLC0415 - starts threads: after the confinement

        self._read = read_document

    def perform(self, task: Task) -> Iterator[ChildMessage]:
        """Part of process.TaskHandler."""
        assert isinstance(task, ParseTask)
        yield from self._read(task, None)

    def load_more(self) -> None:
        """Part of process.TaskHandler: every format, so that the next file does not wait for its own."""
        for name in FORMATS:
            importlib.import_module(f"adapters.parsing.{name}")


if __name__ == "__main__":
    process.run(FileChild)
