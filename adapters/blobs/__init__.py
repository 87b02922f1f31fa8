"""Files of documents: a folder, or anything that ``fsspec`` has a driver for. Events carry only where a file lies and what it hashes to."""

from adapters.blobs.paths import blob_folder, new_path
from adapters.blobs.store import BlobStore, BlobWriter

__all__ = ["BlobStore", "BlobWriter", "blob_folder", "new_path"]
