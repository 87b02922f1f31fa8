"""The record table of erasures."""

from domain.erasures.topics import ERASURES_CHANGED
from schemas.erasures import Erasure, ErasureChanged
from streams.tables.projection import Record

ERASURES = Record(
    table="erasures",
    topic=ERASURES_CHANGED,
    event=ErasureChanged,
    type=Erasure,
    scope=lambda event: event.data.id,
    rank=lambda _event, _offset: 0.0,
)
