"""What was read and not acknowledged, by partition."""

from faust.types import TP

from streams.runtime.offset_tracker import OffsetTracker
from tests.support.poked import message


def test_unacked_is_by_partition():
    books = OffsetTracker()
    first, second, other = message(3), message(4), message(1, partition=1)
    for each in (second, first, other):
        books.add(each)
    assert (books.lowest(TP("t", 0)), books.lowest(TP("t", 1)), books.lowest(TP("t", 2))) == (3, 1, None)
    assert (len(books), first in books, set(books)) == (3, True, {first, second, other})
    books.drop([TP("t", 0)])
    assert list(books) == [other]
