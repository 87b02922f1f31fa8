"""What reranking servers take and return: pure functions from and to bytes.

| provider | request | reply |
|---|---|---|
| ``zhipu`` (BigModel) | model, query, documents; at most 128 of 4,096 characters each | results of index and relevance_score |
| ``jina`` (vLLM, Xinference too) | the same, and top_n | the same |
| ``cohere`` (v2) | the same; documents are never returned | the same |
| ``tei`` (Text Embeddings Inference) | query, texts; by default at most 32 | a bare list of index and score |
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

RerankProvider = Literal["zhipu", "jina", "cohere", "tei"]
Pairs = Iterable[tuple[int, float]]


class RerankFormat(Struct, frozen=True, kw_only=True):
    """One kind of server. ``texts_max`` of one call: more are sent in several. ``encode``: the members beside the query and the texts."""

    base_url: str
    model: str
    texts_max: int
    text_chars_max: int
    query_chars_max: int
    encode: Callable[[str, str, Sequence[str]], dict[str, Any]]
    decode: Callable[[bytes], Pairs]

    def request(self, model: str, query: str, texts: Sequence[str]) -> bytes:
        """The body of one call, its texts shortened to what the server takes."""
        short = [text[: self.text_chars_max] for text in texts]
        return msgspec.json.encode(self.encode(model or self.model, query[: self.query_chars_max], short))

    def scores(self, content: bytes, count: int) -> list[float]:
        """The score of each of ``count`` texts, in their order; those that the server leaves out (it may return only the best) come last.

        Raises ValueError for a reply that cannot be read or does not fit the texts: their order would be anybody's guess.
        """
        scores = [-math.inf] * count
        named = 0
        for index, score in self.decode(content):
            named += 1
            if named > count:
                raise ValueError(f"it scores more than the {count} texts that were sent")
            if not 0 <= index < count:
                raise ValueError(f"it scores text {index} of {count}")
            if scores[index] != -math.inf:
                raise ValueError(f"it scores text {index} twice")
            if not math.isfinite(score):
                raise ValueError(f"the score of text {index} is no number")
            scores[index] = score
        if count and not named:
            raise ValueError("it scores nothing")
        return scores


class _Result(Struct):
    index: int
    relevance_score: float


class _Results(Struct):
    results: list[_Result]


class _Rank(Struct):
    index: int
    score: float


_results = msgspec.json.Decoder(_Results)
_ranks = msgspec.json.Decoder(list[_Rank])


def _decode_results(content: bytes) -> Pairs:
    return ((each.index, each.relevance_score) for each in _results.decode(content).results)


def _decode_ranks(content: bytes) -> Pairs:
    return ((each.index, each.score) for each in _ranks.decode(content))


def _encode_zhipu(model: str, query: str, texts: Sequence[str]) -> dict[str, Any]:
    return {"model": model, "query": query, "documents": texts, "return_documents": False}


def _encode_jina(model: str, query: str, texts: Sequence[str]) -> dict[str, Any]:
    return {"model": model, "query": query, "documents": texts, "top_n": len(texts), "return_documents": False}


def _encode_cohere(model: str, query: str, texts: Sequence[str]) -> dict[str, Any]:
    return {"model": model, "query": query, "documents": texts, "top_n": len(texts)}


def _encode_tei(_: str, query: str, texts: Sequence[str]) -> dict[str, Any]:
    return {"query": query, "texts": texts, "raw_scores": False, "return_text": False, "truncate": True}


FORMATS: dict[RerankProvider, RerankFormat] = {
    "zhipu": RerankFormat(
        base_url="https://open.bigmodel.cn/api/paas/v4",
        model="rerank",
        texts_max=128,
        text_chars_max=4_096,
        query_chars_max=4_096,
        encode=_encode_zhipu,
        decode=_decode_results,
    ),
    "jina": RerankFormat(
        base_url="https://api.jina.ai/v1",
        model="jina-reranker-v2-base-multilingual",
        texts_max=500,
        text_chars_max=4_000,
        query_chars_max=4_000,
        encode=_encode_jina,
        decode=_decode_results,
    ),
    "cohere": RerankFormat(
        base_url="https://api.cohere.com/v2",
        model="rerank-v3.5",
        texts_max=500,
        text_chars_max=4_000,
        query_chars_max=4_000,
        encode=_encode_cohere,
        decode=_decode_results,
    ),
    "tei": RerankFormat(
        base_url="",
        model="",
        texts_max=32,
        text_chars_max=4_000,
        query_chars_max=4_000,
        encode=_encode_tei,
        decode=_decode_ranks,
    ),
}
