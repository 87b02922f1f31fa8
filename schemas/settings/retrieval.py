"""Settings of chunking, embedding and search."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Secret, Section


class RetrievalSettings(Section, frozen=True, kw_only=True):
    """Chunking, embedding and search."""

    prefix: ClassVar[str] = "CLAW_RETRIEVAL_"

    embedding: Annotated[
        Literal["local", "wordllama", "openai", "zhipu"],
        Meta(
            description="Embedding model, part of the index's name. `local`: a multilingual static table, made once per user (about 25 s)."
            " `wordllama`: a smaller one that knows little but English."
        ),
    ] = "local"
    embedding_folder: Annotated[
        str, Meta(description="Folder of the multilingual table; empty = `$XDG_CACHE_HOME/claw/embeddings` or `~/.cache/claw/embeddings`.")
    ] = ""
    embedding_base_url: Annotated[str, Meta(description="Base URL of the embeddings API; empty = from the preset.")] = ""
    embedding_api_key: Annotated[Secret, Meta(description="API key of the embeddings provider.")] = Secret()
    embedding_name: Annotated[str, Meta(description="Model name sent to the embeddings provider; empty = from the preset.")] = ""
    embedding_dimensions: Annotated[int, Meta(ge=0, le=8192, description="Dimensions of a vector; 0 = from the preset.")] = 0
    embedding_tokens_file: Annotated[
        str,
        Meta(description="tiktoken's cl100k_base.tiktoken, by which the API reads token arrays at /v1/embeddings; empty refuses them."),
    ] = ""
    embedding_permits: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            description="Embedding calls in flight over all processes; 0 = the permits of the first answering model when both"
            " have the same base URL, otherwise no limit.",
        ),
    ] = 0
    encoder: Annotated[
        Literal["", "multilingual"],
        Meta(
            description="Encoder of a second vector, which chunks get while the machine is idle; needs the embedding `local`."
            " `multilingual`: finds more across languages; about 30 ms of one core and 4 KB a chunk, 2 ms a question. Empty = none."
        ),
    ] = ""
    rebuild_automatically: Annotated[
        bool,
        Meta(
            description="Whether an index of another embedding, or of an earlier release, is rebuilt without a command. Until then it is"
            " searched as it is; a provider's embedding is paid for once more."
        ),
    ] = True
    chunk_tokens: Annotated[int, Meta(ge=32, le=2048, description="Target size of a chunk in tokens.")] = 320
    chunk_tokens_max: Annotated[int, Meta(ge=64, le=4096, description="Maximum size of a chunk in tokens.")] = 480
    chunks_per_document_max: Annotated[
        int, Meta(ge=1, le=100_000, description="Maximum chunks of a document; beyond it the document fails with `document_too_large`.")
    ] = 5_000
    passages: Annotated[int, Meta(ge=1, le=50, description="Number of passages in a prompt.")] = 6
    candidates: Annotated[int, Meta(ge=1, le=500, description="Hits of each retriever (BM25, dense) before fusion.")] = 30
    meaning_weight: Annotated[
        float,
        Meta(
            ge=0,
            le=10,
            description="Multiplies the weight that the ranking by meaning has beside that by words (BM25); 0 ranks by words alone.",
        ),
    ] = 1.0
    context_tokens: Annotated[int, Meta(ge=100, le=131_072, description="Maximum tokens of all passages in a prompt.")] = 2_400
    table_rows_max: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="Maximum rows of a table that a question reads to count, compare or add; 0 = no computed answers.",
        ),
    ] = 50_000
    table_cells_max: Annotated[int, Meta(ge=1, le=10_000_000, description="Maximum cells of a table that a question reads.")] = 500_000
    time_zone: Annotated[
        str,
        Meta(
            max_length=64,
            description="Time zone (IANA, such as `Asia/Shanghai`) in which a question on a table says 今天, 本月 or last quarter; the days"
            " meant stand in the answer.",
        ),
    ] = "UTC"
    meaning_min: Annotated[
        float,
        Meta(
            ge=0,
            le=1.01,
            description="Cosine from which a passage in another language, or any where none has a word of the question, is quoted by "
            "the `local` model; above 1 none is. The scale is that of the embedding `local`.",
        ),
    ] = 0.26
    condense_timeout_s: Annotated[
        float, Meta(gt=0, le=30, description="Timeout for the model to rewrite a follow-up question; after it rules rewrite the question.")
    ] = 3.0
    rerank_provider: Annotated[
        Literal["", "zhipu", "jina", "cohere", "tei"],
        Meta(
            description="Format of the reranking API: `zhipu` (BigModel), `jina` (vLLM and Xinference too), `cohere`, `tei` (Text"
            " Embeddings Inference); empty = `jina` where a URL is set, otherwise no reranking."
        ),
    ] = ""
    rerank_url: Annotated[str, Meta(description="Base URL of a reranking API with POST /rerank; empty = from the preset.")] = ""
    rerank_api_key: Annotated[Secret, Meta(description="API key of the reranking API.")] = Secret()
    rerank_name: Annotated[str, Meta(description="Model name sent to the reranking API; empty = from the preset.")] = ""
    rerank_timeout_s: Annotated[
        float, Meta(gt=0, le=30, description="Longest time that reranking may add to a question; after it the hits keep their order.")
    ] = 1.0
    rerank_breaker_failures: Annotated[
        int, Meta(ge=1, le=1000, description="Consecutive failures of the reranking API after which it is left alone for a while.")
    ] = 3
    rerank_breaker_pause_s: Annotated[
        float, Meta(gt=0, le=3600, description="Time without reranking after these failures; then one call probes the API.")
    ] = 10.0
    parse_processes: Annotated[int, Meta(ge=1, le=64, description="Number of child processes that parse text and embed.")] = 1
