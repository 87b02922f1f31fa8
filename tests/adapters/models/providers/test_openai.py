"""The lean adapter against a provider that really listens, with the official client as oracle."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import openai
import pytest
import structlog
from msgspec.structs import replace

from adapters.models.choose import create_answer_model
from adapters.models.grounding.local import LocalModel
from adapters.models.port import AnswerRequest, EmptyAnswer, Finish, Piece, Spent, ThoughtPiece
from adapters.models.providers import openai as lean
from adapters.models.providers import retries
from adapters.models.providers.openai import OpenAIModel
from adapters.models.providers.provider_errors import TransientFailure
from schemas.chats import Usage
from schemas.errors import ClawError, Refused, Unavailable
from schemas.settings import ModelSettings, Settings
from schemas.settings.section import Secret
from tests.support.model_samples import KEY, PASSAGES, model_settings
from tests.support.running_stub import Running, eventually

REQUEST = AnswerRequest(question="黄鹤楼在哪里？", passages=PASSAGES, max_tokens=64)


@asynccontextmanager
async def opened(stub: Running, name: str, **changes: object) -> AsyncIterator[OpenAIModel]:
    model = OpenAIModel(model_settings(stub.root, name, **changes), jitter=lambda: 0.0)
    await model.start()
    try:
        yield model
    finally:
        await model.stop()


async def answered(stub: Running, name: str, **changes: object) -> tuple[str, Finish]:
    async with opened(stub, name, **changes) as model:
        said = [item async for item in model.answer(REQUEST)]
    pieces = [item for item in said[:-1] if not isinstance(item, ThoughtPiece)]
    assert all(isinstance(piece, Piece) and piece.text for piece in pieces)
    assert isinstance(said[-1], Finish)
    return "".join(piece.text for piece in pieces if isinstance(piece, Piece)), said[-1]


async def failed(stub: Running, name: str, **changes: object) -> tuple[ClawError, str]:
    """The error, and what was said before it."""
    text = ""
    async with opened(stub, name, **changes) as model:
        try:
            async for item in model.answer(REQUEST):
                text += item.text if isinstance(item, Piece) else ""
        except ClawError as error:
            return error, text
    raise AssertionError("it should have failed")


@pytest.mark.parametrize("fault", ["", "split_utf8", "crlf", "comments", "no_done", "no_usage", "slow"])
async def test_says_what_the_official_client_reads(stub: Running, fault: str) -> None:
    """The same text, reason and usage from the same bytes, whatever the network does to them."""
    name = f"stub?tokens={3 if fault == 'slow' else 20}&cite=1&fault={fault}"
    text, finish = await answered(stub, name)
    sent = stub.provider.stats.last_request
    async with openai.AsyncOpenAI(base_url=f"{stub.root}/v1", api_key=KEY, max_retries=0) as official:
        chunks = [chunk async for chunk in await official.chat.completions.create(**sent)]
    assert text == "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    usage = chunks[-1].usage
    if usage is None:
        assert fault == "no_usage"
        assert finish.usage.estimated
        assert finish.usage.completion_tokens > 0
        assert finish.usage.prompt_tokens > 100
    else:
        assert finish.usage == Usage(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)
    assert finish.reason == "stop"


async def test_cached_and_reasoning_tokens_are_what_the_official_client_reads(stub: Running) -> None:
    """And cost what they cost."""
    name = "stub?tokens=2&thinking=30&cached=40"
    _, finish = await answered(stub, name, price_prompt=2.0, price_completion=8.0, price_cached_prompt=0.5)
    sent = stub.provider.stats.last_request
    async with openai.AsyncOpenAI(base_url=f"{stub.root}/v1", api_key=KEY, max_retries=0) as official:
        chunks = [chunk async for chunk in await official.chat.completions.create(**sent)]
    told = chunks[-1].usage
    assert told is not None
    assert told.prompt_tokens_details is not None
    assert told.completion_tokens_details is not None
    usage = finish.usage
    assert (usage.cached_tokens, usage.reasoning_tokens) == (40, 30)
    assert (told.prompt_tokens_details.cached_tokens, told.completion_tokens_details.reasoning_tokens) == (40, 30)
    assert finish.speaker.prices.cost_micros(usage) == (usage.prompt_tokens - 40) * 2 + 20 + usage.completion_tokens * 8


async def test_deepseek_counts_cached_tokens_in_a_field_of_its_own(stub: Running) -> None:
    _, finish = await answered(stub, "stub?tokens=2&cached=40&cached_as=deepseek")
    assert finish.usage.cached_tokens == 40


async def test_sends_the_prompt_the_key_and_the_sampling(stub: Running) -> None:
    await answered(stub, "stub?tokens=1")
    sent = stub.provider.stats.last_request
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert "黄鹤楼位于湖北省武汉市" in sent["messages"][1]["content"]
    assert (sent["max_tokens"], sent["temperature"], sent["stream_options"]) == (64, 0.2, {"include_usage": True})
    assert stub.provider.stats.requests == 1  # and it was let in: the stub knows the key


@pytest.mark.parametrize(("temperature", "expected"), [(0.0, (None, False)), (0.5, (0.5, None)), (2.0, (0.99, None))])
async def test_speaks_bigmodel(stub: Running, temperature: float, expected: tuple[float | None, bool | None]) -> None:
    """Usage without asking, and temperature inside the open interval it takes."""
    model = OpenAIModel(model_settings(stub.root, "stub?tokens=4", provider="zhipu", base_url=f"{stub.root}/api/paas/v4/"))
    await model.start()
    request = AnswerRequest(question="在吗？", temperature=temperature)
    said = [item async for item in model.answer(request)]
    await model.stop()
    sent = stub.provider.stats.last_request
    assert (sent.get("temperature"), sent.get("do_sample")) == expected
    assert "stream_options" not in sent
    finish = said[-1]
    assert isinstance(finish, Finish)
    assert finish.usage == Usage(prompt_tokens=sum(len(m["content"]) for m in sent["messages"]), completion_tokens=4)


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("length", "length"),
        ("model_context_window_exceeded", "length"),
        ("sensitive", "content_filter"),
        ("stop", "stop"),
    ],
)
async def test_finish_reasons(stub: Running, finish: str, reason: str) -> None:
    assert (await answered(stub, f"stub?tokens=2&finish={finish}"))[1].reason == reason


THINKS = ["reasoning_content", "reasoning", "both", "tags"]


@pytest.mark.parametrize("thinks", THINKS)
async def test_thinking_is_no_part_of_the_answer(stub: Running, thinks: str) -> None:
    """Whatever the server calls it; it is paid for all the same."""
    text, finish = await answered(stub, f"stub?tokens=2&thinking=30&thinks={thinks}")
    assert text == "知识库记录"
    assert (finish.reason, finish.usage.completion_tokens) == ("stop", 32)


@pytest.mark.parametrize("thinks", THINKS)
@pytest.mark.parametrize("fault", ["", "no_usage"])
async def test_an_answer_that_was_all_thinking_has_failed(stub: Running, thinks: str, fault: str) -> None:
    """It is not repeated, and says what it cost, as the provider counted or as an estimate of the thinking."""
    error, text = await failed(stub, f"stub?thinking=900&thinks={thinks}&fault={fault}")
    assert isinstance(error, EmptyAnswer)
    assert (error.code, text) == ("model_answer_empty", "")
    assert "while the model thought" in error.detail
    assert error.usage.estimated == bool(fault)
    assert error.usage.completion_tokens > 64 if fault else error.usage.completion_tokens == 64
    assert error.speaker.provider == "openai"
    assert stub.provider.stats.requests == 1


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("tokens=0", "without a word"),
        ("text=%20%20%20%20", "without a word"),
        ("tokens=0&thinking=5", "thought, and ended"),
        ("tokens=0&finish=length", "at once"),
        ("tokens=0&finish=sensitive", "content filter"),
    ],
)
async def test_an_answer_without_a_word_has_failed(stub: Running, query: str, said: str) -> None:
    error, text = await failed(stub, f"stub?{query}")
    assert isinstance(error, EmptyAnswer)
    assert (error.code, text, stub.provider.stats.requests) == ("model_answer_empty", "", 1)
    assert said in error.detail


async def test_a_model_that_thinks_is_alive(stub: Running) -> None:
    """Longer than the silence that would end the call; who probes a provider need not wait for the first word."""
    async with opened(stub, "stub?tokens=2&thinking=20&token_ms=50", idle_timeout_s=0.5, breaker_failures=1, breaker_pause_s=0.01) as model:
        breaker = model._breaker
        with pytest.raises(TransientFailure), breaker.call():
            raise TransientFailure("x")
        await asyncio.sleep(0.02)
        asking = asyncio.create_task(_text(model))
        await eventually(lambda: not breaker.is_open)
        assert not asking.done()
        assert await asking == "知识库记录"


async def _text(model: OpenAIModel) -> str:
    return "".join([item.text async for item in model.answer(REQUEST) if isinstance(item, Piece)])


async def parts_of(stub: Running, name: str, request: AnswerRequest = REQUEST, **changes: object) -> list[object]:
    async with opened(stub, name, **changes) as model:
        return [item async for item in model.answer(request)]


@pytest.mark.parametrize("thinks", [*THINKS, "opened"])
async def test_thinking_is_given_apart(stub: Running, thinks: str) -> None:
    """All of it before the first word of the answer, none of it in the answer."""
    name = f"stub?tokens=2&thinking=30&thinks={thinks}"
    said = await parts_of(stub, name, thinking_opened=thinks == "opened")
    kinds = [type(part) for part in said]
    order: list[type] = [ThoughtPiece, Piece, Finish]
    assert kinds == sorted(kinds, key=order.index)
    thought = "".join(part.text for part in said if isinstance(part, ThoughtPiece))
    assert thought.split() == "".join(f"hm{i} [1] " for i in range(30)).split()
    assert "".join(part.text for part in said if isinstance(part, Piece)) == "知识库记录"


async def test_a_text_that_turns_out_to_have_been_thinking_is_given_up_and_the_next_is_understood(stub: Running) -> None:
    """Nobody knew that the template opens it: what was given out is void, and is charged."""
    async with opened(stub, "stub?tokens=2&thinking=30&thinks=opened") as model:
        stream = model.answer(REQUEST)
        part = await anext(stream)
        assert isinstance(part, Piece)
        while isinstance(part, Piece):
            part = await anext(stream)
        assert isinstance(part, Spent)
        assert part.usage.completion_tokens > 30
        with pytest.raises(Unavailable):
            await anext(stream)
        assert await _text(model) == "知识库记录"
        assert not model._breaker.is_open
    async with opened(stub, "stub?tokens=2&thinks=opened", thinking_opened=True) as model:
        assert await _text(model) == "知识库记录", "it did not think this time"


async def test_a_server_that_sends_thinking_apart_has_a_parser(stub: Running) -> None:
    """Its text is the answer from the beginning, and streams."""
    async with opened(stub, "stub?tokens=8&token_ms=20&thinking=3&finish=length", thinking_opened=True) as model:
        assert await _text(model) == "知识库记录了这一点：the log"


@pytest.mark.parametrize(
    ("provider", "name", "request_", "sent"),
    [
        ("zhipu", "glm-4.7?tokens=1", {}, {"thinking": None, "max_tokens": 64 + 4096}),
        ("zhipu", "glm-4.7?tokens=1", {"thinking": "off"}, {"thinking": {"type": "disabled"}, "max_tokens": 64}),
        ("zhipu", "glm-5.3?tokens=1", {"thinking": "off"}, {"reasoning_effort": "low", "max_tokens": 64 + 4096}),
        ("dashscope", "qwen-plus?tokens=1", {"thinking": "on"}, {"enable_thinking": True, "thinking_budget": 4096, "max_tokens": 64}),
        ("openai", "gpt-5-mini?tokens=1", {}, {"max_completion_tokens": 64 + 4096, "max_tokens": None, "temperature": None}),
        ("openai", "stub?tokens=1", {"thinking": "on"}, {"max_tokens": 64, "reasoning_effort": None, "thinking": None}),
    ],
)
async def test_the_wish_of_a_question_reaches_the_wire(
    stub: Running, provider: str, name: str, request_: dict[str, Any], sent: dict[str, object]
) -> None:
    """A model that thinks gets tokens for it on top of the answer's."""
    root = f"{stub.root}/api/paas/v4" if provider == "zhipu" else f"{stub.root}/v1"
    await parts_of(stub, name, replace(REQUEST, **request_), provider=provider, base_url=root)
    assert {key: stub.provider.stats.last_request.get(key) for key in sent} == sent


async def test_what_the_settings_say_goes_before_what_a_question_leaves_open(stub: Running) -> None:
    settings: dict[str, Any] = {"provider": "zhipu", "base_url": f"{stub.root}/api/paas/v4", "thinking": "off"}
    await parts_of(stub, "glm-4.7?tokens=1", **settings)
    assert stub.provider.stats.last_request["thinking"] == {"type": "disabled"}
    await parts_of(stub, "glm-4.7?tokens=1", replace(REQUEST, thinking="on"), **settings)
    assert stub.provider.stats.last_request["thinking"] == {"type": "enabled"}
    settings["reasoning_effort"] = "max"
    for asked, level in (("", "max"), ("low", "high")):
        await parts_of(stub, "glm-5.2?tokens=1", replace(REQUEST, thinking="on", reasoning_effort=asked), **settings)
        assert stub.provider.stats.last_request["reasoning_effort"] == level
    await parts_of(stub, "glm-5.2?tokens=1", **settings)
    assert "reasoning_effort" not in stub.provider.stats.last_request


async def test_thinking_that_broke_off_is_charged_and_repeated(stub: Running) -> None:
    said = await parts_of(stub, "stub?tokens=1&thinking=30&fault=cut_middle&times=1")
    spent = [part for part in said if isinstance(part, Spent)]
    assert [(each.usage.estimated, each.speaker.provider) for each in spent] == [(True, "openai")]
    assert spent[0].usage.reasoning_tokens > 30
    assert isinstance(said[-1], Finish)


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut_before", "error_first"])
async def test_what_passes_is_repeated_before_the_first_word(stub: Running, fault: str) -> None:
    text, _ = await answered(stub, f"stub?tokens=2&fault={fault}&times=2")
    assert text == "知识库记录"
    assert stub.provider.stats.requests == 3


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut_before", "error_first"])
async def test_what_does_not_pass_is_unavailable_after_three_attempts(stub: Running, fault: str) -> None:
    error, text = await failed(stub, f"stub?fault={fault}")
    assert isinstance(error, Unavailable)
    assert (error.code, text) == ("model_unavailable", "")
    assert stub.provider.stats.requests == retries.LAST_MODEL.attempts


async def test_a_long_retry_after_is_left_to_the_caller(stub: Running) -> None:
    error, _ = await failed(stub, "stub?fault=429&retry_after=42")
    assert isinstance(error, Unavailable)
    assert error.retry_after_s == 42
    assert stub.provider.stats.requests == 1


async def test_a_short_retry_after_is_waited_for(stub: Running) -> None:
    began = time.monotonic()
    await answered(stub, "stub?tokens=1&fault=503&times=1&retry_after=0.7")
    assert time.monotonic() - began >= 0.7


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("fault=400", "model_refused"),
        ("fault=401", "model_unauthorized"),
        ("fault=403", "model_access_denied"),
        ("fault=429&code=insufficient_quota", "model_quota_exhausted"),
        ("fault=429&code=1113", "model_account_arrears"),
        ("fault=400&code=1301", "model_filtered"),
        ("fault=html", "model_refused"),
    ],
)
async def test_what_will_never_be_taken_is_refused_at_once(stub: Running, query: str, code: str) -> None:
    """By a name that says who has to do what."""
    error, _ = await failed(stub, f"stub?{query}")
    assert isinstance(error, Refused)
    assert error.code == code
    assert stub.provider.stats.requests == 1


@pytest.mark.parametrize(("code", "name"), [("1302", "model_rate_limited"), ("1305", "model_overloaded"), ("1234", "model_unavailable")])
@pytest.mark.parametrize("fault", ["429", "error_first"])
async def test_what_bigmodel_says_will_pass_is_repeated(stub: Running, fault: str, code: str, name: str) -> None:
    error, _ = await failed(stub, f"stub?fault={fault}&code={code}", provider="zhipu", base_url=f"{stub.root}/api/paas/v4")
    assert isinstance(error, Unavailable)
    assert error.code == name
    assert stub.provider.stats.requests == retries.LAST_MODEL.attempts


@pytest.mark.parametrize("fault", ["429", "error_first"])
async def test_an_exhausted_account_is_not_asked_again_before_its_reset(stub: Running, fault: str) -> None:
    query = f"stub?fault={fault}&code=1308&message=Your limit will reset at 2999-01-01 00:00:00"
    async with opened(stub, query, provider="zhipu", base_url=f"{stub.root}/api/paas/v4") as model:
        for _ in range(3):
            with pytest.raises(Refused) as raised:
                await _text(model)
            assert raised.value.code == "model_quota_exhausted"
            assert raised.value.retry_after_s > 86_000
    assert stub.provider.stats.requests == 1


async def test_an_error_object_may_refuse_too(stub: Running) -> None:
    error, _ = await failed(stub, "stub?fault=error_first&code=invalid_request_error")
    assert isinstance(error, Refused)
    assert error.code == "model_refused"


@pytest.mark.parametrize("fault", ["error_object", "broken_frame", "cut_middle", "no_finish", "hang_middle"])
async def test_after_the_first_word_nothing_is_repeated(stub: Running, fault: str) -> None:
    """Each token apart, so that some are said before the fault."""
    error, text = await failed(stub, f"stub?tokens=4&token_ms=30&fault={fault}", idle_timeout_s=0.5)
    assert isinstance(error, Refused)
    assert error.code == "answer_interrupted"
    assert text.startswith("知识库")
    assert stub.provider.stats.requests == 1


@pytest.mark.parametrize("finish", ["network_error", "insufficient_system_resource"])
async def test_a_failed_finish_is_a_failure(stub: Running, finish: str) -> None:
    error, _ = await failed(stub, f"stub?tokens=2&token_ms=30&finish={finish}")
    assert error.code == "answer_interrupted"


async def test_silence_before_the_first_word_is_unavailable(stub: Running) -> None:
    error, _ = await failed(stub, "stub?fault=hang_before", idle_timeout_s=0.2)
    assert isinstance(error, Unavailable)
    assert stub.provider.stats.requests == 3


async def test_an_answer_has_an_end_in_time(stub: Running) -> None:
    began = time.monotonic()
    error, text = await failed(stub, "stub?tokens=1000&token_ms=20", total_timeout_s=0.5)
    assert error.code == "answer_interrupted"
    assert text
    assert time.monotonic() - began < 3


async def test_usage_that_never_comes_costs_no_answer(stub: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "TAIL_S", 0.1)
    text, finish = await answered(stub, "stub?tokens=2&fault=hang_end")
    assert text == "知识库记录"
    assert finish.usage.estimated


async def test_an_endless_answer_is_cut(stub: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "RESPONSE_BYTES_MAX", 2_000)
    error, _ = await failed(stub, "stub?tokens=60&token_ms=1")
    assert error.code == "answer_interrupted"


async def test_nobody_listening_is_unavailable() -> None:
    stub = Running("http://127.0.0.1:9", None)  # type: ignore[arg-type]
    error, _ = await failed(stub, "stub")
    assert isinstance(error, Unavailable)


async def test_a_server_without_tls_is_no_provider(stub: Running) -> None:
    error, _ = await failed(stub, "stub", base_url=stub.root.replace("http:", "https:") + "/v1")
    assert isinstance(error, Refused)
    assert stub.provider.stats.requests == 0


@pytest.mark.parametrize("fault", ["hang_before", "hang_middle"])
async def test_cancelling_closes_the_call_at_once(stub: Running, fault: str) -> None:
    async with opened(stub, f"stub?fault={fault}") as model:

        async def listen() -> None:
            async for _ in model.answer(REQUEST):
                pass

        task = asyncio.create_task(listen())
        await eventually(lambda: stub.provider.stats.open == 1)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _closed(stub)


async def test_closing_the_generator_closes_the_call_at_once(stub: Running) -> None:
    async with opened(stub, "stub?tokens=1000&token_ms=20") as model:
        async with aclosing(model.answer(REQUEST)) as said:
            assert isinstance(await anext(said), Piece)
        await _closed(stub)


async def _closed(stub: Running) -> None:
    await eventually(lambda: stub.provider.stats.open == 0)


async def test_connections_are_kept_between_answers(stub: Running) -> None:
    async with opened(stub, "stub?tokens=3") as model:
        for _ in range(5):
            assert [item async for item in model.answer(REQUEST)]
        assert model._endpoint._session is not None
        connector = model._endpoint._session.connector
        assert connector is not None
        assert sum(len(kept) for kept in connector._conns.values()) == 1


async def test_many_answers_at_once_stay_apart(stub: Running) -> None:
    async with opened(stub, "stub?tokens=20&token_ms=1", concurrency=8) as model:

        async def ask() -> str:
            return "".join([item.text async for item in model.answer(REQUEST) if isinstance(item, Piece)])

        texts = await asyncio.gather(*(ask() for _ in range(24)))
    assert len(set(texts)) == 1


async def test_the_key_stays_inside(stub: Running, caplog: pytest.LogCaptureFixture) -> None:
    """The stub's 401 repeats the key, as some servers do."""
    wrong = "sk-wrong-9876543210"
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logs:
        error, _ = await failed(stub, "stub", api_key=Secret(wrong))
    seen: list[Any] = [str(error), repr(error), error.problem(), logs, caplog.text, repr(error.__cause__)]
    assert error.code == "model_unauthorized"
    assert any("Incorrect API key" in str(line) for line in logs)
    assert not any(wrong in str(item) for item in seen)


def test_settings_choose_the_model() -> None:
    assert isinstance(create_answer_model(Settings()), LocalModel)
    chosen = create_answer_model(Settings(model=ModelSettings(provider="zhipu", api_key=Secret("k"))))
    assert (type(chosen), chosen.name) == (OpenAIModel, "glm-4.7-flash")
