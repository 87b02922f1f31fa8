"""Settings of the answering models: the first one and its fallbacks."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Secret, Section
from schemas.thinking import ReasoningEffort, ShowThinking, Thinking

PROVIDERS = (
    "`local` needs no key and quotes the best sentences; `zhipu` (BigModel), `deepseek`, `dashscope` (Qwen), `ollama`, `vllm` (also SGLang"
    " and llama.cpp); `openai` is OpenAI and any other compatible server."
)
MaxPrice = Annotated[float, Meta(ge=0, le=1e6)]
ThinkingSetting = Annotated[
    Thinking,
    Meta(description="Whether the model thinks before it answers; `auto`: as it does of its own accord. A question may ask otherwise."),
]
EffortSetting = Annotated[
    ReasoningEffort, Meta(description="How much it thinks, mapped to the nearest level that the model has; empty = the model's own.")
]
TemplateSetting = Annotated[
    bool,
    Meta(
        description="Whether answers begin inside the thinking, because the chat template opens it and the server does not separate it:"
        " everything up to `</think>` is then thinking."
    ),
]
PromptPrice = Annotated[
    MaxPrice | None, Meta(description="Price per million prompt tokens; empty = the list price, where it is known in this currency.")
]
CompletionPrice = Annotated[
    MaxPrice | None, Meta(description="Price per million completion tokens, those of thinking included; empty = as above.")
]
CachedPrice = Annotated[
    MaxPrice | None,
    Meta(description="Price per million prompt tokens that the provider had cached; empty = the list price, else that of prompt tokens."),
]


class ModelSettings(Section, frozen=True, kw_only=True):
    """The answering model."""

    prefix: ClassVar[str] = "CLAW_MODEL_"

    provider: Annotated[
        Literal["local", "openai", "zhipu", "deepseek", "dashscope", "ollama", "vllm"],
        Meta(description=PROVIDERS),
    ] = "local"
    base_url: Annotated[str, Meta(description="Base URL of the chat API, such as http://127.0.0.1:8001/v1; empty = from the preset.")] = ""
    api_key: Annotated[Secret, Meta(description="API key of the provider.")] = Secret()
    name: Annotated[str, Meta(description="Model name sent to the provider; empty = from the preset.")] = ""
    max_tokens: Annotated[int, Meta(ge=1, le=131_072, description="Longest answer in tokens.")] = 1024
    temperature: Annotated[float, Meta(ge=0, le=2, description="Sampling temperature.")] = 0.2
    connect_timeout_s: Annotated[float, Meta(gt=0, le=60, description="Timeout of a connection attempt.")] = 5.0
    idle_timeout_s: Annotated[float, Meta(gt=0, le=600, description="Longest time without data, before and between tokens.")] = 30.0
    total_timeout_s: Annotated[float, Meta(gt=0, le=3600, description="Longest duration of an answer.")] = 180.0
    concurrency: Annotated[int, Meta(ge=1, le=10_000, description="Answers in flight per chat worker.")] = 512
    delta_window_ms: Annotated[
        int, Meta(ge=0, le=1000, description="Time for which deltas after the first are gathered into one event.")
    ] = 80
    permits: Annotated[int, Meta(ge=0, le=100_000, description="Calls in flight to this model over all processes; 0 = no limit.")] = 0
    permit_wait_s: Annotated[
        float, Meta(gt=0, le=300, description="Longest wait for a permit; then the next model is called, or the call is retried.")
    ] = 10.0
    calls_max: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="Calls of one reply that a model has begun to answer, over all attempts; then it fails with "
            "`answer_attempts_exhausted`.",
        ),
    ] = 4
    workers: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="Number of processes that call models: with Redis down each may have permits / workers calls in flight.",
        ),
    ] = 1
    breaker_failures: Annotated[int, Meta(ge=1, le=1000, description="Consecutive failures that open the circuit breaker of a model.")] = 5
    breaker_pause_s: Annotated[
        float, Meta(gt=0, le=3600, description="Time the circuit breaker stays open; then one call probes the model.")
    ] = 10.0
    unsupported_numbers: Annotated[
        Literal["report", "show", "off"],
        Meta(
            description="Numbers of a model's answer that stand in no cited passage: `report` names them in `unsupported_numbers` beside "
            "the text, `show` also in a sentence at its end."
        ),
    ] = "report"
    foreign_markup: Annotated[
        Literal["mark", "strip", "allow"],
        Meta(
            description="Images and raw HTML in answers, which come from documents or questions: `mark` makes them inert for whoever "
            "renders the answer as Markdown, `strip` leaves the text of an image and nothing of a tag, `allow` changes nothing. Code stays."
        ),
    ] = "mark"
    breaker_exhausted_pause_s: Annotated[
        float,
        Meta(gt=0, le=86_400, description="Pause of a model whose account is exhausted, when the provider does not say until when."),
    ] = 300.0
    thinking: ThinkingSetting = "auto"
    reasoning_effort: EffortSetting = ""
    thinking_tokens: Annotated[
        int, Meta(ge=0, le=131_072, description="Tokens that a model which thinks may spend on it, on top of the longest answer.")
    ] = 4096
    thinking_opened: TemplateSetting = False
    show_thinking: Annotated[
        ShowThinking,
        Meta(description="Who sees a model's thinking, as `thinking` events: nobody, who asks for it, or whoever does not ask otherwise."),
    ] = "asked"
    thinking_chars_max: Annotated[
        int, Meta(ge=1, le=1_048_576, description="Characters of one answer's thinking that are shown; the rest is dropped.")
    ] = 65_536
    text_thinking_tokens: Annotated[
        int,
        Meta(
            ge=0,
            le=131_072,
            description="The same for titles, summaries and condensed questions, for models whose thinking cannot be turned off.",
        ),
    ] = 1024
    text_pause_s: Annotated[
        float,
        Meta(
            ge=0, le=86_400, description="How long a model that wrote nothing is not asked for titles, summaries and condensed questions."
        ),
    ] = 600.0
    price_prompt: PromptPrice = None
    price_completion: CompletionPrice = None
    price_cached_prompt: CachedPrice = None
    price_currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="Currency of all prices, ISO 4217.")] = "USD"


class FallbackModelSettings(Section, frozen=True, kw_only=True):
    """A fallback model; timeouts and limits are those of ``CLAW_MODEL_``."""

    provider: Annotated[
        Literal["", "local", "openai", "zhipu", "deepseek", "dashscope", "ollama", "vllm"],
        Meta(description="Called when the models before it did not begin to answer; empty = no such model."),
    ] = ""
    base_url: Annotated[str, Meta(description="Base URL of its chat API; empty = from the preset.")] = ""
    api_key: Annotated[Secret, Meta(description="API key of this provider.")] = Secret()
    name: Annotated[str, Meta(description="Model name sent to it; empty = from the preset.")] = ""
    permits: Annotated[int, Meta(ge=0, le=100_000, description="Calls in flight to this model over all processes; 0 = no limit.")] = 0
    thinking: ThinkingSetting = "auto"
    reasoning_effort: EffortSetting = ""
    thinking_opened: TemplateSetting = False
    price_prompt: PromptPrice = None
    price_completion: CompletionPrice = None
    price_cached_prompt: CachedPrice = None


class SecondModelSettings(FallbackModelSettings, frozen=True, kw_only=True):
    """The first fallback of the answering model."""

    prefix: ClassVar[str] = "CLAW_MODEL_SECOND_"


class ThirdModelSettings(FallbackModelSettings, frozen=True, kw_only=True):
    """The second fallback of the answering model."""

    prefix: ClassVar[str] = "CLAW_MODEL_THIRD_"
