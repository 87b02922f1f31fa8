"""Metrics of calls to language models. Labels: the model of the settings, and the outcome."""

from prometheus_client import Counter, Gauge

from schemas.chats import Usage

CALLS = Counter("claw_model_calls", "Calls to a provider.", ("model", "outcome"))  # done, passing, refused, exhausted, empty, displaced
TOKENS = Counter(
    "claw_model_tokens",
    "Tokens that calls have cost. Those of thinking are among completion's, cached ones among prompt's.",
    ("model", "kind"),  # prompt, cached, completion, reasoning
)
FAILOVERS = Counter("claw_model_failovers", "Answers that went on to the next model.", ("model",))
BREAKER_OPEN = Gauge("claw_model_breaker_open", "1 while this process leaves a model alone after failures in a row.", ("model",))


def list_failing() -> tuple[str, ...]:
    """The models that this process leaves alone, by the names of their breakers."""
    return tuple(sample.labels["model"] for metric in BREAKER_OPEN.collect() for sample in metric.samples if sample.value)


def count_tokens(model: str, usage: Usage) -> None:
    """Count what one call cost."""
    for kind, tokens in (
        ("prompt", usage.prompt_tokens),
        ("cached", usage.cached_tokens),
        ("completion", usage.completion_tokens),
        ("reasoning", usage.reasoning_tokens),
    ):
        if tokens:
            TOKENS.labels(model, kind).inc(tokens)
