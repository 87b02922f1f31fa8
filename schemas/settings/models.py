"""Settings of the answering models: the first one, and those that are asked when it does not answer."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Secret, Section


class ModelSettings(Section, frozen=True, kw_only=True):
    """The answering model."""

    prefix: ClassVar[str] = "CLAW_MODEL_"

    provider: Annotated[
        Literal["local", "openai", "zhipu"],
        Meta(description="`local` needs no key: it quotes the best sentences; `openai` is any compatible server."),
    ] = "local"
    base_url: Annotated[str, Meta(description="Root of the chat API, such as http://127.0.0.1:8001/v1; empty takes the preset's.")] = ""
    api_key: Annotated[Secret, Meta(description="Key of the provider.")] = Secret()
    name: Annotated[str, Meta(description="Model name sent to the provider; empty takes the preset's.")] = ""
    max_tokens: Annotated[int, Meta(ge=1, le=131_072, description="Longest answer.")] = 1024
    temperature: Annotated[float, Meta(ge=0, le=2, description="Sampling temperature.")] = 0.2
    connect_timeout_s: Annotated[float, Meta(gt=0, le=60, description="To connect.")] = 5.0
    idle_timeout_s: Annotated[float, Meta(gt=0, le=600, description="Longest silence before and between tokens.")] = 30.0
    total_timeout_s: Annotated[float, Meta(gt=0, le=3600, description="Longest answer in time.")] = 180.0
    concurrency: Annotated[int, Meta(ge=1, le=10_000, description="Answers in flight per chat worker.")] = 512
    delta_window_ms: Annotated[int, Meta(ge=0, le=1000, description="Deltas after the first are gathered this long.")] = 80
    permits: Annotated[int, Meta(ge=0, le=100_000, description="Calls in flight to it from all processes together; 0 = no bound.")] = 0
    permit_wait_s: Annotated[float, Meta(gt=0, le=300, description="Longest wait for a permit; then the next model, or a retry.")] = 10.0
    workers: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="Processes that call models: with Redis down each may have permits / workers calls in flight.",
        ),
    ] = 1
    breaker_failures: Annotated[int, Meta(ge=1, le=1000, description="Failures in a row after which a model is left alone.")] = 5
    breaker_pause_s: Annotated[float, Meta(gt=0, le=3600, description="How long; then one call tries whether it is back.")] = 10.0
    price_prompt: Annotated[float, Meta(ge=0, le=1e6, description="Price of a million prompt tokens.")] = 0.0
    price_completion: Annotated[float, Meta(ge=0, le=1e6, description="Price of a million completion tokens.")] = 0.0
    price_currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="Currency of all prices, ISO 4217.")] = "USD"


class FallbackModelSettings(Section, frozen=True, kw_only=True):
    """Who is asked when those before it do not answer; times and bounds are those of ``CLAW_MODEL_``."""

    provider: Annotated[
        Literal["", "local", "openai", "zhipu"], Meta(description="Asked when those before it did not begin to answer; empty: nobody.")
    ] = ""
    base_url: Annotated[str, Meta(description="Root of its chat API; empty takes the preset's.")] = ""
    api_key: Annotated[Secret, Meta(description="Key of this provider.")] = Secret()
    name: Annotated[str, Meta(description="Model name sent to it; empty takes the preset's.")] = ""
    permits: Annotated[int, Meta(ge=0, le=100_000, description="Calls in flight to it from all processes together; 0 = no bound.")] = 0
    price_prompt: Annotated[float, Meta(ge=0, le=1e6, description="Price of a million prompt tokens.")] = 0.0
    price_completion: Annotated[float, Meta(ge=0, le=1e6, description="Price of a million completion tokens.")] = 0.0


class SecondModelSettings(FallbackModelSettings, frozen=True, kw_only=True):
    """The answering model that is asked second."""

    prefix: ClassVar[str] = "CLAW_MODEL_SECOND_"


class ThirdModelSettings(FallbackModelSettings, frozen=True, kw_only=True):
    """The answering model that is asked third."""

    prefix: ClassVar[str] = "CLAW_MODEL_THIRD_"
