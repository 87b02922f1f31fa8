"""A child for files and HTML: ``python -m adapters.children.file_child OPTIONS``. Starts when it is first needed."""

import importlib
from collections.abc import Iterator

from adapters.children import process
from adapters.children.protocol import ChildMessage, ChildOptions, ParseTask, Task
from adapters.parsing.elements.offline import load_partitioner

FORMATS = (
    *("containers.archive", "containers.mail", "containers.outlook", "markup.delimited", "markup.html", "markup.xml_records"),
    *("office.slides", "office.word", "office.workbook", "pdf.document", "elements.converted"),
)


class FileChild:
    """Parses; vectors are computed by the text children."""

    def __init__(self, _options: ChildOptions) -> None:
        from adapters.children.document_reader import read_document  # noqa: PLC0415 - starts threads: after the confinement

        self._read = read_document

    def perform(self, task: Task) -> Iterator[ChildMessage]:
        """Part of process.TaskHandler."""
        assert isinstance(task, ParseTask)
        yield from self._read(task, None)

    def load_more(self) -> Iterator[None]:
        """Part of process.TaskHandler: the parsers of all formats, so that the next file does not wait for its own."""
        for name in FORMATS:
            importlib.import_module(f"adapters.parsing.{name}")
            yield
        load_partitioner("html", "partition_html")  # last: it takes as long as all the others


if __name__ == "__main__":
    process.run(FileChild)
