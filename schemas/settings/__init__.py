"""Settings: frozen structs read once from the environment.

The variable of a field is the section's prefix plus the field's name in capitals: ``Kafka.port`` is ``CLAW_KAFKA_PORT``.
``docs/settings.md`` is generated from this module, and the deployment files are held against it by a test.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_type_hints

import msgspec
from msgspec import Meta, Struct

from schemas.errors import ConfigurationError
from schemas.settings.cache import CacheSettings
from schemas.settings.documents import DocumentSettings
from schemas.settings.fallback_models import SecondModelSettings, ThirdModelSettings
from schemas.settings.quotas import QuotaSettings
from schemas.settings.section import Secret, Section
from schemas.settings.sockets import SocketSettings

WORKER_GROUPS = ("knowledge", "chat", "documents", "tables")  # the worker processes, split by what they wait for
PROMPT_OVERHEAD_TOKENS = 5_600  # of a prompt, for all but the passages

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class NodeSettings(Section, frozen=True, kw_only=True):
    """This machine and this process."""

    home: Annotated[Path, Meta(description="Data folder of the embedded stack: logs, index, secrets, process ids.")] = Path(".claw")
    host: Annotated[str, Meta(description="Address the API binds to.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port of the API; 0 takes a free one.")] = 8000
    metrics_host: Annotated[str, Meta(description="Address a worker's /metrics and /livez bind to; in a container 0.0.0.0.")] = "127.0.0.1"
    metrics_port: Annotated[int, Meta(ge=0, le=65535, description="Port of a worker's /metrics and /livez; 0 takes a free one.")] = 0
    log_format: Annotated[
        Literal["auto", "json", "text"], Meta(description="`json` for machines, `text` for people, `auto` = text on a terminal.")
    ] = "auto"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="Least severe level that is logged.")] = "info"
    shutdown_grace_s: Annotated[
        float, Meta(gt=0, le=60, description="Seconds a process gets for work in flight after SIGTERM before it is cancelled.")
    ] = 5.0


class KafkaSettings(Section, frozen=True, kw_only=True):
    """The log."""

    prefix: ClassVar[str] = "CLAW_KAFKA_"

    bootstrap: Annotated[str, Meta(description="host:port list; empty means the embedded broker on CLAW_KAFKA_PORT.")] = ""
    port: Annotated[int, Meta(ge=0, le=65535, description="Client port of the embedded broker; its controller takes a free one.")] = 9092
    heap_mib: Annotated[int, Meta(ge=64, le=32_768, description="Largest Java heap of the embedded broker.")] = 256
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], Meta(description="How clients reach the broker.")
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Meta(description="With SASL_*: the mechanism.")] = (
        "SCRAM-SHA-512"
    )
    sasl_username: Annotated[str, Meta(description="With SASL_*: the user.")] = ""
    sasl_password: Annotated[Secret, Meta(description="With SASL_*: the password.")] = Secret()
    ssl_ca_file: Annotated[str, Meta(description="With *SSL: PEM file of the authority; empty = the system's.")] = ""
    ssl_cert_file: Annotated[str, Meta(description="With *SSL: PEM client certificate, for mutual TLS.")] = ""
    ssl_key_file: Annotated[str, Meta(description="With *SSL: PEM key of the client certificate.")] = ""
    replication_factor: Annotated[int, Meta(ge=1, le=7, description="Replicas of every topic that `claw topics apply` creates.")] = 1
    partitions: Annotated[
        int, Meta(ge=1, le=256, description="Partitions of keyed topics when they are created; it can never change afterwards.")
    ] = 4
    reply_partitions: Annotated[int, Meta(ge=1, le=1024, description="Partitions of claw.chats.answered.v1; API replicas share them.")] = 8
    topic_prefix: Annotated[
        str,
        Meta(
            max_length=64, pattern="^[a-z0-9.-]*$", description="Put before every topic and group name; lets installations share a broker."
        ),
    ] = ""
    publish_timeout_s: Annotated[
        float, Meta(gt=0, le=60, description="A request's events not on the log by then: 503 kafka_unavailable.")
    ] = 1.5

    @property
    def servers(self) -> str:
        """Where clients connect: ``bootstrap`` or the embedded broker."""
        return self.bootstrap or f"127.0.0.1:{self.port}"


class RedisSettings(Section, frozen=True, kw_only=True):
    """Tables, leases, limits."""

    prefix: ClassVar[str] = "CLAW_REDIS_"

    url: Annotated[str, Meta(description="redis:// or rediss:// URL; empty means the embedded server on CLAW_REDIS_PORT.")] = ""
    port: Annotated[int, Meta(ge=0, le=65535, description="Port of the embedded server.")] = 6379
    username: Annotated[str, Meta(description="ACL user.")] = ""
    password: Annotated[Secret, Meta(description="Password of the server.")] = Secret()
    ssl_ca_file: Annotated[str, Meta(description="With rediss://: PEM file of the authority.")] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=10, description="A command not answered by then counts as RedisSettings being down.")] = 1.0
    max_connections: Annotated[int, Meta(ge=1, le=10_000, description="Connections per process.")] = 64
    key_prefix: Annotated[
        str, Meta(max_length=64, pattern="^[a-z0-9.-]*$", description="Put before every key; lets installations share a server.")
    ] = "claw"

    @property
    def location(self) -> str:
        """Where clients connect: ``url`` or the embedded server."""
        return self.url or f"redis://127.0.0.1:{self.port}/0"


class IndexSettings(Section, frozen=True, kw_only=True):
    """The retrieval index."""

    prefix: ClassVar[str] = "CLAW_QDRANT_"

    url: Annotated[str, Meta(description="URL of a Qdrant server; empty means the embedded engine inside the knowledge lane.")] = ""
    api_key: Annotated[Secret, Meta(description="API key of the Qdrant server.")] = Secret()
    ssl_ca_file: Annotated[str, Meta(description="PEM file of the authority of an https URL.")] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=60, description="A call not answered by then is retried.")] = 5.0


class AuthSettings(Section, frozen=True, kw_only=True):
    """Who may call."""

    prefix: ClassVar[str] = "CLAW_AUTH_"

    secret: Annotated[
        Secret, Meta(description="Signs access tokens, at least 32 bytes; when not set `claw up` generates one into CLAW_HOME (mode 0600).")
    ] = Secret()
    access_token_ttl_s: Annotated[int, Meta(ge=60, le=86_400, description="Life of an access token.")] = 3600
    hash_concurrency: Annotated[int, Meta(ge=1, le=64, description="Password hashes computed at once per process (64 MiB each).")] = 2


class LimitSettings(Section, frozen=True, kw_only=True):
    """Sizes, counts and rates. Every queue and payload of the product has a bound."""

    prefix: ClassVar[str] = "CLAW_LIMIT_"

    enabled: Annotated[bool, Meta(description="Rate limits on or off; sizes always hold.")] = True
    body_bytes_max: Annotated[int, Meta(ge=1024, le=1_073_741_824, description="Largest request body.")] = 1_048_576
    document_inline_bytes_max: Annotated[int, Meta(ge=1024, le=921_600, description="Largest document text inside an event, UTF-8.")] = (
        819_200
    )
    message_chars_max: Annotated[int, Meta(ge=1, le=100_000, description="Longest question.")] = 8_000
    history_messages_max: Annotated[int, Meta(ge=0, le=200, description="Earlier messages that travel with a question.")] = 20
    history_bytes_max: Annotated[int, Meta(ge=0, le=262_144, description="Their size together.")] = 65_536
    history_tokens_max: Annotated[
        int, Meta(ge=0, le=131_072, description="Their tokens together, estimated, a summary of what came before included.")
    ] = 4_000
    summary_tokens_max: Annotated[
        int, Meta(ge=0, le=8_192, description="Longest summary of what no longer travels with a question; 0 makes none.")
    ] = 400
    chat_wait_s_max: Annotated[
        float, Meta(gt=0, le=3600, description="A question that would wait longer than this for its turn is refused with 503 overloaded.")
    ] = 30.0
    streams_max: Annotated[int, Meta(ge=1, le=100_000, description="Open event streams per API process; one more is 503.")] = 4_000
    query_wait_s: Annotated[
        float, Meta(gt=0, le=600, description="/knowledge/query answers 202 after this; keep it below the timeout of proxies in front.")
    ] = 25.0
    trusted_proxies: Annotated[str, Meta(description="Comma-separated CIDRs whose X-Forwarded-For is believed, walked from the right.")] = (
        ""
    )
    global_per_minute: Annotated[int, Meta(ge=1, description="All requests together.")] = 10_000
    address_per_minute: Annotated[int, Meta(ge=1, description="Per client address.")] = 200
    user_free_per_minute: Annotated[int, Meta(ge=1, description="Per user of tier free.")] = 100
    user_pro_per_minute: Annotated[int, Meta(ge=1, description="Per user of tier pro.")] = 500
    user_enterprise_per_minute: Annotated[int, Meta(ge=1, description="Per user of tier enterprise.")] = 2_000
    conversations_per_minute: Annotated[int, Meta(ge=1, description="/conversations, per user.")] = 60
    messages_per_minute: Annotated[int, Meta(ge=1, description="/messages, and apart from that /v1/chat, per user.")] = 120
    knowledge_per_minute: Annotated[int, Meta(ge=1, description="/knowledge/*, and apart from that /v1/embeddings, per user.")] = 30
    tokens_free_per_minute: Annotated[int, Meta(ge=0, description="ModelSettings tokens per user of tier free; 0 = no limit.")] = 100_000
    tokens_free_per_day: Annotated[int, Meta(ge=0, description="The same per day.")] = 2_000_000
    tokens_pro_per_minute: Annotated[int, Meta(ge=0, description="ModelSettings tokens per user of tier pro; 0 = no limit.")] = 500_000
    tokens_pro_per_day: Annotated[int, Meta(ge=0, description="The same per day.")] = 20_000_000
    tokens_enterprise_per_minute: Annotated[
        int, Meta(ge=0, description="ModelSettings tokens per user of tier enterprise; 0 = no limit.")
    ] = 2_000_000
    tokens_enterprise_per_day: Annotated[int, Meta(ge=0, description="The same per day.")] = 200_000_000
    replies_open_max: Annotated[int, Meta(ge=0, le=10_000, description="Answers under way at once per user; 0 = no limit.")] = 32
    burst_factor: Annotated[float, Meta(ge=1, le=100, description="Bucket capacity as a multiple of the per-minute rate.")] = 2.0
    replicas: Annotated[int, Meta(ge=1, le=1000, description="API replicas: with RedisSettings down each takes limit / replicas.")] = 1


class ModelSettings(Section, frozen=True, kw_only=True):
    """The answering model."""

    prefix: ClassVar[str] = "CLAW_MODEL_"

    provider: Annotated[
        Literal["local", "openai", "zhipu"],
        Meta(description="`local` needs no key: it quotes the best sentences; `openai` is any compatible server."),
    ] = "local"
    base_url: Annotated[str, Meta(description="Root of the chat API, such as http://127.0.0.1:8001/v1; empty takes the preset's.")] = ""
    api_key: Annotated[Secret, Meta(description="Key of the provider.")] = Secret()
    name: Annotated[str, Meta(description="ModelSettings name sent to the provider; empty takes the preset's.")] = ""
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
            description="Processes that call models: with RedisSettings down each may have permits / workers calls in flight.",
        ),
    ] = 1
    breaker_failures: Annotated[int, Meta(ge=1, le=1000, description="Failures in a row after which a model is left alone.")] = 5
    breaker_pause_s: Annotated[float, Meta(gt=0, le=3600, description="How long; then one call tries whether it is back.")] = 10.0
    price_prompt: Annotated[float, Meta(ge=0, le=1e6, description="Price of a million prompt tokens.")] = 0.0
    price_completion: Annotated[float, Meta(ge=0, le=1e6, description="Price of a million completion tokens.")] = 0.0
    price_currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="Currency of all prices, ISO 4217.")] = "USD"


class RetrievalSettings(Section, frozen=True, kw_only=True):
    """Chunking, embedding and search."""

    prefix: ClassVar[str] = "CLAW_RETRIEVAL_"

    embedding: Annotated[
        Literal["local", "openai", "zhipu"],
        Meta(description="`local` is static embeddings shipped with the package; part of the index's name."),
    ] = "local"
    embedding_base_url: Annotated[str, Meta(description="Root of the embeddings API; empty takes the preset's.")] = ""
    embedding_api_key: Annotated[Secret, Meta(description="Key of the embeddings provider.")] = Secret()
    embedding_name: Annotated[str, Meta(description="Embedding model; empty takes the preset's.")] = ""
    embedding_dimensions: Annotated[int, Meta(ge=0, le=8192, description="Vector size; 0 takes the preset's.")] = 0
    embedding_permits: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            description="Embedding calls in flight from all processes together; 0 = the permits of the first answering model when both"
            " have the same base URL, else no bound.",
        ),
    ] = 0
    chunk_tokens: Annotated[int, Meta(ge=32, le=2048, description="Target size of a chunk.")] = 320
    chunk_tokens_max: Annotated[int, Meta(ge=64, le=4096, description="Hard bound of a chunk.")] = 480
    chunks_per_document_max: Annotated[int, Meta(ge=1, le=100_000, description="More fails the document with `document_too_large`.")] = (
        5_000
    )
    passages: Annotated[int, Meta(ge=1, le=50, description="Passages given to the model.")] = 6
    candidates: Annotated[int, Meta(ge=1, le=500, description="Hits of each leg before fusion.")] = 30
    context_tokens: Annotated[int, Meta(ge=100, le=131_072, description="Budget of the passages together.")] = 2_400
    condense_timeout_s: Annotated[
        float, Meta(gt=0, le=30, description="A follow-up question not rewritten by the model by then is condensed by rules.")
    ] = 3.0
    rerank_url: Annotated[
        str, Meta(description="Root of a reranking API (Jina, Cohere, vLLM, Zhipu: it answers POST /rerank); empty reranks nothing.")
    ] = ""
    rerank_api_key: Annotated[Secret, Meta(description="Key of the reranking API.")] = Secret()
    rerank_name: Annotated[str, Meta(description="ModelSettings name sent to the reranking API.")] = "rerank"
    rerank_timeout_s: Annotated[float, Meta(gt=0, le=30, description="Hits not reranked by then keep their order.")] = 1.0
    parse_processes: Annotated[int, Meta(ge=1, le=64, description="Child processes that parse and embed.")] = 1


class WorkerSettings(Section, frozen=True, kw_only=True):
    """Workers: how much is in flight, how failure is met."""

    prefix: ClassVar[str] = "CLAW_LANE_"

    key_queue_max: Annotated[int, Meta(ge=1, le=10_000, description="Events queued behind one key before its partition pauses.")] = 32
    window: Annotated[int, Meta(ge=16, le=100_000, description="Unacknowledged span per partition.")] = 1_000
    retry_s: Annotated[float, Meta(ge=0, le=300, description="Longest retry in place before an event is dead-lettered.")] = 30.0
    deaths_max: Annotated[int, Meta(ge=1, le=20, description="Process deaths on one event before it is dead-lettered.")] = 3
    late_s: Annotated[
        float, Meta(gt=0, le=10, description="With an event loop later than this a chat worker begins no answers until some have ended.")
    ] = 0.1
    stuck_s: Annotated[float, Meta(gt=0, le=3600, description="Lag without progress this long ends the worker (it is restarted).")] = 240.0
    lease_s: Annotated[float, Meta(ge=1, le=60, description="Life of a lease on a key; renewed at a third of it.")] = 10.0
    session_timeout_s: Annotated[float, Meta(ge=6, le=60, description="KafkaSettings drops a silent worker after this.")] = 12.0
    inbox_tenants: Annotated[
        str, Meta(description="Comma-separated tenants whose inbox topic is read; `default` is the open one of the loopback profile.")
    ] = "default"

    @property
    def inboxes(self) -> tuple[str, ...]:
        """The tenants of ``inbox_tenants``."""
        return tuple(tenant for tenant in (each.strip() for each in self.inbox_tenants.split(",")) if tenant)


class Settings(Struct, frozen=True, kw_only=True):
    """Everything a process is told; built once at its start."""

    node: NodeSettings = NodeSettings()
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    index: IndexSettings = IndexSettings()
    auth: AuthSettings = AuthSettings()
    limits: LimitSettings = LimitSettings()
    socket: SocketSettings = SocketSettings()
    quotas: QuotaSettings = QuotaSettings()
    model: ModelSettings = ModelSettings()
    model_second: SecondModelSettings = SecondModelSettings()
    model_third: ThirdModelSettings = ThirdModelSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    documents: DocumentSettings = DocumentSettings()
    cache: CacheSettings = CacheSettings()
    lanes: WorkerSettings = WorkerSettings()

    @property
    def prompt_tokens_max(self) -> int:
        """The budget of a prompt, in estimated tokens: the passages', and what rules, history and question may take."""
        return self.retrieval.context_tokens + PROMPT_OVERHEAD_TOKENS

    @property
    def encryption_secret(self) -> Secret:
        """What passwords of files are sealed with."""
        return self.documents.secret or self.auth.secret

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read every known variable; raises ConfigurationError naming the variable, its limit, and unknown ``CLAW_*`` names."""
        known: set[str] = set()
        sections: dict[str, Any] = {}
        for name, section in sections_of(cls):
            values: dict[str, str] = {}
            for field in msgspec.structs.fields(section):
                variable = section.prefix + field.name.upper()
                known.add(variable)
                if environ.get(variable, "") != "":
                    values[field.name] = environ[variable]
            sections[name] = _convert(section, values)
        unknown = sorted(v for v in environ if v.startswith("CLAW_") and v not in known and not v.startswith(NOT_SETTINGS))
        if unknown:
            raise ConfigurationError(f"unknown setting {', '.join(unknown)}: see docs/settings.md for the names there are")
        return cls(**sections)


NOT_SETTINGS = ("CLAW_TEST_", "CLAW_DATA")  # read by tests and benchmarks only


def sections_of(cls: type[Settings]) -> Iterator[tuple[str, type[Section]]]:
    """Field name and section type, in order."""
    yield from get_type_hints(cls).items()


def _convert(section: type[Section], values: dict[str, str]) -> Section:
    try:
        return msgspec.convert(values, section, strict=False, dec_hook=_decode_special)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        variable = section.prefix + path.rstrip("`").upper()
        raise ConfigurationError(f"{variable}: {message[0].lower()}{message[1:]}") from error


def _decode_special(kind: type, value: Any) -> Any:
    if kind is Secret:
        return Secret(str(value))
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)
