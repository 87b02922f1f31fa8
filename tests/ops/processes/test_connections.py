"""Who gets a place on a full server, and whose place it is."""

import pytest

from ops.processes.connections import WAITED_S_MIN, ConnectionCounts


class Waiting:
    """A connection that only waits."""

    def __init__(self, counts: ConnectionCounts, address: str) -> None:
        self.counts, self.closed = counts, False
        self.key = counts.enter((address, 1))
        counts.wait(self, self.key, 0.0)

    def make_way(self) -> None:
        self.closed = True
        self.counts.serve(self)
        self.counts.leave(self.key)


@pytest.fixture
def counts() -> ConnectionCounts:
    return ConnectionCounts(4, 4)


def test_below_the_bound_everybody_has_room(counts: ConnectionCounts):
    waiting = [Waiting(counts, "10.0.0.1") for _ in range(4)]
    assert counts.make_room(9.0)
    assert not counts.has_too_many(waiting[-1].key)
    assert not any(each.closed for each in waiting)


def test_another_address_gets_the_place_of_the_crowded_one(counts: ConnectionCounts):
    alone = Waiting(counts, "10.0.0.2")
    crowd = [Waiting(counts, "10.0.0.1") for _ in range(3)]
    counts.enter(("10.0.0.3", 1))
    assert counts.make_room(0.0)
    assert [each.closed for each in (alone, *crowd)] == [False, True, False, False], "the longest of the crowded address, not the longest"


def test_an_address_with_more_than_its_share_gets_none(counts: ConnectionCounts):
    held = [Waiting(counts, "10.0.0.1") for _ in range(3)] + [Waiting(counts, "10.0.0.2")]
    assert counts.has_too_many(counts.enter(("10.0.0.1", 1)))
    assert not counts.has_too_many(held[-1].key)


def test_the_only_connection_of_an_address_is_closed_when_it_has_waited(counts: ConnectionCounts):
    held = [Waiting(counts, f"10.0.0.{number}") for number in range(4)]
    counts.enter(("10.0.0.9", 1))
    assert not counts.make_room(WAITED_S_MIN / 2)
    assert counts.make_room(WAITED_S_MIN)
    assert [each.closed for each in held] == [True, False, False, False]


def test_connections_with_requests_are_nobodys_room(counts: ConnectionCounts):
    for each in [Waiting(counts, f"10.0.0.{number}") for number in range(4)]:
        counts.serve(each)
    counts.enter(("10.0.0.9", 1))
    assert not counts.make_room(9.0)
