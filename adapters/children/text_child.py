"""A child for text that is here already, and for vectors: ``python -m adapters.children.text_child ORDERS``. Small and fast."""

from collections.abc import Iterator

from adapters.children import confinement, process
from adapters.children.protocol import Encoded, EncodeTask, Orders, ParseTask, ParseTexts, Reply, Task


class Light:
    """Parses and encodes."""

    def __init__(self, orders: Orders) -> None:
        from adapters.children.document_reader import read, read_texts  # noqa: PLC0415
        from adapters.children.text_encoder import TextEncoder  # noqa: PLC0415 - starts threads: after the confinement

        self._read, self._read_texts, self._encoder = read, read_texts, TextEncoder()
        self._cpu_s = orders.cpu_s
        self._encoder.encode(["warm up 预热"], dense=orders.dense)

    def perform(self, task: Task) -> Iterator[Reply]:
        """Part of process.Work."""
        if isinstance(task, EncodeTask):
            yield Encoded(self._encoder.encode(task.texts, dense=task.dense))
        elif isinstance(task, ParseTexts):
            yield self._read_texts(task.tasks, self._encoder, lambda: confinement.allow_cpu(self._cpu_s))
        else:
            yield from self._parse(task)

    def _parse(self, task: ParseTask) -> Iterator[Reply]:
        yield from self._read(task, self._encoder)

    def load_more(self) -> None:
        """Part of process.Work: there is nothing more."""


if __name__ == "__main__":
    process.run(Light)
