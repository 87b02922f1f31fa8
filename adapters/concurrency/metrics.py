"""Metrics of concurrency limits. Labels: the limit, as server/model of the settings, and the priority."""

from prometheus_client import Counter, Gauge, Histogram

HELD = Gauge("claw_model_permits_held", "Permits this process has.", ("gate",))
WAIT_S = Histogram(
    "claw_model_permit_wait_seconds", "Waiting for a permit.", ("gate", "priority"), buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 10, 60)
)
REFUSED = Counter("claw_model_permits_refused", "Calls that waited for a permit in vain.", ("gate", "priority"))
LOST = Counter("claw_model_permits_lost", "Calls closed because their permit could not be renewed.", ("gate",))
FALLBACKS = Counter("claw_model_permit_fallbacks", "Permits taken from the local share: Redis was down.", ("gate",))
