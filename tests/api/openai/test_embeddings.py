"""The official client's vectors and models: the real agent on the real log."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import openai
import pytest
import pytest_asyncio

from api.http.identity import Caller
from api.http.ports import HttpPorts
from domain.usage.topics import USAGE_RECORDED
from schemas import model_names
from schemas.settings import Settings
from tests.support.api_people import tenant_of
from tests.support.api_process import House, Person, opened, with_limits
from tests.support.index_library import Library
from tests.support.query_agent import working
from tests.support.standalone import client_of, everything_on, key_of_scope

pytestmark = pytest.mark.asyncio(loop_scope="session")
EMBEDDING = model_names.EMBEDDING["local"][0]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def library(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Library]:
    async with working(house, tmp_path_factory.mktemp("index")) as at_work:
        yield at_work


@pytest_asyncio.fixture(loop_scope="session")
async def client(house: House, ada: Person, library: Library) -> AsyncIterator[openai.AsyncOpenAI]:
    async with client_of(house, await key_of_scope(ada, "chat")) as official:
        yield official


async def test_models(client: openai.AsyncOpenAI):
    listed = [model.id async for model in await client.models.list()]
    assert listed == ["claw", "local", "claw-embedding", EMBEDDING]
    for name in listed:
        assert (await client.models.retrieve(name)).id == name
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("BAAI/bge-m3")


async def test_embeddings(house: House, ada: Person, client: openai.AsyncOpenAI, library: Library):
    """The same numbers in both encodings, those of the index; counted and charged; in order over many batches."""
    texts = [f"Paragraph {n} of the rules." for n in range(40)]
    packed = await client.embeddings.create(model="claw-embedding", input=texts)  # the client asks for base64 by itself
    plain = await client.embeddings.create(model=EMBEDDING, input=texts, encoding_format="float")
    expected = await library.engines[""].encoder.embed(texts)
    assert np.allclose([row.embedding for row in packed.data], expected)
    assert np.allclose([row.embedding for row in plain.data], expected)
    assert [row.index for row in plain.data] == list(range(40))
    single = await client.embeddings.create(model=EMBEDDING, input=texts[0], dimensions=256)
    assert np.allclose(single.data[0].embedding, expected[0])
    assert plain.usage.prompt_tokens == plain.usage.total_tokens > 40
    charged = [event.data for event in await everything_on(house, USAGE_RECORDED) if event.subject == ada.user["id"]]
    assert len(charged) == 2 * 3 + 1
    assert sum(charge.prompt_tokens for charge in charged) == sum(each.usage.prompt_tokens for each in (packed, plain, single))
    assert {charge.purpose for charge in charged} == {"embedding"}
    assert {charge.model for charge in charged} == {EMBEDDING}
    assert all(charge.api_key_id for charge in charged)


@pytest.mark.parametrize(
    ("body", "error", "param"),
    [
        ({"input": ""}, openai.UnprocessableEntityError, "input"),
        ({"input": []}, openai.UnprocessableEntityError, "input"),
        ({"input": [1, 2]}, openai.BadRequestError, "input"),
        ({"input": [[1, 2]]}, openai.BadRequestError, "input[0]"),
        ({"input": [1, "x"]}, openai.UnprocessableEntityError, "input"),
        ({"input": ["x" * 8_001]}, openai.UnprocessableEntityError, "input[0]"),
        ({"input": ["x"] * 2_049}, openai.UnprocessableEntityError, "input"),
        ({"input": ["字" * 8_000] * 150}, openai.UnprocessableEntityError, "input"),
        ({"dimensions": 64}, openai.BadRequestError, "dimensions"),
        ({"model": "claw"}, openai.NotFoundError, "model"),
    ],
)
async def test_what_is_not_embedded(client: openai.AsyncOpenAI, body: dict[str, Any], error: type[openai.APIStatusError], param: str):
    with pytest.raises(error) as refused:
        await client.embeddings.create(**({"model": "claw-embedding", "input": "x"} | body))
    assert refused.value.param == param


async def test_many_inputs_and_parameters_of_other_servers(client: openai.AsyncOpenAI):
    """As many as LangChain sends; what this API does not know is passed over and named."""
    texts = [f"Sentence {n} of {n % 7}." for n in range(1_000)]
    given = await client.embeddings.with_raw_response.create(
        model="claw-embedding", input=texts, user="u", extra_body={"truncate_prompt_tokens": 512, "input_type": "query"}
    )
    assert len(given.parse().data) == 1_000
    assert given.headers["x-ignored-parameters"] == "truncate_prompt_tokens, input_type"


async def test_the_same_key_embeds_once(house: House, ada: Person, client: openai.AsyncOpenAI):
    """One charge, one answer; another body is refused."""
    key = {"Idempotency-Key": "k"}
    first = await client.embeddings.create(model=EMBEDDING, input="x", extra_headers=key)
    assert await client.embeddings.create(model=EMBEDDING, input="x", extra_headers=key) == first
    assert len([event for event in await everything_on(house, USAGE_RECORDED) if event.subject == ada.user["id"]]) == 1
    with pytest.raises(openai.ConflictError):
        await client.embeddings.create(model=EMBEDDING, input="y", extra_headers=key)


async def test_a_front_end_embeds_a_file_under_the_limits_as_they_are(api_settings: Settings, tmp_path_factory: pytest.TempPathFactory):
    """A file of 140 KB in calls of one input each, twenty at once, and then 2,048 inputs in one; the limit is on tokens."""
    text = "Every employee has 25 days of leave, which are granted by the head of the department. " * 1_650
    pieces = [text[first : first + 630] for first in range(0, len(text), 630)]
    assert (len(pieces) >= 223, len(text) > 140_000) == (True, True)
    async with opened(with_limits(api_settings)) as house, working(house, tmp_path_factory.mktemp("index")):
        ada = await house.person()
        places = asyncio.Semaphore(20)
        async with client_of(house, await key_of_scope(ada, "chat")) as client:

            async def embed(piece: str) -> int:
                async with places:
                    return len((await client.embeddings.create(model="claw-embedding", input=piece)).data)

            assert sum(await asyncio.gather(*map(embed, pieces))) == len(pieces)
            many = await client.embeddings.create(model="claw-embedding", input=[f"Line {n}" for n in range(2_048)])
            assert [row.index for row in many.data] == list(range(2_048))
            caller = Caller(ada.user["id"], tenant_of(ada), "user", "free")
            limiting = house.ports(HttpPorts).limiting
            left = next(each.remaining for each in (await limiting.peek("", caller)).states if each.rule.name == "embedding_tokens")
            await limiting.spend_embedding_tokens(caller, left)
            with pytest.raises(openai.RateLimitError, match="embedding_tokens") as refused:
                await client.embeddings.create(model="claw-embedding", input="字" * 8_000)
            assert int(refused.value.response.headers["retry-after"]) > 0
