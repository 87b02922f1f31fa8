"""The official client against ``/v1``: the real agents on the real log, a provider that listens. Its calls work unchanged."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest
import pytest_asyncio

from adapters.models.providers.openai import OpenAIModel
from api.chats.ports import ChatPorts
from api.http.ports import HttpPorts
from api.limits.routes import route_templates
from benchmarks.stub_provider import StubProvider
from benchmarks.stub_server import serving
from domain.chats.topics import MESSAGES_CHANGED
from domain.limits.rules import default_rules, problems_of
from domain.usage.topics import USAGE_RECORDED
from schemas.chats import Sampling, Turn
from schemas.settings import LimitSettings
from tests.support.answering_agents import answering
from tests.support.api_people import tenant_of
from tests.support.api_process import House, Person, opened, with_limits
from tests.support.index_library import Library
from tests.support.model_samples import KEY, model_settings
from tests.support.query_agent import working
from tests.support.standalone import asked_event, broken_off, client_of, everything_on, key_of_scope

pytestmark = pytest.mark.asyncio(loop_scope="session")
LEAVE = "Everybody has 25 days of leave a year."
ASK: list[Any] = [{"role": "user", "content": "How many days of leave?"}]
PROGRAMS: list[Any] = msgspec.json.decode((Path(__file__).parent / "programs.json").read_bytes())
TOOLS: list[Any] = [{"type": "function", "function": {"name": "lamp_state", "parameters": {"type": "object", "properties": {}}}}]


class Stub:
    """The provider; ``says`` changes how it answers from now on."""

    def __init__(self, provider: StubProvider, model: OpenAIModel) -> None:
        self.provider, self.model = provider, model

    def says(self, behaviour: str) -> None:
        self.model._endpoint.model = f"stub?{behaviour}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def library(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Library]:
    async with working(house, tmp_path_factory.mktemp("index")) as at_work:
        yield at_work


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def at_work(house: House, library: Library) -> AsyncIterator[Stub]:
    provider = StubProvider(key=KEY)
    async with serving(provider) as root:
        model = OpenAIModel(model_settings(root, "stub", breaker_failures=100), jitter=lambda: 0.0)
        async with answering(house, library, model):
            yield Stub(provider, model)


@pytest.fixture
def stub(at_work: Stub) -> Iterator[Stub]:
    """Says one sentence and cites the first passage."""
    at_work.says("text=25 days [1].")
    yield at_work
    at_work.says("")


@pytest_asyncio.fixture(loop_scope="session")
async def client(house: House, ada: Person, library: Library) -> AsyncIterator[openai.AsyncOpenAI]:
    """Ada's, with a key for chats only; she has a document."""
    await library.add(tenant_of(ada), ada.base, "rules", 3, LEAVE)
    async with client_of(house, await key_of_scope(ada, "chat")) as official:
        yield official


async def test_completion(house: House, ada: Person, client: openai.AsyncOpenAI, stub: Stub):
    completion = await client.chat.completions.create(model="claw", messages=ASK, user="u", store=True, seed=1)
    assert completion.id.startswith("chatcmpl-")
    assert (completion.object, completion.model) == ("chat.completion", "claw")
    assert completion.system_fingerprint
    (choice,) = completion.choices
    assert (choice.finish_reason, choice.message.role, choice.message.content) == ("stop", "assistant", "25 days [1].")
    assert choice.message.annotations is not None
    (annotation,) = choice.message.annotations
    place, citation = annotation.url_citation, annotation.model_dump()["citation"]
    assert (annotation.type, place.title, "25 days [1]."[place.start_index : place.end_index]) == ("url_citation", "rules", "[1]")
    assert place.url == f"{str(client.base_url).removesuffix('/v1/')}/api/v1/knowledge/{ada.base}/documents/rules"
    assert citation["quote"] in LEAVE
    assert citation["version"] == 3
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0
    reply = completion.id.removeprefix("chatcmpl-")
    charges = [event.data for event in await everything_on(house, USAGE_RECORDED) if event.data.reply_id == reply]
    assert [charge.prompt_tokens for charge in charges] == [completion.usage.prompt_tokens]
    assert charges[0].api_key_id
    kept = (await ada.call("GET", f"/knowledge/queries/{reply}")).json()
    assert (kept["state"], kept["answer"], kept["citations"]) == ("complete", "25 days [1].", [citation])
    assert (await ada.call("GET", "/conversations")).json()["items"] == []
    assert reply not in {event.subject for event in await everything_on(house, MESSAGES_CHANGED)}


async def test_streamed(client: openai.AsyncOpenAI, stub: Stub):
    """Text, citations, end and tokens as the whole has them."""
    whole = await client.chat.completions.create(model="claw", messages=ASK)
    stream = await client.chat.completions.create(model="claw", messages=ASK, stream=True, stream_options={"include_usage": True})
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    annotations = [each for delta in deltas for each in getattr(delta, "annotations", ())]
    assert annotations == [each.model_dump() for each in whole.choices[0].message.annotations or ()]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1


async def test_streaming_helper(client: openai.AsyncOpenAI, stub: Stub):
    """The client's own accumulator makes the same of the chunks."""
    async with client.chat.completions.stream(model="claw", messages=ASK) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "25 days [1]."
    assert final.choices[0].finish_reason == "stop"


async def test_synchronous_client(house: House, ada: Person, client: openai.AsyncOpenAI, stub: Stub):
    """An access token is as good as a key."""

    def call() -> tuple[str | None, str]:
        with openai.OpenAI(base_url=str(client.base_url), api_key=ada.token, max_retries=0) as synchronous:
            whole = synchronous.chat.completions.create(model="claw", messages=ASK)
            stream = synchronous.chat.completions.create(model="claw", messages=ASK, stream=True)
            return whole.choices[0].message.content, "".join(c.choices[0].delta.content or "" for c in stream if c.choices)

    assert await asyncio.to_thread(call) == ("25 days [1].", "25 days [1].")


async def test_the_question_as_it_is_asked(house: House, ada: Person, client: openai.AsyncOpenAI, stub: Stub):
    """Instructions, history, sampling and stops travel with it; no knowledge base is chosen by an empty list."""
    messages: list[Any] = [{"role": "system", "content": "Be short."}, ASK[0], {"role": "assistant", "content": "25."}, ASK[0]]
    completion = await client.chat.completions.create(
        model="claw", messages=messages, stop=["END"], max_tokens=9, temperature=0, metadata={"knowledge_base_ids": "", "mode": "assistant"}
    )
    assert completion.choices[0].message.annotations == []
    question = await asked_event(house, completion.id.removeprefix("chatcmpl-"))
    assert question.sampling == Sampling(max_tokens=9, temperature=0.0, stop=("END",))
    assert (question.system_prompt, question.history) == ("Be short.", (Turn("user", ASK[0]["content"]), Turn("assistant", "25.")))
    assert (question.door, question.knowledge_base_ids) == ("openai", ())
    sent = stub.provider.stats.last_request
    assert (sent["stop"], sent["max_tokens"], sent["temperature"]) == (["END"], 9, 0.0)
    chosen = await client.chat.completions.create(model="local", messages=ASK, metadata={"knowledge_base_ids": ada.base})
    assert (await asked_event(house, chosen.id.removeprefix("chatcmpl-"))).knowledge_base_ids == (ada.base,)
    answer = chosen.choices[0].message
    again = await client.chat.completions.create(model="claw", messages=[*ASK, answer.model_dump(), *ASK])  # type: ignore[list-item]
    assert again.choices[0].message.content == "25 days [1]."


async def test_errors_are_the_clients_own(house: House, ada: Person, bob: Person, client: openai.AsyncOpenAI, stub: Stub):
    create = client.chat.completions.create
    with pytest.raises(openai.AuthenticationError) as unknown:
        await client.with_options(api_key="claw_nonsense").models.list()
    assert (unknown.value.status_code, unknown.value.code) == (401, "invalid_api_key")
    async with client_of(house, await key_of_scope(ada, "knowledge:read")) as reader:
        with pytest.raises(openai.PermissionDeniedError):
            await reader.chat.completions.create(model="claw", messages=ASK)
    with pytest.raises(openai.NotFoundError) as no_model:
        await create(model="gpt-4o", messages=ASK)
    assert (no_model.value.code, no_model.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError) as no_base:
        await create(model="claw", messages=ASK, metadata={"knowledge_base_ids": bob.base})
    assert no_base.value.code == "not_found"
    with pytest.raises(openai.UnprocessableEntityError) as hot:
        await create(model="claw", messages=ASK, temperature=3)
    assert (hot.value.param, hot.value.type) == ("temperature", "invalid_request_error")
    with pytest.raises(openai.UnprocessableEntityError):
        await create(model="claw", messages=[])
    with pytest.raises(openai.UnprocessableEntityError) as empty:
        await create(model="claw", messages=[{"role": "user", "content": " "}])
    assert empty.value.param == "messages[0].content"
    with pytest.raises(openai.BadRequestError) as required:
        await create(model="claw", messages=ASK, tools=TOOLS, tool_choice="required")
    assert (required.value.code, required.value.param) == ("unsupported_parameter", "tool_choice")
    assert "no tool is called here" in required.value.message
    assert required.value.request_id
    with pytest.raises(openai.BadRequestError) as named:
        await create(model="claw", messages=ASK, tools=TOOLS, tool_choice={"type": "function", "function": {"name": "lamp_state"}})
    assert named.value.param == "tool_choice"
    unreadable = await house.client.post("/v1/chat/completions", content=b"{", headers=ada.headers | {"content-type": "application/json"})
    assert (unreadable.status_code, unreadable.json()["error"]["code"]) == (400, "invalid_request")
    nowhere = await house.client.post("/v1/nothing")
    assert (nowhere.status_code, nowhere.json()["error"]["type"]) == (404, "invalid_request_error")


async def test_requests_as_other_peoples_programs_send_them(house: House, client: openai.AsyncOpenAI, stub: Stub):
    """Written after recordings of Open WebUI, and after what Cherry Studio, Dify, FastGPT and BigModel's client put into a body."""
    key = {"Authorization": f"Bearer {client.api_key}"}
    for recorded in PROGRAMS:
        answer = await house.client.post("/v1/chat/completions", json=recorded["body"], headers=key)
        assert answer.status_code == 200, (recorded["program"], answer.text)
        assert answer.headers.get("x-ignored-parameters", "") == recorded["ignored"], recorded["program"]
        if recorded["body"].get("stream"):
            assert answer.text.endswith("data: [DONE]\n\n")
            assert "tool_calls" not in answer.text
        else:
            assert answer.json()["choices"][0]["message"]["content"].startswith("25 days")


async def test_tools_are_ignored_and_their_turns_accepted(house: House, client: openai.AsyncOpenAI, stub: Stub):
    """The answer comes from the knowledge base; no tool reaches the provider."""
    call = {"id": "c", "type": "function", "function": {"name": "lamp_state", "arguments": "{}"}}
    before: list[Any] = [
        {"role": "user", "content": "Is the lamp on?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "on"},
        {"role": "assistant", "content": "It is."},
    ]
    answer = await client.chat.completions.create(
        model="claw", messages=[*before, *ASK], tools=TOOLS, tool_choice="auto", parallel_tool_calls=True
    )
    assert (answer.choices[0].message.content, answer.choices[0].message.tool_calls) == ("25 days [1].", None)
    assert answer.choices[0].finish_reason == "stop"
    question = await asked_event(house, answer.id.removeprefix("chatcmpl-"))
    assert question.history == (Turn("user", "Is the lamp on?"), Turn("assistant", "It is."))
    assert not {"tools", "tool_choice"} & set(stub.provider.stats.last_request)


async def test_numbers_that_stand_in_no_passage_are_named(ada: Person, client: openai.AsyncOpenAI, stub: Stub):
    """Beside the model's own words: whole, streamed and kept alike."""
    stub.says("text=25 days, and 31 more [1].")
    message = (await client.chat.completions.create(model="claw", messages=ASK)).choices[0].message
    assert message.content == "25 days, and 31 more [1]."
    marked = [{"text": "31", "start_index": 13, "end_index": 15}]
    assert message.model_dump()["unsupported_numbers"] == marked
    stream = await client.chat.completions.create(model="claw", messages=ASK, stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == message.content
    assert chunks[-1].choices[0].delta.model_dump()["unsupported_numbers"] == marked
    kept = (await ada.call("GET", f"/knowledge/queries/{chunks[0].id.removeprefix('chatcmpl-')}")).json()
    assert (kept["answer"], kept["unsupported_numbers"]) == (message.content, marked)


async def test_sources_are_numbered_as_the_answer_cites_them(
    house: House, ada: Person, library: Library, client: openai.AsyncOpenAI, stub: Stub
):
    """The model cites by rank; text, annotations, stream, and what is kept say 1, 2, 1."""
    for number in range(2, 5):
        await library.add(tenant_of(ada), ada.base, f"rules-{number}", number, f"Team {number} has {number} more days of leave a year.")
    stub.says("text=A [3]. B [1]. C [3].")
    whole = await client.chat.completions.create(model="claw", messages=ASK)
    message = whole.choices[0].message
    assert message.content == "A [1]. B [2]. C [1]."
    annotations = [each.model_dump() for each in message.annotations or ()]
    assert [(each["citation"]["marker"], each["citation"]["passage"]) for each in annotations] == [(1, 3), (2, 1), (1, 3)]
    assert [each["url_citation"]["start_index"] for each in annotations] == [2, 9, 16]
    assert len({each["citation"]["document_id"] for each in annotations}) == 2
    stream = await client.chat.completions.create(model="claw", messages=ASK, stream=True)
    deltas = [chunk.choices[0].delta async for chunk in stream]
    assert "".join(delta.content or "" for delta in deltas) == message.content
    assert [each for delta in deltas for each in getattr(delta, "annotations", ())] == annotations
    reply = whole.id.removeprefix("chatcmpl-")
    kept = (await ada.call("GET", f"/knowledge/queries/{reply}")).json()
    assert (kept["answer"], kept["citations"]) == (message.content, [each["citation"] for each in annotations])
    explained = (await ada.call("GET", f"/knowledge/queries/{reply}/explain")).json()
    assert {each["marker"] for each in explained["passages"] if each["cited"]} == {1, 3}
    ranked = {each["marker"]: each["document_id"] for each in explained["passages"]}
    assert [ranked[each["citation"]["passage"]] for each in annotations] == [each["citation"]["document_id"] for each in annotations]


async def test_rate_limit(api_settings):
    """429 with the time to come back, which the client's own retries honour."""
    async with opened(with_limits(api_settings, messages_per_minute=1, burst_factor=1)) as house:
        person = await house.person()
        async with client_of(house, person.token) as official:
            with pytest.raises(openai.NotFoundError):
                await official.chat.completions.create(model="none", messages=ASK)
            with pytest.raises(openai.RateLimitError) as refused:
                await official.chat.completions.create(model="none", messages=ASK)
    assert refused.value.code == "rate_limit_exceeded"
    assert int(refused.value.response.headers["retry-after"]) >= 1
    assert refused.value.response.headers["x-ratelimit-limit"] == "1"


async def test_a_provider_that_fails_has_a_status_before_the_first_word(client: openai.AsyncOpenAI, stub: Stub):
    stub.says("fault=400")
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError) as failed:
            await client.chat.completions.create(model="claw", messages=ASK, stream=stream)
        assert (failed.value.status_code, failed.value.code) == (502, "model_refused")


async def test_a_model_that_only_thinks_is_an_error_with_a_remedy_and_asked_once(client: openai.AsyncOpenAI, stub: Stub):
    """The official client repeats every other 502 twice: here each time would cost the same thinking again."""
    for thinks, stream in (("reasoning_content", False), ("reasoning", True), ("tags", True)):
        stub.says(f"text=25 days [1].&thinking=900&thinks={thinks}")
        before = stub.provider.stats.requests
        patient = client.with_options(max_retries=2)
        with pytest.raises(openai.InternalServerError) as failed:
            await patient.chat.completions.create(model="claw", messages=ASK, stream=stream, max_tokens=16)
        assert (failed.value.status_code, failed.value.code, failed.value.type) == (502, "model_answer_empty", "server_error")
        assert "max_tokens" in failed.value.message
        assert "Retry-After" not in failed.value.response.headers
        assert stub.provider.stats.requests == before + 1
        answer = await patient.chat.completions.create(model="claw", messages=ASK, max_tokens=1_000)
        assert answer.choices[0].message.content == "25 days [1]."


@pytest.mark.parametrize("thinks", ["reasoning_content", "reasoning", "tags"])
async def test_thinking_comes_beside_the_answer_when_it_is_asked_for(client: openai.AsyncOpenAI, stub: Stub, thinks: str):
    """As reasoning_content, where clients look for it; others never see it. Its tokens are counted for both."""
    stub.says(f"text=25 days [1].&thinking=20&thinks={thinks}&cached=7")
    thought = "".join(f"hm{i} [1] " for i in range(20)).split()
    asking: list[Any] = [{"include_reasoning": True}, {"thinking": {"type": "enabled"}}, {"enable_thinking": True}, {"think": "high"}]
    for extra in asking:
        whole = await client.chat.completions.create(model="claw", messages=ASK, extra_body=extra)
        message = whole.choices[0].message
        assert (message.content, message.model_dump()["reasoning_content"].split()) == ("25 days [1].", thought)
        assert whole.usage is not None
        assert whole.usage.completion_tokens_details is not None
        assert whole.usage.prompt_tokens_details is not None
        assert whole.usage.completion_tokens_details.reasoning_tokens == 20
        assert whole.usage.prompt_tokens_details.cached_tokens == 7
    told, text = "", ""
    async for chunk in await client.chat.completions.create(
        model="claw", messages=ASK, stream=True, extra_body={"include_reasoning": True}
    ):
        delta = chunk.choices[0].delta.model_dump()
        assert not (text and delta.get("reasoning_content")), "all of it comes before the answer"
        told, text = told + (delta.get("reasoning_content") or ""), text + (delta.get("content") or "")
    assert (told.split(), text) == (thought, "25 days [1].")
    others: list[Any] = [{}, {"reasoning_effort": "high"}, {"thinking": {"type": "enabled"}, "include_reasoning": False}]
    for extra in others:
        plain = await client.chat.completions.create(model="claw", messages=ASK, extra_body=extra)
        assert "hm1" not in plain.model_dump_json()


async def test_a_provider_that_breaks_off_ends_the_stream_in_an_error(client: openai.AsyncOpenAI, stub: Stub):
    stub.says("fault=cut_middle&tokens=8")
    text, error = await broken_off(await client.chat.completions.create(model="claw", messages=ASK, stream=True))
    assert text
    assert error.code == "answer_interrupted"


@pytest.mark.parametrize("stream", [True, False])
async def test_who_hangs_up_stops_the_provider(house: House, client: openai.AsyncOpenAI, stub: Stub, stream: bool):
    stub.says("fault=hang_middle&tokens=8")
    before = stub.provider.stats.disconnected
    if stream:
        chunks = await client.chat.completions.create(model="claw", messages=ASK, stream=True)
        async for chunk in chunks:
            if chunk.choices[0].delta.content:
                break
        await chunks.close()
    else:
        asking = asyncio.create_task(client.chat.completions.create(model="claw", messages=ASK))
        async with asyncio.timeout(10):
            while not stub.provider.stats.open:
                await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.wait([asking])
    async with asyncio.timeout(10):
        while stub.provider.stats.open or house.ports(HttpPorts).streams.count:
            await asyncio.sleep(0.01)
    assert stub.provider.stats.disconnected == before + 1


async def test_a_repeat_with_the_same_key_is_the_same_answer(house: House, client: openai.AsyncOpenAI, stub: Stub):
    """Whoever says that they will come back may hang up: the answer goes on, and is asked for and paid for once."""
    stub.says("text=25 days.&token_ms=20")
    before = stub.provider.stats.requests
    key = {"Idempotency-Key": uuid.uuid4().hex}
    chunks = await client.chat.completions.create(model="claw", messages=ASK, stream=True, extra_headers=key)
    async for chunk in chunks:
        if chunk.choices[0].delta.content:
            break
    await chunks.close()
    again = await client.chat.completions.create(model="claw", messages=ASK, stream=True, extra_headers=key)
    received = [chunk async for chunk in again]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in received) == "25 days."
    assert received[0].id == chunk.id
    assert stub.provider.stats.requests == before + 1
    with pytest.raises(openai.ConflictError):
        await client.chat.completions.create(model="claw", messages=[*ASK, *ASK], stream=True, extra_headers=key)


async def test_the_clients_own_retry_asks_once(house: House, client: openai.AsyncOpenAI, stub: Stub, monkeypatch: pytest.MonkeyPatch):
    """The first try got a 503 although the log had taken the question."""
    before, tries = stub.provider.stats.requests, 0
    remember = house.ports(ChatPorts).reply_locks.save_location

    async def broken_once(*arguments: Any) -> None:
        nonlocal tries
        tries += 1
        await remember(*arguments)
        if tries == 1:
            raise RuntimeError("the process broke here")

    monkeypatch.setattr(house.ports(ChatPorts).reply_locks, "save_location", broken_once)
    key = {"Idempotency-Key": uuid.uuid4().hex}
    retrying = client.with_options(max_retries=2)
    completion = await retrying.chat.completions.create(model="claw", messages=ASK, extra_headers=key)
    assert completion.choices[0].message.content == "25 days [1]."
    assert (tries, stub.provider.stats.requests) == (1, before + 1)


async def test_documented(house: House):
    document = msgspec.json.decode((await house.client.get("/schema")).content)
    create = document["paths"]["/v1/chat/completions"]["post"]
    assert {"200", "400", "401", "404", "422", "429"} <= set(create["responses"])
    assert {"/v1/models", "/v1/models/{model}", "/v1/embeddings"} <= set(document["paths"])
    assert not problems_of(default_rules(LimitSettings()), route_templates(house.app))  # rules of the doors are rules of served routes
