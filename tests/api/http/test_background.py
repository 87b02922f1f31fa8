"""Work beside requests is bounded, and ends with the process."""

import asyncio

import pytest

from api.http import background
from api.http.background import BackgroundTasks


async def test_what_is_too_much_is_dropped_and_the_rest_is_cancelled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(background, "TASKS_MAX", 2)
    tasks, ended = BackgroundTasks(), []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    for name in ("a", "b", "dropped"):
        tasks.run(work(name))
    await asyncio.sleep(0)
    await tasks.stop()
    assert sorted(ended) == ["a", "b"]
    tasks.run(asyncio.sleep(0))  # there is room again
    await tasks.stop()
