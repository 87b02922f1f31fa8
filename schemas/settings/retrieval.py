"""Settings of chunking, embedding and search."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Secret, Section


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
    embedding_tokens_file: Annotated[
        str,
        Meta(description="tiktoken's cl100k_base.tiktoken, by which the API reads token arrays at /v1/embeddings; empty refuses them."),
    ] = ""
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
    rerank_name: Annotated[str, Meta(description="Model name sent to the reranking API.")] = "rerank"
    rerank_timeout_s: Annotated[float, Meta(gt=0, le=30, description="Hits not reranked by then keep their order.")] = 1.0
    parse_processes: Annotated[int, Meta(ge=1, le=64, description="Child processes that parse and embed.")] = 1
