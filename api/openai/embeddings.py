"""``POST /v1/embeddings``: vectors of the model that indexes are built with, computed by the agent that has the model."""

import asyncio
import base64
import struct
from http import HTTPStatus

from litestar import Response, post
from litestar.params import JSONBody

from adapters.text.language import estimate_tokens
from api.http.late_repeats import RUNS_AGAIN
from api.http.request import ApiRequest
from api.http.responses import invalid_field, json_response, run_idempotent
from api.knowledge import index_requests
from api.limits.ports import LimitPorts
from api.openai import requests
from api.openai.errors import ERRORS
from api.openai.requests import IGNORED, check_model
from api.openai.token_arrays import decode_tokens
from schemas import model_names
from schemas.bodies.openai import EMBEDDING_INPUTS_MAX, Embedding, EmbeddingCreate, EmbeddingList, EmbeddingUsage
from schemas.errors import FieldError, Refused
from schemas.requests import EMBED_TEXTS_MAX, Embed, Vectors

BODY_BYTES_MAX = 16_777_216  # 2,048 texts of 8 KB
AT_ONCE_MAX = 2  # concurrent requests to the worker group per call, so that calls of others get in between
FLOAT_BYTES = 4


@post(
    "/embeddings",
    opt=RUNS_AGAIN,
    request_max_body_size=BODY_BYTES_MAX,
    responses=ERRORS,
    status_code=HTTPStatus.OK,
    summary="Create embeddings",
    operation_id="Embeddings",
)
async def create(request: ApiRequest, data: JSONBody[EmbeddingCreate]) -> Response[EmbeddingList]:
    """In the order of the inputs; the usage is an estimate."""
    check_model(data.model, model_names.EMBEDDING_ALIAS, model_names.embedding(request.core.settings))
    _check_dimensions(data.dimensions, model_names.dimensions(request.core.settings))
    await request.ports(LimitPorts).quotas.check_budget()
    texts = _texts(data, request.core.settings.retrieval.embedding_tokens_file)
    await _spend_tokens(request, texts)
    ignored = requests.find_ignored(await request.body(), EmbeddingCreate)
    headers = {IGNORED: ", ".join(ignored)} if ignored else {}

    async def make() -> Response[EmbeddingList]:
        return json_response(_embedding_list(data, await _vectors(request, texts)), headers=headers)

    return await run_idempotent(request, make)


async def _spend_tokens(request: ApiRequest, texts: tuple[str, ...]) -> None:
    """Refused for a call that is too large, or beyond the caller's rate."""
    tokens, tokens_max = sum(map(estimate_tokens, texts)), request.core.settings.limits.embedding_call_tokens_max
    if tokens > tokens_max:
        raise invalid_field("input", f"has {tokens} tokens in all, as estimated", f"{tokens_max} tokens; send the inputs in several calls")
    await request.http.limiting.spend_embedding_tokens(request.user, tokens)


async def _vectors(request: ApiRequest, texts: tuple[str, ...]) -> list[Vectors]:
    places = asyncio.Semaphore(AT_ONCE_MAX)

    async def some(first: int) -> Vectors:
        caller = request.user
        async with places:
            ask = Embed(texts=texts[first : first + EMBED_TEXTS_MAX], user_id=caller.account_id, api_key_id=caller.key_id)
            return await index_requests.embed_texts(request, ask)

    asking = [asyncio.create_task(some(first)) for first in range(0, len(texts), EMBED_TEXTS_MAX)]
    try:
        return await asyncio.gather(*asking)
    finally:
        for each in asking:  # one has failed, or the caller has disconnected: the others are not needed
            each.cancel()


def _embedding_list(data: EmbeddingCreate, parts: list[Vectors]) -> EmbeddingList:
    rows = [row for part in parts for row in _rows(part)]
    tokens = sum(part.tokens for part in parts)
    packed = data.encoding_format == "base64"
    return EmbeddingList(
        data=tuple(Embedding(index=index, embedding=_to_base64(row) if packed else _numbers(row)) for index, row in enumerate(rows)),
        model=data.model,
        usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens),
    )


def _rows(part: Vectors) -> list[bytes]:
    size = part.dimensions * FLOAT_BYTES
    return [part.values[first : first + size] for first in range(0, len(part.values), size)]


def _to_base64(row: bytes) -> str:
    return base64.b64encode(row).decode()


def _numbers(row: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(row) // FLOAT_BYTES}f", row)


def _texts(data: EmbeddingCreate, vocabulary_path: str) -> tuple[str, ...]:
    given = (data.input,) if isinstance(data.input, str) else data.input
    tokens = tuple(each for each in given if isinstance(each, int))
    if len(tokens) == len(given):
        return (decode_tokens("input", tokens, vocabulary_path),)
    if tokens:
        raise invalid_field("input", "mixes tokens with texts or lists", "a text, a list of texts, or a list of lists of tokens")
    if len(given) > EMBEDDING_INPUTS_MAX:
        raise invalid_field("input", f"has {len(given)} inputs", f"{EMBEDDING_INPUTS_MAX} inputs")
    return tuple(
        decode_tokens(f"input[{place}]", each, vocabulary_path) if isinstance(each, tuple) else str(each)
        for place, each in enumerate(given)
    )


def _check_dimensions(asked: int | None, offered: int) -> None:
    if asked not in (None, offered):
        wrong = FieldError("dimensions", "the model's vectors cannot be shortened", str(offered))
        raise Refused("unsupported_parameter", errors=(wrong,))
