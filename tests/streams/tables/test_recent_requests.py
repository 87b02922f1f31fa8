"""The requests that a record remembers."""

from streams.tables.recent_requests import REQUESTS_MAX, add_request


def test_the_last_requests_are_kept_once_each():
    requests: tuple[str, ...] = ()
    for number in range(REQUESTS_MAX + 3):
        requests = add_request(requests, str(number))
    assert requests == tuple(str(number) for number in range(3, REQUESTS_MAX + 3))
    again = add_request(requests, "7")
    assert (again[-1], len(again), len(set(again))) == ("7", REQUESTS_MAX, REQUESTS_MAX)
