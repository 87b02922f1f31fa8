"""Work on text that would block an event loop, in child processes: parsing, chunking, encoding.

A document that ends its parser ends a child, never the worker.
"""

from adapters.children.worker import TextWorker

__all__ = ["TextWorker"]
