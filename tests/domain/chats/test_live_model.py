"""A model that follows its settings: answers in progress keep theirs, one that cannot be built changes nothing."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import msgspec
import pytest

from adapters.models.port import AnswerPart, AnswerRequest, Finish, Piece
from domain.chats.live_model import LiveModel
from schemas.errors import ConfigurationError
from schemas.settings import ModelSettings, Settings
from streams.live import Live


class Model:
    """Says its name twice; the second time when it may."""

    def __init__(self, name: str) -> None:
        self.name, self.names, self.state = name, (name,), "made"
        self.may_end = asyncio.Event()

    async def start(self) -> None:
        self.state = "started"

    async def stop(self) -> None:
        self.state = "stopped"

    async def answer(self, request: AnswerRequest) -> AsyncGenerator[AnswerPart, None]:
        yield Piece(self.name)
        await self.may_end.wait()
        assert self.state == "started"
        yield Finish()


@pytest.fixture
def made() -> list[Model]:
    return []


@pytest.fixture
def create(made: list[Model]) -> Callable[[Settings], Any]:
    def create(settings: Settings) -> Model:
        if settings.model.name == "broken":
            raise ConfigurationError("no such model")
        made.append(Model(settings.model.name))
        return made[-1]

    return create


def change(settings: Live[Settings], **fields: Any) -> None:
    settings.replace(settings.value.with_section(msgspec.structs.replace(settings.value.model, **fields)))


async def settled(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0)


async def test_another_model_answers_what_begins_after_the_change(made, create):
    settings = Live(Settings(model=ModelSettings(name="old")))
    model = LiveModel(settings, create)
    await model.start()
    async with aclosing(model.answer(AnswerRequest(question="?"))) as running:
        assert await anext(running) == Piece("old")
        change(settings, name="new")
        await settled(lambda: model.name == "new")
        assert model.names == ("new",)
        async with aclosing(model.answer(AnswerRequest(question="?"))) as later:
            assert await anext(later) == Piece("new")
        assert made[0].state == "started"  # its answer is not over
        made[0].may_end.set()
        assert await anext(running) == Finish()
    await settled(lambda: made[0].state == "stopped")
    change(settings, name="newest")
    await settled(lambda: made[1].state == "stopped")  # nobody used it any more
    await model.stop()
    assert [each.state for each in made] == ["stopped"] * 3


async def test_a_model_that_cannot_be_built_leaves_the_one_before(made, create):
    settings = Live(Settings(model=ModelSettings(name="old")))
    model = LiveModel(settings, create)
    await model.start()
    change(settings, name="broken")
    change(settings, temperature=1.9)  # no other model is needed for this
    for _ in range(5):
        await asyncio.sleep(0)
    assert (model.name, len(made), made[0].state) == ("old", 1, "started")
    change(settings, name="mended")
    await settled(lambda: model.name == "mended")
    await model.stop()
