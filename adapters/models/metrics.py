"""Metrics of calls to language models. Labels: the model of the settings, and the outcome."""

from prometheus_client import Counter, Gauge

CALLS = Counter("claw_model_calls", "Calls to a provider.", ("model", "outcome"))  # done, passing, refused, empty, displaced
FAILOVERS = Counter("claw_model_failovers", "Answers that went on to the next model.", ("model",))
BREAKER_OPEN = Gauge("claw_model_breaker_open", "1 while this process leaves a model alone after failures in a row.", ("model",))
