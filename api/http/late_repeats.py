"""What a POST does when it is repeated after the stored response of its ``Idempotency-Key`` has expired, or was lost with Redis.

Every POST route declares it in ``opt`` beside its access; ``tests/api/http/test_late_repeats.py`` holds the routes against this. Methods
other than POST ignore the header: they say which state they want, and the last one counts.
"""

from typing import Any

# The record that the request wrote recognises it: it is answered by that, or refused with `410 deleted_since`, and nothing is written.
ANSWERED: dict[str, Any] = {"late_repeat": "answered"}
# It is a new request and does no harm: it reads, asks a model, issues a token, changes what expires by itself, or sends a dead letter
# whose effects happen once.
RUNS_AGAIN: dict[str, Any] = {"late_repeat": "runs again"}
