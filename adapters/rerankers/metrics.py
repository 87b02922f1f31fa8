"""Metrics of reranking. Label: the outcome."""

from prometheus_client import Histogram

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 30.0)

TIME_S = Histogram(  # done, or failed: the hits kept their order
    "claw_rerank_seconds", "Time that reranking added to a question.", ("outcome",), buckets=BUCKETS_S
)
