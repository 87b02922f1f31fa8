"""Requests and responses of OpenAI's clients: ``/v1/chat/completions``, ``/v1/embeddings``, ``/v1/models``.

Every field that the official client can send is named here; docs/openai.md says which of them do something. Others, which the clients
of other servers send, are passed over in a chat completion and named in a header of its response.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from schemas.bodies.pages import RequestBody
from schemas.bodies.queries import AnswerTokens, Temperature
from schemas.chats import Citation, UnsupportedNumber

MESSAGES_MAX = 2_048
STOPS_MAX = 4
EMBEDDING_INPUTS_MAX = 2_048  # as at OpenAI; LangChain sends up to 1,000
EMBEDDING_TOKENS_MAX = 8_192  # of one input that is a list of tokens
EMBEDDING_CHARS_MAX = 8_000  # what an embedder reads of a text

ModelName = Annotated[str, Meta(min_length=1, max_length=256, examples=["claw"])]
Stop = Annotated[str, Meta(max_length=256, description="An empty one has no effect.")]
EmbeddingText = Annotated[str, Meta(min_length=1, max_length=EMBEDDING_CHARS_MAX)]
Tokens = Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=EMBEDDING_TOKENS_MAX)]
EmbeddingInputs = Annotated[
    tuple[EmbeddingText | Annotated[int, Meta(ge=0)] | Tokens, ...],
    Meta(min_length=1, max_length=EMBEDDING_TOKENS_MAX, description="Up to 2,048 texts or lists of tokens, or one list of tokens."),
]
Unread = Annotated[Any, Meta(description="Accepted, without effect.")]
NotCalled = Annotated[
    Any, Meta(description="`none` or `auto`: no tool is called. A required tool is refused with `unsupported_parameter`.")
]
DoorEffort = Annotated[
    Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "auto", "default", ""],
    Meta(description="How much the model thinks; `none`: it does not, `auto`, `default` and an empty one: as it is set up."),
]
NotOffered = Annotated[Any, Meta(description="Refused with `unsupported_parameter`, unless the value has no effect.")]


class ContentPart(Struct, frozen=True, kw_only=True):
    """A part of a message; only those with text are read: ``text``, ``input_text``, ``output_text``."""

    type: str
    text: str | None = ""


class ChatMessage(Struct, frozen=True, kw_only=True):
    """A message. Other fields are ignored, because clients send back what they received. Results of tools are not read."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | tuple[ContentPart, ...] | None = None
    tool_calls: Unread = None
    function_call: Unread = None
    audio: Any = None


class ThinkingSwitch(Struct, frozen=True, kw_only=True):
    """As BigModel and DeepSeek have it. Other fields are ignored."""

    type: Literal["enabled", "disabled", "auto", "adaptive"]


class StreamOptions(Struct, frozen=True, kw_only=True):
    """``include_usage``: one more chunk, with the tokens, before the end."""

    include_usage: bool | None = None


class ChatCompletionCreate(RequestBody, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """``metadata.knowledge_base_ids``: ids separated by commas, or a JSON list of them; left out: all you can read; empty: none."""

    model: ModelName
    messages: Annotated[tuple[ChatMessage, ...], Meta(min_length=1, max_length=MESSAGES_MAX)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: AnswerTokens | None = None
    max_completion_tokens: AnswerTokens | None = None
    temperature: Temperature | None = None
    stop: Stop | Annotated[tuple[Stop, ...], Meta(max_length=STOPS_MAX)] | None = None
    metadata: dict[str, Any] | None = None

    n: int | None = None
    tools: Unread = None
    tool_choice: NotCalled = None
    functions: Unread = None
    function_call: NotCalled = None
    response_format: NotOffered = None
    logprobs: NotOffered = None
    top_logprobs: NotOffered = None
    logit_bias: NotOffered = None
    modalities: NotOffered = None
    audio: NotOffered = None
    prediction: NotOffered = None
    web_search_options: NotOffered = None
    moderation: NotOffered = None

    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    seed: int | None = None
    user: Unread = None
    store: Unread = None
    service_tier: Unread = None
    safety_identifier: Unread = None
    parallel_tool_calls: Unread = None
    prompt_cache_key: Unread = None
    prompt_cache_options: Unread = None
    prompt_cache_retention: Unread = None
    verbosity: Unread = None

    reasoning_effort: DoorEffort | None = None
    thinking: ThinkingSwitch | bool | None = None
    enable_thinking: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    think: bool | DoorEffort | None = None
    include_reasoning: bool | None = None


class UrlCitation(Struct, frozen=True, kw_only=True):
    """The position of the marker in characters of the text; ``url`` is the document's path in this API."""

    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(Struct, frozen=True, kw_only=True):
    """A citation in OpenAI's format; ``citation`` is the same object as everywhere else in this API."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitation
    citation: Citation


class CompletionMessage(Struct, frozen=True, kw_only=True):
    """The answer; ``reasoning_content`` is what the model thought, when it was asked for. ``unsupported_numbers``, with positions as in the
    annotations: numbers that stand in no cited passage.
    """

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: str | None = None
    annotations: tuple[Annotation, ...] = ()
    reasoning_content: str | UnsetType = UNSET
    unsupported_numbers: tuple[UnsupportedNumber, ...] = ()


class Choice(Struct, frozen=True, kw_only=True):
    """There is one."""

    index: int = 0
    message: CompletionMessage
    logprobs: None = None
    finish_reason: str


class PromptTokenDetails(Struct, frozen=True, kw_only=True):
    """``cached_tokens``: those that the provider had cached."""

    cached_tokens: int = 0


class CompletionTokenDetails(Struct, frozen=True, kw_only=True):
    """``reasoning_tokens``: those of thinking."""

    reasoning_tokens: int = 0


class CompletionUsage(Struct, frozen=True, kw_only=True):
    """``estimated``: the provider did not report its count."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    estimated: bool = False
    prompt_tokens_details: PromptTokenDetails = PromptTokenDetails()
    completion_tokens_details: CompletionTokenDetails = CompletionTokenDetails()


class ChatCompletion(Struct, frozen=True, kw_only=True):
    """``id`` is ``chatcmpl-`` and the reply's id."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[Choice, ...]
    usage: CompletionUsage
    system_fingerprint: str


class EmbeddingCreate(RequestBody, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """``dimensions``: only the model's own. Lists of tokens are read as cl100k_base where the operator has its vocabulary."""

    model: ModelName
    input: EmbeddingText | EmbeddingInputs
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    user: Unread = None


class Embedding(Struct, frozen=True, kw_only=True):
    """One input's vector: numbers, or base64 of float32, little-endian."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: tuple[float, ...] | str


class EmbeddingUsage(Struct, frozen=True, kw_only=True):
    """An estimate."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Struct, frozen=True, kw_only=True):
    """In the order of the inputs."""

    object: Literal["list"] = "list"
    data: tuple[Embedding, ...]
    model: str
    usage: EmbeddingUsage


class ModelCard(Struct, frozen=True, kw_only=True):
    """A model, by a name that requests may use."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "claw"


class ModelList(Struct, frozen=True, kw_only=True):
    """All of them."""

    object: Literal["list"] = "list"
    data: tuple[ModelCard, ...]


class ErrorBody(Struct, frozen=True, kw_only=True):
    """``code`` is this API's stable code, or OpenAI's where its clients know one; ``param`` the invalid field."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorAnswer(Struct, frozen=True, kw_only=True):
    """The body of every error of these routes."""

    error: ErrorBody
