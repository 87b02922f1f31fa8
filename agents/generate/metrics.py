"""Metrics of answers. Labels: the mode of the question, and what the answer rests on."""

from prometheus_client import Counter

ANSWERS = Counter("claw_answers", "Complete answers.", ("mode", "outcome"))  # answered, not_found, unsourced, courtesy
