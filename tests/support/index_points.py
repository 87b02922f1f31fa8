"""Points of the index."""

import uuid

import numpy as np

from adapters.index.port import Point
from adapters.text.sparse import Bm25Encoder


def point(text: str, *, tenant="t1", kb="kb", doc="doc", version=1, ordinal=0, vector=None, place=None, chunk_hash="") -> Point:
    return Point(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{tenant}/{kb}/{doc}/{version}/{ordinal}")),
        tenant=tenant,
        collection=kb,
        document_id=doc,
        version=version,
        ordinal=ordinal,
        title="A title",
        headings=("Part", "Section"),
        text=text,
        dense=dense(1) if vector is None else vector,
        sparse=ENCODER.encode_document(text),
        place=place,
        hash=chunk_hash,
    )


DIMENSIONS = 8
ENCODER = Bm25Encoder()


def dense(*values: float) -> np.ndarray:
    vector = np.zeros(DIMENSIONS, np.float32)
    vector[: len(values)] = values
    return vector
