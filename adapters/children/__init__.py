"""Work on documents that would block an event loop or that cannot be trusted, in child processes: parsing, chunking, encoding.

Children are confined (``confinement``) and watched (``child``): a document that ends its parser ends a child, never the worker. What agents
use is ``worker.TextWorker``. Nothing is imported here: a child must confine itself before the first vendor's module starts a thread.
"""
