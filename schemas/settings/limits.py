"""Settings of sizes, counts and rates."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section


class LimitSettings(Section, frozen=True, kw_only=True):
    """Sizes, counts and rates. Every queue and payload of the product has a bound."""

    prefix: ClassVar[str] = "CLAW_LIMIT_"

    enabled: Annotated[bool, Meta(description="Turns rate limits on or off; size limits always apply.")] = True
    body_bytes_max: Annotated[int, Meta(ge=1024, le=1_073_741_824, description="Largest request body.")] = 1_048_576
    document_inline_bytes_max: Annotated[int, Meta(ge=1024, le=921_600, description="Largest document text inside an event, UTF-8.")] = (
        819_200
    )
    message_chars_max: Annotated[int, Meta(ge=1, le=100_000, description="Longest question.")] = 8_000
    history_messages_max: Annotated[
        int, Meta(ge=0, le=200, description="Maximum number of earlier messages in the history of a question.")
    ] = 20
    history_bytes_max: Annotated[int, Meta(ge=0, le=262_144, description="Maximum size of the history.")] = 65_536
    history_tokens_max: Annotated[
        int, Meta(ge=0, le=131_072, description="Maximum size of the history in estimated tokens, the summary of older messages included.")
    ] = 4_000
    summary_tokens_max: Annotated[
        int, Meta(ge=0, le=8_192, description="Maximum size of the summary of older messages; 0 = no summaries.")
    ] = 400
    chat_wait_s_max: Annotated[
        float,
        Meta(gt=0, le=3600, description="Longest estimated wait of a question; beyond it the question is refused with 503 overloaded."),
    ] = 30.0
    streams_max: Annotated[int, Meta(ge=1, le=100_000, description="Open event streams per API process; beyond it 503.")] = 4_000
    query_wait_s: Annotated[
        float,
        Meta(gt=0, le=600, description="/knowledge/query responds with 202 after this; keep it below the timeout of proxies in front."),
    ] = 25.0
    trusted_proxies: Annotated[
        str, Meta(description="Comma-separated CIDRs of proxies whose X-Forwarded-For is trusted, evaluated from the right.")
    ] = ""
    global_per_minute: Annotated[int, Meta(ge=1, description="All requests with a valid credential together, per minute.")] = 10_000
    anonymous_per_minute: Annotated[int, Meta(ge=1, description="All requests without a valid credential together, per minute.")] = 3_000
    address_per_minute: Annotated[
        int,
        Meta(ge=1, description="Requests per client address; of IPv6 per /64, four times as many per /56 and sixteen times per /48."),
    ] = 200
    user_free_per_minute: Annotated[int, Meta(ge=1, description="Requests per user of tier free.")] = 100
    user_pro_per_minute: Annotated[int, Meta(ge=1, description="Requests per user of tier pro.")] = 500
    user_enterprise_per_minute: Annotated[int, Meta(ge=1, description="Requests per user of tier enterprise.")] = 2_000
    conversations_per_minute: Annotated[int, Meta(ge=1, description="Requests to /conversations, per user.")] = 60
    messages_per_minute: Annotated[int, Meta(ge=1, description="Requests to /messages, and counted separately to /v1/chat, per user.")] = (
        120
    )
    knowledge_per_minute: Annotated[int, Meta(ge=1, description="Requests to /knowledge/*, per user.")] = 30
    sources_per_minute: Annotated[
        int,
        Meta(ge=1, description="Requests to /knowledge/*/documents/*/versions, per user: sources of citations, and images of their pages."),
    ] = 240
    embedding_calls_per_minute: Annotated[
        int,
        Meta(
            ge=1,
            description="Calls of /v1/embeddings, per user, in place of the rules of user and address: clients embed a file in hundreds.",
        ),
    ] = 600
    embedding_tokens_per_minute: Annotated[
        int, Meta(ge=1, description="Tokens of the texts sent to /v1/embeddings, per user, as estimated.")
    ] = 1_000_000
    embedding_call_tokens_max: Annotated[
        int, Meta(ge=8_192, le=16_777_216, description="Tokens of all texts of one call of /v1/embeddings, as estimated.")
    ] = 600_000
    tokens_free_per_minute: Annotated[int, Meta(ge=0, description="Model tokens per user of tier free; 0 = no limit.")] = 100_000
    tokens_free_per_day: Annotated[int, Meta(ge=0, description="The same per day.")] = 2_000_000
    tokens_pro_per_minute: Annotated[int, Meta(ge=0, description="Model tokens per user of tier pro; 0 = no limit.")] = 500_000
    tokens_pro_per_day: Annotated[int, Meta(ge=0, description="The same per day.")] = 20_000_000
    tokens_enterprise_per_minute: Annotated[int, Meta(ge=0, description="Model tokens per user of tier enterprise; 0 = no limit.")] = (
        2_000_000
    )
    tokens_enterprise_per_day: Annotated[int, Meta(ge=0, description="The same per day.")] = 200_000_000
    replies_open_max: Annotated[int, Meta(ge=0, le=10_000, description="Open replies per user; 0 = no limit.")] = 32
    burst_factor: Annotated[float, Meta(ge=1, le=100, description="Bucket capacity as a multiple of the per-minute rate.")] = 2.0
    replicas: Annotated[int, Meta(ge=1, le=1000, description="Number of API replicas: with Redis down each applies limit / replicas.")] = 1
