"""Tasks of every kind while a worker is killed: what ``claw faults --tasks 500`` checks in its long form, on every run of the suite."""

import os
import signal

import aiohttp
import pytest

from ops.faults.task_load import TaskAccount
from ops.faults.task_run import render_tasks, work_tasks
from tests.system.conftest import Up, log_in_operator

SEED, TASKS = 20261130, 30


@pytest.mark.timeout(180)
async def test_every_task_ends_once_whatever_dies(up: Up, session: aiohttp.ClientSession) -> None:
    killed = []

    async def kill(group: str) -> bool:
        killed.append((group, up.process(group)))
        os.kill(up.process(group).pid, signal.SIGKILL)
        return True

    account = TaskAccount(session, await log_in_operator(up, session))
    report = await work_tasks(account, seed=SEED, tasks=TASKS, kill=kill, kafka=up.kafka, pause_s=0.1, kills=1, drain_s_max=100)
    assert report.passed, render_tasks(report)
    assert {each.kind for each in report.ages} == {
        "generate_ai_response",
        "vectorize_document",
        "update_knowledge_base",
        "send_notification",
        "rebuild",
    }
    for group, before in killed:
        await up.restarted(group, before)
