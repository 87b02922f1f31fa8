"""The last requests with an ``Idempotency-Key`` that wrote a record, kept in the record itself.

The stored response of a request expires, and Redis may lose it. A record that knows the requests that wrote it recognises a late repeat
of one of them, which would put its old values over newer ones.
"""

REQUESTS_MAX = 16  # ids of 36 bytes: a record stays small, and as many writes between a request and its late repeat are no retries


def add_request(requests: tuple[str, ...], request_id: str) -> tuple[str, ...]:
    """The last requests with this one, the newest last."""
    return (*(each for each in requests if each != request_id), request_id)[-REQUESTS_MAX:]
