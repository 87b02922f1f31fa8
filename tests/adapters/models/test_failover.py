"""Several providers in order, their breakers and permits, against stubs that really listen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from msgspec.structs import replace

from adapters.concurrency.cluster import ClusterLimit
from adapters.models.choose import create_answer_model
from adapters.models.fingerprint import hash_prompt
from adapters.models.port import AnswerModel, AnswerRequest, EmptyAnswer, Finish, Piece, Spent, ThoughtPiece, first_asked
from adapters.models.providers.openai import OpenAIModel
from adapters.models.providers.retries import RetryPolicy
from schemas.errors import ConfigurationError, Refused, Unavailable
from schemas.settings import ModelSettings, Settings
from schemas.settings.models import SecondModelSettings, ThirdModelSettings
from schemas.settings.section import Secret
from tests.support.model_samples import KEY, PASSAGES, model_settings
from tests.support.running_stub import Running, eventually

REQUEST = AnswerRequest(question="黄鹤楼在哪里？", passages=PASSAGES, max_tokens=64)


def settings_of(stub: Running, first: str, second: str, third: str = "", **changes: object) -> Settings:
    """Three models: of the stub in both dialects, then of a third kind."""
    return Settings(
        model=model_settings(stub.root, first, **changes),
        model_second=SecondModelSettings(
            provider="zhipu",
            base_url=f"{stub.root}/api/paas/v4",
            api_key=Secret(KEY),
            name=second,
            price_prompt=1.5,
            price_completion=2.5,
        ),
        model_third=ThirdModelSettings(provider="local") if third == "local" else ThirdModelSettings(),
    )


@asynccontextmanager
async def opened(model: AnswerModel) -> AsyncIterator[AnswerModel]:
    await model.start()
    try:
        yield model
    finally:
        await model.stop()


async def answered(settings: Settings) -> tuple[str, Finish]:
    async with opened(create_answer_model(settings)) as model:
        return await _told(model)


async def _told(model: AnswerModel, request: AnswerRequest = REQUEST) -> tuple[str, Finish]:
    text = ""
    async for item in model.answer(request):
        if isinstance(item, Finish):
            return text, item
        text += item.text if isinstance(item, Piece) else ""
    raise AssertionError("an answer without an end")


async def test_the_first_answers_while_it_can(stub: Running) -> None:
    settings = settings_of(stub, "stub?tokens=2", "stub?tokens=3")
    text, finish = await answered(settings)
    assert text == "知识库记录"
    assert (finish.model, finish.provider) == ("stub?tokens=2", "openai")
    assert finish.prompt_hash == hash_prompt(REQUEST, tokens_max=settings.prompt_tokens_max)
    assert finish.speaker.prices.cost_micros(finish.usage) == 0


async def test_a_chosen_model_is_asked_first_and_the_others_stand_in_for_it(stub: Running) -> None:
    """In their order; a name that there is not is no choice."""
    settings = settings_of(stub, "stub?tokens=2", "stub?tokens=3", "local")
    async with opened(create_answer_model(settings)) as model:
        assert model.names == ("stub?tokens=2", "stub?tokens=3", "local")
        for chosen, first in (("", 0), ("stub?tokens=3", 1), ("local", 2), ("gone", 0)):
            _, finish = await _told(model, replace(REQUEST, model=chosen))
            assert finish.model == model.names[first] == first_asked(model, chosen)
    settings = settings_of(stub, "stub?tokens=2", "stub?fault=500", "local")
    async with opened(create_answer_model(settings)) as model:
        _, finish = await _told(model, replace(REQUEST, model="stub?fault=500"))
        assert (finish.model, finish.provider) == ("stub?tokens=2", "openai")


async def test_the_model_that_is_asked_last_has_more_patience(stub: Running) -> None:
    """Whatever its place in the settings."""
    async with opened(create_answer_model(settings_of(stub, "stub?fault=500", "stub?fault=503", breaker_failures=99))) as model:
        with pytest.raises(Unavailable):
            await _told(model, replace(REQUEST, model="stub?fault=503"))
    assert stub.provider.stats.by_path == {"/api/paas/v4/chat/completions": 2, "/v1/chat/completions": 3}


@pytest.mark.parametrize("fault", ["429", "500", "401", "cut_before", "reset_before", "error_first", "html"])
async def test_the_next_answers_when_one_did_not_begin(stub: Running, fault: str) -> None:
    text, finish = await answered(settings_of(stub, f"stub?fault={fault}", "stub?tokens=2"))
    assert text == "知识库记录"
    assert (finish.model, finish.provider) == ("stub?tokens=2", "zhipu")
    usage = finish.usage
    assert finish.speaker.prices.cost_micros(usage) == round(usage.prompt_tokens * 1.5 + usage.completion_tokens * 2.5 + 1e-9)


async def test_silence_is_not_waited_for_twice(stub: Running) -> None:
    """The next model begins instead."""
    settings = settings_of(stub, "stub?fault=hang_before", "stub?tokens=2", idle_timeout_s=1.2)
    _, finish = await answered(settings)
    assert finish.provider == "zhipu"
    assert stub.provider.stats.requests == 2


async def test_all_of_them_together_have_the_time_of_one_answer(stub: Running) -> None:
    """A model is not asked when there is no time left for it."""
    settings = settings_of(stub, "stub?fault=hang_before", "stub", idle_timeout_s=1.2, total_timeout_s=1.3)
    async with opened(create_answer_model(settings)) as model:
        with pytest.raises(Unavailable):
            await _told(model)
    assert stub.provider.stats.by_path == {"/v1/chat/completions": 1}


async def test_after_the_first_word_nobody_else_is_asked(stub: Running) -> None:
    async with opened(create_answer_model(settings_of(stub, "stub?tokens=4&token_ms=30&fault=cut_middle", "stub"))) as model:
        with pytest.raises(Refused) as raised:
            await _told(model)
    assert raised.value.code == "answer_interrupted"
    assert stub.provider.stats.requests == 1


async def test_the_last_may_be_the_keyless_one(stub: Running) -> None:
    text, finish = await answered(settings_of(stub, "stub?fault=500", "stub?fault=503", "local"))
    assert "no language model was used" in text or "未使用语言模型" in text
    assert (finish.model, finish.provider, finish.prompt_hash) == ("local", "local", "")


async def test_when_nobody_answers_the_caller_hears_what_passes_first(stub: Running) -> None:
    async with opened(create_answer_model(settings_of(stub, "stub?fault=429&retry_after=60", "stub?fault=429&retry_after=30"))) as model:
        with pytest.raises(Unavailable) as raised:
            await _told(model)
        assert raised.value.retry_after_s == 30
    async with opened(create_answer_model(settings_of(stub, "stub?fault=401", "stub?fault=403"))) as model:
        with pytest.raises(Refused) as refused:
            await _told(model)
        assert refused.value.code == "model_unauthorized"


async def test_a_provider_that_keeps_failing_is_left_alone(stub: Running) -> None:
    """Not even asked, until its pause is over."""
    settings = settings_of(stub, "stub?fault=500", "stub?tokens=1", breaker_failures=4)
    async with opened(create_answer_model(settings)) as model:
        for _ in range(5):
            assert (await _told(model))[1].provider == "zhipu"
    assert stub.provider.stats.by_path == {"/v1/chat/completions": 4, "/api/paas/v4/chat/completions": 5}


async def test_cancelling_closes_the_call_of_the_one_that_answers(stub: Running) -> None:
    async with opened(create_answer_model(settings_of(stub, "stub?fault=500", "stub?tokens=900&token_ms=20"))) as model:
        async with aclosing(model.answer(REQUEST)) as said:
            assert isinstance(await anext(said), Piece)
        await eventually(lambda: stub.provider.stats.open == 0)


@asynccontextmanager
async def gated(stub: Running, name: str, limit: int, **changes: object) -> AsyncIterator[tuple[OpenAIModel, ClusterLimit]]:
    gate = ClusterLimit(None, prefix="p", name="g", label="g", limit=limit, workers=1)
    model = OpenAIModel(model_settings(stub.root, name, **changes), limit=gate, patience=RetryPolicy(1, 1.0))
    await model.start()
    try:
        yield model, gate
    finally:
        await model.stop()


async def test_no_more_calls_are_open_than_there_are_permits(stub: Running) -> None:
    async with gated(stub, "stub?tokens=4&token_ms=5", 2) as (model, _):
        told = await asyncio.gather(*(_told(model) for _ in range(8)))
    assert {text for text, _ in told} == {"知识库记录了这"}
    assert stub.provider.stats.open_max == 2


async def test_waiting_for_a_permit_has_an_end(stub: Running) -> None:
    async with gated(stub, "stub?fault=hang_middle", 1, permit_wait_s=0.2) as (model, _), aclosing(model.answer(REQUEST)) as said:
        await anext(said)
        with pytest.raises(Unavailable) as raised:
            await _told(model)
    assert raised.value.code == "model_unavailable"
    assert raised.value.retry_after_s >= 1
    assert stub.provider.stats.requests == 1


@pytest.mark.parametrize(("fault", "kind"), [("hang_before", Unavailable), ("hang_middle", Refused)])
async def test_a_lost_permit_closes_the_call_at_once(stub: Running, fault: str, kind: type[Exception]) -> None:
    async with gated(stub, f"stub?fault={fault}", 1) as (model, gate):
        task = asyncio.create_task(_told(model))
        await eventually(lambda: stub.provider.stats.open == 1)
        await asyncio.sleep(0.05)  # it stands where the fault has it
        (holder,) = gate._held
        gate._revoke(holder)
        with pytest.raises(kind):
            await asyncio.wait_for(task, 5)
        await eventually(lambda: stub.provider.stats.open == 0)
        assert stub.provider.stats.disconnected == 1
        assert not model._breaker.is_open


async def test_stops_reach_the_wire_or_are_cut_here(stub: Running) -> None:
    """BigModel takes one; more than a server takes are looked for in the text."""
    model = model_settings(stub.root, "stub?text=一二三四五六", provider="zhipu", base_url=f"{stub.root}/api/paas/v4")
    async with opened(OpenAIModel(model)) as asked:
        one, _ = await _told(asked, AnswerRequest(question="?", stop=("五",)))
        assert stub.provider.stats.last_request["stop"] == ["五"]
        two, finish = await _told(asked, AnswerRequest(question="?", stop=("六", "四五")))
        assert "stop" not in stub.provider.stats.last_request
    reasoning = model_settings(stub.root, "gpt-5-mini?text=一二三四五六")
    async with opened(OpenAIModel(reasoning)) as asked:
        cut, _ = await _told(asked, AnswerRequest(question="?", stop=("五",)))
        assert not {"stop", "temperature", "max_tokens"} & set(stub.provider.stats.last_request), "OpenAI's reasoning models refuse them"
    assert cut == "一二三四"
    assert one == "一二三四五六", "the stub itself knows no stops"
    assert (two, finish.reason) == ("一二三", "stop")
    await eventually(lambda: stub.provider.stats.open == 0)


def test_a_fallback_that_cannot_work_is_named() -> None:
    first = ModelSettings(provider="openai", api_key=Secret("k"))
    with pytest.raises(ConfigurationError, match="CLAW_MODEL_SECOND_API_KEY"):
        create_answer_model(Settings(model=first, model_second=SecondModelSettings(provider="zhipu")))


async def test_a_model_that_only_thinks_is_followed_by_the_next(stub: Running) -> None:
    text, finish = await answered(settings_of(stub, "stub?thinking=900", "stub?tokens=2"))
    assert (text, finish.provider) == ("知识库记录", "zhipu")
    assert stub.provider.stats.requests == 2


@pytest.mark.parametrize("second", ["stub?thinking=900", "stub?fault=503", "stub?fault=401"])
async def test_when_nobody_answers_the_thinking_is_what_is_told(stub: Running, second: str) -> None:
    """Not that it may pass: whoever came again would pay for the same thinking again."""
    with pytest.raises(EmptyAnswer) as raised:
        await answered(settings_of(stub, "stub?thinking=900", second))
    assert raised.value.usage.completion_tokens == 64
    assert raised.value.speaker.provider == "openai"


async def test_what_the_first_spent_on_thinking_is_told(stub: Running) -> None:
    """At its own price, once, and only when another one answers: else the error has it."""
    settings = settings_of(stub, "stub?thinking=900", "stub?tokens=2", price_completion=8.0)
    async with opened(create_answer_model(settings)) as model:
        said = [item async for item in model.answer(REQUEST)]
    (spent,) = [item for item in said if isinstance(item, Spent)]
    assert not any(isinstance(item, Piece) for item in said[: said.index(spent)])
    assert (spent.speaker.provider, spent.usage.completion_tokens, spent.usage.reasoning_tokens) == ("openai", 64, 64)
    assert spent.speaker.prices.cost_micros(spent.usage) == 64 * 8
    async with opened(create_answer_model(settings_of(stub, "stub?thinking=900", "stub?thinking=800"))) as model:
        stream = model.answer(REQUEST)
        item = await anext(stream)
        while isinstance(item, ThoughtPiece):
            item = await anext(stream)
        with pytest.raises(EmptyAnswer) as raised:
            await anext(stream)
    assert raised.value.speaker.provider == "openai"
    assert isinstance(item, Spent)
    assert item.speaker.provider == "zhipu"


@pytest.mark.parametrize("code", ["1308", "1311", "1113"])
async def test_an_exhausted_account_is_followed_by_the_next_at_once(stub: Running, code: str) -> None:
    """And is not even asked for the next question."""
    settings = settings_of(stub, f"stub?fault=429&code={code}", "stub?tokens=2")
    async with opened(create_answer_model(settings)) as model:
        for _ in range(3):
            assert (await _told(model))[1].provider == "zhipu"
    assert stub.provider.stats.by_path == {"/v1/chat/completions": 1, "/api/paas/v4/chat/completions": 3}


async def test_what_a_content_filter_refused_is_taken_to_nobody_else(stub: Running) -> None:
    async with opened(create_answer_model(settings_of(stub, "stub?fault=400&code=1301", "stub?tokens=2"))) as model:
        with pytest.raises(Refused) as raised:
            await _told(model)
    assert raised.value.code == "model_filtered"
    assert stub.provider.stats.requests == 1
