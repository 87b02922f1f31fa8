"""A child for inline text and for vectors: ``python -m adapters.children.text_child OPTIONS``. Small and fast."""

from collections.abc import Iterator

from adapters.children import confinement, process
from adapters.children.protocol import ChildMessage, ChildOptions, EncodeResult, EncodeTask, ParseBatch, ParseTask, Task


class TextChild:
    """Parses and encodes."""

    def __init__(self, options: ChildOptions) -> None:
        from adapters.children.document_reader import read_document, read_texts  # noqa: PLC0415
        from adapters.children.text_encoder import TextEncoder  # noqa: PLC0415 - starts threads: after the confinement

        self._read, self._read_texts, self._encoder = read_document, read_texts, TextEncoder(options.tables)
        self._cpu_s = options.cpu_s
        self._encoder.encode(["warm up 预热"], embedding=options.embedding)

    def perform(self, task: Task) -> Iterator[ChildMessage]:
        """Part of process.TaskHandler."""
        if isinstance(task, EncodeTask):
            yield EncodeResult(self._encoder.encode(task.texts, embedding=task.embedding))
        elif isinstance(task, ParseBatch):
            yield self._read_texts(task.tasks, self._encoder, lambda: confinement.allow_cpu(self._cpu_s))
        elif isinstance(task, ParseTask):
            yield from self._parse(task)

    def _parse(self, task: ParseTask) -> Iterator[ChildMessage]:
        yield from self._read(task, self._encoder)

    def load_more(self) -> Iterator[None]:
        """Part of process.TaskHandler: nothing is left to load."""
        return iter(())


if __name__ == "__main__":
    process.run(TextChild)
