"""A child for the encoder's vectors of passages: ``python -m adapters.children.passage_child OPTIONS``."""

from collections.abc import Iterator
from pathlib import Path

from adapters.children import process
from adapters.children.protocol import ChildMessage, ChildOptions, PassageResult, PassageTask, Task


class PassageChild:
    """Encodes, one task at a time."""

    def __init__(self, options: ChildOptions) -> None:
        from adapters.embedders import sentences  # noqa: PLC0415 - starts threads: after the confinement

        self._encoder = sentences.load(Path(options.tables))

    def perform(self, task: Task) -> Iterator[ChildMessage]:
        """Part of process.TaskHandler."""
        assert isinstance(task, PassageTask)
        yield PassageResult([rows.astype("<f2").tobytes() for rows in self._encoder.embed_passages(task.texts)])

    def load_more(self) -> Iterator[None]:
        """Part of process.TaskHandler: nothing is left to load."""
        return iter(())


if __name__ == "__main__":
    process.run(PassageChild)
